"""Invoices: closing a period issues exactly one, with a gap-free number and frozen lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby, islice

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet

from billing import plans, profiles
from billing.lines import LineFact, add_lines, describe_line, rate_period, write_detail
from billing.models import Invoice, InvoiceLine, InvoiceState, Period
from billing.money import EXACT
from billing.numbers import take_number
from billing.rating import write_steps
from billing.subscriptions import list_meters
from jobs import queue
from metering import adjustments, history, limits, usage

CLOSE_PERIOD = "billing.close_period"
BATCH = 500


class UnknownPeriod(LookupError):
    """There is no period with this id."""


class PeriodNotOver(ValueError):
    """A period can be closed once it has ended, not before."""


class UnknownInvoice(LookupError):
    """The account has no issued invoice with this number."""


@dataclass(frozen=True, slots=True)
class InvoiceFact:
    """An issued invoice for [period_start, period_end). Lists of invoices come without their lines."""

    id: int
    account_id: int
    number: str
    state: str
    currency: str
    total_minor: int
    period_start: datetime
    period_end: datetime
    customer_name: str
    plan_name: str
    time_zone: str
    issued_at: datetime
    lines: tuple[LineFact, ...] = ()


@dataclass(frozen=True, slots=True)
class LateDifference:
    """A metered line of an issued invoice whose period has since counted more, or less, than was billed."""

    account_id: int
    number: str
    position: int
    description: str
    unit: str
    billed: Decimal
    used: Decimal


@transaction.atomic
def close_period(period_id: int, *, at: datetime) -> InvoiceFact | None:
    """Make the period final and issue its invoice, all or nothing. A second call returns the same invoice.

    A free period has none: its usage is final all the same.

    Raises UnknownPeriod, and PeriodNotOver before the period's end.
    """
    period = lock_period(period_id)
    if period.closed_at is None:
        if at < period.ends_at:
            raise PeriodNotOver(f"The period ends at {period.ends_at}; it cannot be closed at {at}.")
        if period.is_free:
            close_windows(period, at=at)
        else:
            issue_invoice(draft_invoice(period, at=at), at=at)
        period.closed_at = at
        period.save(update_fields=["closed_at"])
    if period.is_free:
        return None
    return describe_invoice(load_invoices().filter(period_id=period_id).latest("pk"))


def enqueue_due_periods(at: datetime) -> int:
    """Promise a job for every open period that ended at least settings.BILLING_CLOSE_DELAY ago.

    The delay lets events in flight arrive. Returns how many jobs are new; a second call promises nothing more.
    """
    due = Period.objects.filter(closed_at__isnull=True, ends_at__lte=at - settings.BILLING_CLOSE_DELAY)
    ids = due.order_by("ends_at", "pk").values_list("pk", flat=True)
    return sum(queue.enqueue(CLOSE_PERIOD, str(period_id), at=at) for period_id in ids)


def list_invoices(*, account_id: int) -> list[InvoiceFact]:
    """The account's issued invoices without their lines, newest first."""
    issued = Invoice.objects.filter(account_id=account_id, number__isnull=False).order_by("-issued_at", "-pk")
    return [describe_invoice(invoice, with_lines=False) for invoice in issued]


def read_invoice(*, account_id: int, number: str) -> InvoiceFact:
    """One issued invoice of this account, with its lines. Raises UnknownInvoice, also for another account's number."""
    invoice = load_invoices().filter(account_id=account_id, number=number).first()
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {number}.")
    return describe_invoice(invoice)


def list_late_differences(*, account_id: int | None = None, number: str | None = None) -> Iterator[LateDifference]:
    """Lines whose quantity is no longer what the period counted, over all invoices that are not void, or only these.

    Usage that arrives after its period was closed moves no invoice; here it stays visible until it is billed.
    """
    invoices = load_invoices().exclude(state=InvoiceState.VOID).order_by("period_start", "period_end", "pk")
    if account_id is not None:
        invoices = invoices.filter(account_id=account_id)
    if number is not None:
        invoices = invoices.filter(number=number)
    facts = (describe_invoice(invoice) for invoice in invoices.iterator(chunk_size=BATCH))
    for (start, end), of_window in groupby(facts, key=lambda fact: (fact.period_start, fact.period_end)):
        while batch := list(islice(of_window, BATCH)):
            yield from compare_usage(batch, start=start, end=end)


def compare_usage(invoices: list[InvoiceFact], *, start: datetime, end: datetime) -> Iterator[LateDifference]:
    """The differences of invoices for one window, whose usage is read in one query.

    Where the window begins within an hour whose events were dropped, what it was adjusted by tells the difference.
    """
    if not history.is_readable(start, end):
        yield from compare_adjusted(invoices, start=start, end=end)
        return
    totals = usage.read_totals_of({invoice.account_id for invoice in invoices}, start=start, end=end)
    for invoice in invoices:
        used = {reading.meter_id: reading.quantity for reading in totals[invoice.account_id]}
        for line in invoice.lines:
            if line.meter_id is not None and used[line.meter_id] != line.quantity:
                yield LateDifference(
                    account_id=invoice.account_id,
                    number=invoice.number,
                    position=line.position,
                    description=line.description,
                    unit=line.unit,
                    billed=line.quantity,
                    used=used[line.meter_id],
                )


def compare_adjusted(invoices: list[InvoiceFact], *, start: datetime, end: datetime) -> Iterator[LateDifference]:
    for invoice in invoices:
        for line in invoice.lines:
            if line.meter_id is None:
                continue
            adjusted = adjustments.read_adjusted(
                account_id=invoice.account_id, meter_id=line.meter_id, start=start, end=end
            )
            if adjusted:
                yield LateDifference(
                    account_id=invoice.account_id,
                    number=invoice.number,
                    position=line.position,
                    description=line.description,
                    unit=line.unit,
                    billed=line.quantity,
                    used=EXACT.add(line.quantity, adjusted),
                )


def lock_period(period_id: int) -> Period:
    locked = Period.objects.select_for_update(of=("self",)).select_related("subscription", "version__plan")
    try:
        return locked.get(pk=period_id)
    except Period.DoesNotExist:
        raise UnknownPeriod(f"There is no period {period_id}.") from None


def close_windows(period: Period, *, at: datetime) -> None:
    """Those of the period's own meters: another subscription of the account may have others of the same time."""
    limits.close_window(
        account_id=period.subscription.account_id,
        start=period.starts_at,
        end=period.ends_at,
        at=at,
        meter_ids=list_meters([period.version_id]),
    )


def draft_invoice(period: Period, *, at: datetime) -> Invoice:
    """Price what was used in the period. Metering's window is closed first: what is counted after that is late."""
    subscription = period.subscription
    account_id, start, end = subscription.account_id, period.starts_at, period.ends_at
    close_windows(period, at=at)
    terms = plans.read_version(period.version_id)
    lines = rate_period(terms, account_id=account_id, start=start, end=end)
    profile = profiles.read_profile(account_id)
    invoice = Invoice.objects.create(
        account_id=account_id,
        subscription=subscription,
        period=period,
        currency=terms.currency,
        total_minor=add_lines(lines, terms.currency).minor,
        period_start=start,
        period_end=end,
        customer_name=profile.legal_name,
        plan_name=terms.name,
        time_zone=profile.time_zone,
    )
    InvoiceLine.objects.bulk_create(make_lines(invoice, lines))
    return invoice


def make_lines(invoice: Invoice, lines: tuple[LineFact, ...]) -> Iterator[InvoiceLine]:
    for line in lines:
        yield InvoiceLine(
            invoice=invoice,
            position=line.position,
            description=line.description,
            meter_id=line.meter_id,
            quantity=line.quantity,
            unit=line.unit,
            event_count=line.event_count,
            detail=write_detail(line),
            steps=write_steps(line.steps),
            amount_exact=line.amount_exact,
            amount_minor=line.amount_minor,
        )


def issue_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Give a draft its number; from here on the database refuses any change."""
    taken = take_number(at)
    invoice.state, invoice.issued_at = InvoiceState.ISSUED, at
    invoice.series_id, invoice.sequence, invoice.number = taken.series_id, taken.sequence, taken.number
    invoice.save(update_fields=["state", "issued_at", "series", "sequence", "number"])


def load_invoices() -> QuerySet[Invoice]:
    """Issued invoices with all that describe_invoice reads, in two queries."""
    lines = Prefetch("lines", InvoiceLine.objects.select_related("meter"))
    return Invoice.objects.filter(number__isnull=False).prefetch_related(lines)


def describe_invoice(invoice: Invoice, *, with_lines: bool = True) -> InvoiceFact:
    if invoice.number is None or invoice.issued_at is None:
        raise UnknownInvoice("A draft is not yet an invoice.")
    return InvoiceFact(
        id=invoice.pk,
        account_id=invoice.account_id,
        number=invoice.number,
        state=invoice.state,
        currency=invoice.currency,
        total_minor=invoice.total_minor,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        customer_name=invoice.customer_name,
        plan_name=invoice.plan_name,
        time_zone=invoice.time_zone,
        issued_at=invoice.issued_at,
        lines=tuple(describe_line(line) for line in invoice.lines.all()) if with_lines else (),
    )
