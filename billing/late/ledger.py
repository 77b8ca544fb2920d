"""What was counted after an invoice, and what was done about it: for whoever got the invoice, and who wrote it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from billing.late.policy import LateAction
from billing.models import Invoice, LateChange, LateSettlement


@dataclass(frozen=True, slots=True)
class LateFact:
    """One settlement of a line of an invoice, or of its commitment.

    `asked_minor` is what goes on a later invoice for it, discounts taken off and before taxes; below zero it gives
    back. `waived_minor` was let go instead. `number` is that of the invoice that billed it, None while it waits.
    """

    description: str
    unit: str
    quantity_before: Decimal
    quantity: Decimal
    action: LateAction
    currency: str
    asked_minor: int
    waived_minor: int
    settled_at: datetime
    number: str | None
    is_withdrawn: bool
    is_commitment: bool


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """By how much a meter's usage changed since; it is settled soon."""

    meter_name: str
    unit: str
    quantity: Decimal
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class LateUsageOf:
    """All of one invoice, in the order in which it happened."""

    settled: tuple[LateFact, ...]
    waiting: tuple[WaitingChange, ...]


def read_late_usage(*, account_id: int, number: str) -> LateUsageOf:
    """What was counted after the account's invoice of this number was issued; nothing for one that it has not."""
    invoice = Invoice.objects.filter(account_id=account_id, number=number).first()
    if invoice is None:
        return LateUsageOf((), ())
    waiting = LateChange.objects.filter(invoice=invoice, batch=None).select_related("meter").order_by("adjustment_id")
    return LateUsageOf(
        settled=tuple(map(describe_settlement, load_settlements().filter(batch__invoice=invoice))),
        waiting=tuple(
            WaitingChange(each.meter.name, each.meter.unit, each.quantity, each.counted_at) for each in waiting
        ),
    )


def load_settlements() -> QuerySet[LateSettlement]:
    """With all that describe_settlement reads, in one query."""
    return LateSettlement.objects.select_related(
        "batch__invoice", "invoice_line__meter", "item__invoice_line__invoice"
    ).order_by("batch__number", "pk")


def describe_settlement(row: LateSettlement) -> LateFact:
    line, item = row.invoice_line, row.item
    billed_on = item.invoice_line.invoice if item is not None and item.invoice_line is not None else None
    return LateFact(
        description=row.description,
        unit=line.unit if line is not None else "",
        quantity_before=row.quantity_before,
        quantity=row.quantity,
        action=LateAction(row.action),
        currency=row.batch.invoice.currency,
        asked_minor=item.amount_minor if item is not None else 0,
        waived_minor=row.difference_minor if row.action == LateAction.WAIVE else 0,
        settled_at=row.batch.made_at,
        number=billed_on.number if billed_on is not None else None,
        is_withdrawn=item is not None and item.withdrawn_at is not None,
        is_commitment=line is None or line.meter_id is None,
    )
