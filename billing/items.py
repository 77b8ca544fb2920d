"""What is to be billed outside of a plan's prices: written once by its cause, taken up by the next invoice."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext

from billing.alerting.moves import note_moves
from billing.models import WAITS, Invoice, InvoiceItem, ItemKind
from billing.money import EXACT, round_money

ONE = Decimal(1)

TAKE_ITEMS = """
    UPDATE billing_invoiceitem SET invoice_line_id = line.id
    FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS place (item_id, invoice_id, position)
    JOIN billing_invoiceline line ON line.invoice_id = place.invoice_id AND line.position = place.position
    WHERE billing_invoiceitem.id = place.item_id
"""


@dataclass(frozen=True, slots=True)
class ItemFact:
    """One amount that waits for an invoice, or that one has billed; below zero it gives back."""

    id: int
    account_id: int
    subscription_id: int | None
    currency: str
    kind: str
    description: str
    quantity: Decimal
    unit_amount: Decimal
    amount_exact: Decimal
    amount_minor: int
    period_start: datetime | None
    period_end: datetime | None
    key: str
    is_billed: bool


def add_item(
    *,
    account_id: int,
    currency: str,
    kind: str,
    description: str,
    unit_amount: Decimal,
    key: str,
    at: datetime,
    quantity: Decimal = ONE,
    subscription_id: int | None = None,
    period_start: datetime | None = None,
    period_end: datetime | None = None,
    by: int | None = None,
) -> ItemFact:
    """Write down what is to be billed, in the caller's transaction. A second call with its key returns the first's.

    The amount is `quantity` × `unit_amount` in whole units of the currency, rounded once; a part of a period is rounded
    before it comes here, so its `unit_amount` is the money itself. `kind` is an ItemKind. `key` names the cause within
    the account. With a subscription it goes on that one's next invoice, else on a one-off invoice.
    """
    with localcontext(EXACT):
        amount_exact = quantity * unit_amount
    item, is_new = InvoiceItem.objects.get_or_create(
        account_id=account_id,
        key=key,
        defaults={
            "subscription_id": subscription_id,
            "currency": currency,
            "kind": kind,
            "description": description,
            "quantity": quantity,
            "unit_amount": unit_amount,
            "amount_exact": amount_exact,
            "amount_minor": round_money(amount_exact, currency).minor,
            "period_start": period_start,
            "period_end": period_end,
            "made_at": at,
            "made_by_id": by,
        },
    )
    if is_new and kind == ItemKind.PRORATION:
        note_moves([account_id], at=at)
    return describe_item(item)


def list_waiting(
    *,
    account_id: int,
    currency: str,
    subscription_id: int | None = None,
    before: datetime | None = None,
    is_locked: bool = False,
) -> list[ItemFact]:
    """What no invoice has billed yet, oldest first: of the subscription, or of none when that is None.

    `before`, when given, leaves out what is for a time that begins then or later: a later invoice bills that.
    Locked, they stay so until the caller's transaction ends: no other invoice takes them meanwhile.
    """
    owner = Q(subscription=None) if subscription_id is None else Q(subscription_id=subscription_id)
    waiting = InvoiceItem.objects.filter(owner, WAITS, account_id=account_id, currency=currency).order_by("pk")
    if before is not None:
        waiting = waiting.exclude(period_start__gte=before)
    if is_locked:
        waiting = waiting.select_for_update(of=("self",), no_key=True)
    return [describe_item(item) for item in waiting]


class NotWaiting(ValueError):
    """The item is on an invoice, or on a draft, already."""


@transaction.atomic
def withdraw_item(item_id: int, *, at: datetime, by: int | None = None) -> None:
    """Let no invoice bill it. A second call changes nothing. Raises NotWaiting."""
    item = InvoiceItem.objects.select_for_update(of=("self",)).get(pk=item_id)
    if item.withdrawn_at is not None:
        return
    if item.invoice_line_id is not None:
        text = gettext("%(item)s is on an invoice already; correct it by another item, or by a credit note.")
        raise NotWaiting(text % {"item": item})
    item.withdrawn_at, item.withdrawn_by_id = at, by
    item.save(update_fields=["withdrawn_at", "withdrawn_by"])


def list_waiting_of(subscription_ids: Iterable[int], *, is_locked: bool = False) -> dict[int, list[ItemFact]]:
    """subscription id → what waits for its next invoice, for many at once in one query; none that has nothing."""
    waiting = InvoiceItem.objects.filter(WAITS, subscription_id__in=subscription_ids).order_by("pk")
    if is_locked:
        waiting = waiting.select_for_update(of=("self",), no_key=True)
    found: dict[int, list[ItemFact]] = {}
    for item in waiting:
        if item.subscription_id is not None:
            found.setdefault(item.subscription_id, []).append(describe_item(item))
    return found


def take_items(places: Iterable[tuple[int, int, int]]) -> None:
    """Say which lines bill items that the caller has locked: (item id, invoice id, position of the line)."""
    if columns := list(zip(*places, strict=True)):
        with connection.cursor() as cursor:
            cursor.execute(TAKE_ITEMS, [list(column) for column in columns])


def release_items(invoice: Invoice) -> int:
    """Let the items of a void invoice be billed again, by another. Returns how many there were."""
    return InvoiceItem.objects.filter(Q(invoice_line__invoice=invoice)).update(invoice_line=None)


def describe_item(item: InvoiceItem) -> ItemFact:
    return ItemFact(
        id=item.pk,
        account_id=item.account_id,
        subscription_id=item.subscription_id,
        currency=item.currency,
        kind=str(item.kind),
        description=item.description,
        quantity=item.quantity,
        unit_amount=item.unit_amount,
        amount_exact=item.amount_exact,
        amount_minor=item.amount_minor,
        period_start=item.period_start,
        period_end=item.period_end,
        key=item.key,
        is_billed=item.invoice_line_id is not None,
    )
