"""What must be true of what was billed ahead at any moment; part of `billing.invariants`."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Sum

from billing.ahead.invoices import name_credits
from billing.models import (
    Invoice,
    InvoiceItem,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    ItemKind,
    Period,
    ThresholdPassed,
)
from billing.plans import PlanTerms, read_version
from billing.rating import Usage, rate_increment
from billing.rating.definitions import read_usage
from jobs.invariants import Violation


def check_ahead() -> Iterator[Violation]:
    yield from check_passed()
    yield from check_credits_ahead()


def check_passed() -> Iterator[Violation]:
    """Each invoice ahead bills its prices from where the one before it left off; each has its threshold."""
    for lone in Invoice.objects.filter(kind=InvoiceKind.THRESHOLD, threshold_passed=None).order_by("pk"):
        yield Violation("usage is billed ahead for a threshold", f"invoice {lone}", "it has none")
    rows = ThresholdPassed.objects.filter(invoice__isnull=False).select_related("invoice", "period")
    billed: dict[int, dict[str, Any]] = {}
    versions: dict[int, PlanTerms] = {}
    for row in rows.order_by("period_id", "pk").iterator(chunk_size=500):
        invoice = row.invoice
        if invoice is None:
            continue
        terms = find_version(row.period, versions)
        before = billed.get(row.period_id, {})
        expected = list_increments(terms, before, row.usages)
        lines = InvoiceLine.objects.filter(invoice=invoice).order_by("position")
        found = [(line.description, line.amount_exact) for line in lines]
        # A void one was billed from where the last that stood then left off, and tells no more of where that was.
        if invoice.state != InvoiceState.VOID and not is_after_void(row) and found != expected:
            detail = f"the prices make {expected} of what was used since, it says {found}"
            yield Violation("usage is billed ahead once", f"invoice {invoice}", detail)
        if invoice.state != InvoiceState.VOID:
            billed[row.period_id] = row.usages


def is_after_void(row: ThresholdPassed) -> bool:
    """Whether an invoice of the period that stood when this one was written may be void by now."""
    earlier = ThresholdPassed.objects.filter(period=row.period_id, pk__lt=row.pk)
    return earlier.filter(invoice__state=InvoiceState.VOID).exists()


def find_version(period: Period, versions: dict[int, PlanTerms]) -> PlanTerms:
    if period.version_id not in versions:
        versions[period.version_id] = read_version(period.version_id)
    return versions[period.version_id]


def list_increments(terms: PlanTerms, before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for position, usage in sorted(after.items(), key=lambda item: int(item[0])):
        price = terms.prices[int(position) - 1]
        billed: Usage | None = read_usage(before[position]) if position in before else None
        rated = rate_increment(price, billed=billed, total=read_usage(usage), is_last=False)
        if rated.quantity or rated.round(terms.currency).minor:
            found.append((price.description, rated.amount_exact))
    return found


def check_credits_ahead() -> Iterator[Violation]:
    """What was billed ahead is credited whole by items, and of a void invoice nothing is."""
    ahead = Invoice.objects.filter(kind=InvoiceKind.THRESHOLD).order_by("pk")
    for invoice in ahead.annotate(amount=Sum("lines__amount_minor"), off=Sum("lines__discount_minor")):
        items = InvoiceItem.objects.filter(
            account_id=invoice.account_id,
            kind=ItemKind.PREBILLED,
            key__startswith=name_credits(invoice),
            withdrawn_at=None,
        )
        credited = -(items.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
        asked = 0 if invoice.state == InvoiceState.VOID else invoice.amount - invoice.off
        if credited != asked:
            detail = f"{asked} was billed, {credited} is credited"
            yield Violation("what is billed ahead is credited by its period", f"invoice {invoice}", detail)
