"""Closing periods, a chunk at a time: each gets its invoice or says why not, and none is in the way of another.

A chunk is one transaction and a fixed number of statements. Where it fails each period has one of its own, so that
only the one at fault is left as it was. Closing one period is a chunk of one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from billing.composing import compose_period
from billing.documents import DocumentSums, add_up
from billing.drafting import Draft, draft_composed
from billing.issuing import issue_invoices
from billing.lines import LineFact
from billing.models import Invoice, InvoiceKind, Period
from billing.period_facts import PeriodFacts, load_periods, lock_periods, read_facts
from billing.subscriptions import list_meters_of
from metering import limits
from metering.usage import Window

CHUNK = 100
NOTHING_ASKED = DocumentSums(0, 0, 0)

Result = TypeVar("Result")
Outcomes = dict[int, Result | Exception]


class UnknownPeriod(LookupError):
    """There is no period with this id."""


class PeriodNotOver(ValueError):
    """A period can be closed once it has ended, not before."""


class PeriodBusy(RuntimeError):
    """Another transaction holds the period, and the caller did not want to wait."""


class NotComposed(Exception):
    """Invoices of these periods cannot be composed: period id → why."""

    def __init__(self, reasons: dict[int, Exception]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


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
class Drafted:
    """A period's draft; none of one that is free or closed, or with an error."""

    period_id: int
    invoice_id: int | None = None
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


def close_periods(period_ids: Iterable[int], *, at: datetime, skip_locked: bool = False) -> list[Closed]:
    """Make periods final and issue their invoices; in the order asked. A second call returns the same invoices.

    One that fails is left as it was, with the error, and the others are closed all the same. So it is with
    `skip_locked` with one that another transaction holds. Of a chunk the earliest period is billed first.
    """
    asked = list(period_ids)

    def close(ids: Sequence[int]) -> Outcomes[Closed]:
        return close_together(ids, at=at, skip_locked=skip_locked)

    outcomes = run_chunks(asked, close)
    return [
        Closed(pk, error=state_error(outcome)) if isinstance(outcome := outcomes[pk], Exception) else outcome
        for pk in asked
    ]


def close_one(period_id: int, *, at: datetime) -> Closed:
    """The same for one, whose error is raised: UnknownPeriod, PeriodNotOver, or why it cannot be billed."""
    outcome = run_chunks([period_id], lambda ids: close_together(ids, at=at))[period_id]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def draft_periods(period_ids: Iterable[int], *, at: datetime) -> list[Drafted]:
    """Draft the invoices of periods that are over, or draft them anew; in the order asked.

    Until a period is closed usage goes on counting for it, and closing drafts its invoice once more.
    """
    asked = list(period_ids)
    outcomes = run_chunks(asked, lambda ids: draft_together(ids, at=at))
    return [
        Drafted(pk, error=state_error(outcome)) if isinstance(outcome := outcomes[pk], Exception) else outcome
        for pk in asked
    ]


def draft_one(period_id: int, *, at: datetime) -> Drafted:
    """The same for one, whose error is raised."""
    outcome = run_chunks([period_id], lambda ids: draft_together(ids, at=at))[period_id]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def compose_periods(period_ids: Iterable[int], *, at: datetime) -> list[Composed]:
    """What the invoices of periods would say if they were closed now; in the order asked. Nothing is written.

    A period may be under way: then it is what was used so far, with its fees.
    """
    asked = list(period_ids)
    outcomes = run_chunks(asked, compose_together)
    return [
        Composed(pk, error=state_error(outcome)) if isinstance(outcome := outcomes[pk], Exception) else outcome
        for pk in asked
    ]


def run_chunks(period_ids: Iterable[int], act: Callable[[Sequence[int]], Outcomes[Result]]) -> Outcomes[Result]:
    """period id → what `act` made of it, a transaction for each chunk; or the error, of which nothing was written."""
    ids = list(dict.fromkeys(period_ids))
    outcomes: Outcomes[Result] = {}
    for first in range(0, len(ids), CHUNK):
        outcomes |= run_chunk(ids[first : first + CHUNK], act)
    return outcomes


def run_chunk(ids: Sequence[int], act: Callable[[Sequence[int]], Outcomes[Result]]) -> Outcomes[Result]:
    """Without those of which it turns out that they cannot be composed; each alone where something else is wrong."""
    failed: Outcomes[Result] = {}
    left = list(ids)
    while left:
        try:
            with transaction.atomic():
                return failed | act(left)
        except NotComposed as error:
            failed |= error.reasons
            left = [pk for pk in left if pk not in error.reasons]
        except Exception as error:  # whatever it is, the others go on and somebody reads it
            if is_cut_off(error):
                raise
            if len(left) == 1:
                return failed | {left[0]: error}
            for pk in left:
                failed |= run_chunk([pk], act)
            return failed
    return failed


def is_cut_off(error: Exception) -> bool:
    """Whether the connection is lost: then none of the others would fare better."""
    is_of_connection = isinstance(error, InterfaceError | OperationalError)
    return is_of_connection and (connection.connection is None or bool(connection.connection.closed))


def close_together(ids: Sequence[int], *, at: datetime, skip_locked: bool = False) -> Outcomes[Closed]:
    """In the caller's transaction: make metering's windows final, read what was used, bill it, close the periods.

    What is counted after the windows are closed is late. Raises NotComposed.
    """
    periods = lock_periods(ids, skip_locked=skip_locked)
    outcomes: Outcomes[Closed] = dict(refuse(ids, periods, at=at))
    done = [period for period in periods if period.closed_at is not None]
    due = [period for period in periods if period.closed_at is None and period.pk not in outcomes]
    close_windows(due, at=at)
    Period.objects.filter(pk__in=[period.pk for period in due]).update(closed_at=at)
    drafts = bill_periods([period for period in due if not period.is_free], at=at)
    outcomes |= {period.pk: Closed(period.pk) for period in due}
    outcomes |= describe_closed(done)
    outcomes |= {closed.period_id: closed for closed in (describe(draft.invoice) for draft in drafts)}
    return outcomes


def refuse(ids: Iterable[int], periods: Sequence[Period], *, at: datetime) -> Iterable[tuple[int, Exception]]:
    """What cannot be billed: what is not there, or is not over."""
    missing = set(ids) - {period.pk for period in periods}
    busy = set(Period.objects.filter(pk__in=missing).values_list("pk", flat=True)) if missing else set()
    for pk in missing:
        yield (
            pk,
            PeriodBusy(f"Somebody else holds period {pk}.")
            if pk in busy
            else UnknownPeriod(f"There is no period {pk}."),
        )
    for period in periods:
        if period.closed_at is None and at < period.ends_at:
            yield period.pk, PeriodNotOver(f"The period ends at {period.ends_at}; it cannot be closed at {at}.")


def bill_periods(periods: Sequence[Period], *, at: datetime) -> list[Draft]:
    """Issue the invoices of periods whose rows are locked, and whose usage is final. Raises NotComposed."""
    drafts = draft_composed(compose(read_facts(periods, is_locked=True)), is_final=True)
    issue_invoices(drafts, at=at)
    return drafts


def bill_again(period: Period, *, at: datetime) -> Invoice:
    """Issue another invoice for a closed period whose invoice is void. Raises why it cannot be composed."""
    try:
        [draft] = bill_periods([period], at=at)
    except NotComposed as error:
        raise error.reasons[period.pk] from None
    return draft.invoice


def draft_together(ids: Sequence[int], *, at: datetime) -> Outcomes[Drafted]:
    """In the caller's transaction. Raises NotComposed."""
    periods = lock_periods(ids)
    outcomes: Outcomes[Drafted] = {period.pk: Drafted(period.pk) for period in periods}
    outcomes |= dict(refuse(ids, periods, at=at))
    asked = [
        period
        for period in periods
        if period.closed_at is None and not period.is_free and not isinstance(outcomes[period.pk], Exception)
    ]
    for draft in draft_composed(compose(read_facts(asked))):
        if draft.invoice.period_id is not None:
            outcomes[draft.invoice.period_id] = Drafted(draft.invoice.period_id, draft.invoice.pk)
    return outcomes


def compose_together(ids: Sequence[int]) -> Outcomes[Composed]:
    """Raises NotComposed."""
    periods = load_periods(ids)
    outcomes: Outcomes[Composed] = {pk: UnknownPeriod(f"There is no period {pk}.") for pk in ids}
    outcomes |= {
        period.pk: Composed(period.pk, period.subscription.account_id, period.subscription_id) for period in periods
    }
    for facts, lines in compose(read_facts([period for period in periods if not period.is_free])):
        period, terms = facts.period, facts.terms
        outcomes[period.pk] = Composed(
            period.pk,
            period.subscription.account_id,
            period.subscription_id,
            terms.currency,
            terms.name,
            lines,
            add_up(lines),
        )
    return outcomes


def compose(facts: Iterable[PeriodFacts]) -> list[tuple[PeriodFacts, tuple[LineFact, ...]]]:
    """Raises NotComposed with all that cannot be."""
    composed: list[tuple[PeriodFacts, tuple[LineFact, ...]]] = []
    reasons: dict[int, Exception] = {}
    for each in facts:
        try:
            composed.append((each, compose_period(each)))
        except (ArithmeticError, LookupError, ValueError) as error:  # what rating raises; the rest is our fault
            reasons[each.period.pk] = error
    if reasons:
        raise NotComposed(reasons)
    return composed


def close_windows(periods: Sequence[Period], *, at: datetime) -> None:
    """Those of the periods' own meters: another subscription of the account may have others of the same time."""
    meters = list_meters_of({period.version_id for period in periods})
    limits.close_windows(
        [
            Window(period.subscription.account_id, meter_id, period.starts_at, period.ends_at)
            for period in periods
            for meter_id in sorted(meters[period.version_id])
        ],
        at=at,
    )


def describe_closed(periods: Sequence[Period]) -> Outcomes[Closed]:
    """Of periods that were closed before: the invoice, or the one that took its place; none of a free period."""
    found: Outcomes[Closed] = {period.pk: Closed(period.pk) for period in periods}
    if periods:
        issued = Invoice.objects.filter(period__in=periods, kind=InvoiceKind.PERIOD, number__isnull=False)
        found |= {closed.period_id: closed for closed in map(describe, issued.order_by("pk"))}
    return found


def describe(invoice: Invoice) -> Closed:
    return Closed(invoice.period_id or 0, invoice.pk, invoice.number, invoice.total_minor, invoice.currency)


def state_error(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
