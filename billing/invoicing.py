"""Invoices: closing a period issues exactly one, with a gap-free number and frozen lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby, islice

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from billing import grace
from billing.closing import PeriodNotOver as PeriodNotOver
from billing.closing import UnknownPeriod as UnknownPeriod
from billing.closing import close_one, draft_one
from billing.lines import LineFact, describe_line
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState
from billing.money import EXACT
from jobs import queue
from metering import adjustments, history, usage

DRAFT_PERIOD = "billing.draft_period"
BATCH = 500


class UnknownInvoice(LookupError):
    """The account has no issued invoice with this number."""


@dataclass(frozen=True, slots=True)
class InvoiceFact:
    """An issued invoice for [period_start, period_end). Lists of invoices come without their lines.

    Amounts are in the currency's smallest unit: net of tax and discounts, tax, both together, what credit paid of it
    (below zero: what it gave as credit), and what remained to be paid when it was issued.
    """

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
    kind: str = InvoiceKind.PERIOD.value
    subtotal_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    credited_minor: int = 0
    due_minor: int = 0

    @property
    def given_minor(self) -> int:
        """What an invoice below zero gave as credit."""
        return max(0, -self.credited_minor)


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
    closed = close_one(period_id, at=at)
    return None if closed.invoice_id is None else describe_invoice(load_invoices().get(pk=closed.invoice_id))


def draft_ended_period(period_id: int, *, at: datetime) -> int | None:
    """Draft the invoice of a period that is over, or draft it anew; its id. None when it is closed already, or free.

    Until the period is closed usage goes on counting for it, and closing it drafts the invoice once more. Raises
    UnknownPeriod, and PeriodNotOver before the period's end.
    """
    return draft_one(period_id, at=at).invoice_id


def enqueue_drafts(at: datetime) -> int:
    """Promise a draft for every period that ended, and whose grace is not over. Returns how many are new."""
    ids = grace.select_in_grace(at).filter(is_free=False).order_by("ends_at", "pk").values_list("pk", flat=True)
    return sum(queue.enqueue(DRAFT_PERIOD, str(period_id), at=at) for period_id in ids)


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
    invoices = (
        load_invoices()
        .filter(kind=InvoiceKind.PERIOD)
        .exclude(state=InvoiceState.VOID)
        .order_by("period_start", "period_end", "pk")
    )
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
        kind=str(invoice.kind),
        subtotal_minor=invoice.subtotal_minor,
        discount_minor=invoice.discount_minor,
        tax_minor=invoice.tax_minor,
        credited_minor=invoice.credited_minor,
        due_minor=invoice.due_minor,
    )
