"""Closing periods, many at once: each gets its invoice or says why not, and none is in the way of another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from billing.documents import DocumentSums, add_up
from billing.drafting import compose_period
from billing.invoicing import UnknownPeriod, close_period
from billing.lines import LineFact
from billing.models import Period

NOTHING_ASKED = DocumentSums(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of a period. A free one has no invoice; with an error it is as it was before.

    Amounts are in the currency's smallest unit.
    """

    period_id: int
    invoice_id: int | None = None
    number: str | None = None
    total_minor: int = 0
    currency: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """What a period's invoice would say, or why it cannot be told. A free period has no lines."""

    period_id: int
    account_id: int | None = None
    subscription_id: int | None = None
    currency: str = ""
    plan_name: str = ""
    lines: tuple[LineFact, ...] = ()
    sums: DocumentSums = NOTHING_ASKED
    error: str | None = None


def close_periods(period_ids: Iterable[int], *, at: datetime) -> list[Closed]:
    """Make periods final and issue their invoices; in the order asked. A second call returns the same invoices.

    One that fails is left as it was, with the error, and the others are closed all the same.
    """
    return [close_alone(period_id, at=at) for period_id in period_ids]


def close_alone(period_id: int, *, at: datetime) -> Closed:
    try:
        with transaction.atomic():
            invoice = close_period(period_id, at=at)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # whatever it is, the others go on and somebody reads it
        return Closed(period_id, error=state_error(error))
    if invoice is None:
        return Closed(period_id)
    return Closed(period_id, invoice.id, invoice.number, invoice.total_minor, invoice.currency)


def compose_periods(period_ids: Iterable[int], *, at: datetime) -> list[Composed]:
    """What the invoices of periods would say if they were closed now; in the order asked. Nothing is written.

    A period may be under way: then it is what was used so far, with its fees.
    """
    return [compose_alone(period_id) for period_id in period_ids]


def compose_alone(period_id: int) -> Composed:
    period = Period.objects.select_related("subscription", "version__plan").filter(pk=period_id).first()
    if period is None:
        return Composed(period_id, error=state_error(UnknownPeriod(f"There is no period {period_id}.")))
    known = (period_id, period.subscription.account_id, period.subscription_id)
    try:
        terms, lines, _ = compose_period(period)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # as above
        return Composed(*known, error=state_error(error))
    if period.is_free:
        return Composed(*known, terms.currency, terms.name)
    return Composed(*known, terms.currency, terms.name, lines, add_up(lines))


def state_error(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
