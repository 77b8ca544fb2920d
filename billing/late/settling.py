"""Late usage: what is counted, or taken back, after an invoice was issued becomes a difference on the next one.

What waits of one invoice is settled together. Each line that a change touches is priced again by its frozen version,
with all that the price looks at now, and the difference to the line and its earlier settlements is billed, credited or
waived: so all lines about one price and period add up to its price, less what was waived. A commitment follows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Max, Sum
from django.utils.translation import gettext, override

from billing import coupons, plans, profiles
from billing.commitments import true_up
from billing.details import read_details
from billing.items import ONE, add_item, withdraw_item
from billing.late.policy import LateAction, LineDiscount, settle_difference, take_discounts, tell_discounts
from billing.lines import LineFact, describe_line, rate_line, read_line_usage, write_detail
from billing.models import (
    LINE_OF_PRICE,
    LINES_OF_PLAN,
    CreditNoteLine,
    Invoice,
    InvoiceItem,
    InvoiceLine,
    InvoiceState,
    ItemKind,
    LateBatch,
    LateChange,
    LateSettlement,
    Period,
)
from billing.money import Money
from billing.plans import PlanTerms
from billing.promises import add_spend
from billing.shares import read_share
from metering import usage


@dataclass(frozen=True, slots=True)
class Settled:
    """What earlier settlements of a line come to: charged, of it given to discounts and set off against credit notes.

    `quantity` is what the last one priced; None before the first.
    """

    amount_minor: int = 0
    discount_minor: int = 0
    noted_minor: int = 0
    quantity: Decimal | None = None


@transaction.atomic
def settle_late(invoice_id: int, *, at: datetime) -> LateBatch | None:
    """Settle all that waits of an invoice, at once or not at all. None when nothing does, as in a second call.

    Raises metering's HistoryPruned, and MissingReading, where the events that a price looks at were dropped.
    """
    invoice = lock_billed(invoice_id)
    waiting = LateChange.objects.filter(invoice=invoice, batch=None)
    changes = list(waiting.values_list("pk", "meter_id"))  # first: what they changed is then in the usage that follows
    if not changes:
        return None
    batch = open_batch(invoice, at=at)
    if invoice.state != InvoiceState.VOID:
        settle_lines(batch, invoice, meter_ids={meter_id for _, meter_id in changes}, at=at)
    waiting.filter(pk__in=[pk for pk, _ in changes]).update(batch=batch)
    return batch


@transaction.atomic
def take_back(invoice: Invoice, *, at: datetime) -> None:
    """Undo what was settled of an invoice that becomes void; its period's row is locked. A second call does nothing.

    What its period comes to now is billed by the invoice that takes its place, if there is one.
    """
    waiting = LateChange.objects.filter(invoice=invoice, batch=None)
    settled = LateSettlement.objects.filter(batch__invoice=invoice)
    lines: list[InvoiceLine | None] = [*InvoiceLine.objects.filter(settlements__in=settled).distinct()]
    if settled.filter(invoice_line=None).exists():
        lines.append(None)
    if not lines and not waiting.exists():
        return
    batch = open_batch(invoice, at=at)
    for line in lines:
        before = read_settled(invoice, line)
        left = withdraw_waiting(invoice, line, at=at)
        if before.amount_minor or left:
            billed = line.amount_minor if line else 0
            write_settlement(
                LateSettlement(
                    batch=batch,
                    invoice_line=line,
                    description=line.description if line else name_commitment(invoice),
                    quantity_before=before.quantity or ONE,
                    quantity=line.quantity if line else ONE,
                    event_count=line.event_count if line else None,
                    detail=line.detail if line else {},
                    billed_minor=billed + before.amount_minor,
                    rerated_minor=billed,
                    difference_minor=-before.amount_minor,
                    action=LateAction.TAKE_BACK,
                    amount_minor=-before.amount_minor,
                    discount_minor=-before.discount_minor,
                ),
                asked=-left,
                at=at,
            )
    waiting.update(batch=batch)


def withdraw_waiting(invoice: Invoice, line: InvoiceLine | None, *, at: datetime) -> int:
    """Let no invoice bill what still waits of the line's settlements; what others have billed already is returned."""
    of_line = InvoiceItem.objects.filter(
        late_settlement__batch__invoice=invoice, late_settlement__invoice_line=line, withdrawn_at=None
    )
    billed = 0
    for item in of_line.select_for_update(of=("self",)).order_by("pk"):
        if item.invoice_line_id is None:
            withdraw_item(item.pk, at=at)
        else:
            billed += item.amount_minor
    return billed


def lock_billed(invoice_id: int) -> Invoice:
    """An invoice of a period, after the row of the period, in the order in which closing takes them."""
    invoice = Invoice.objects.get(pk=invoice_id)
    if invoice.period_id is not None:
        Period.objects.select_for_update().get(pk=invoice.period_id)
    locked = Invoice.objects.select_for_update(of=("self",)).select_related("period__subscription")
    return locked.get(pk=invoice_id)


def open_batch(invoice: Invoice, *, at: datetime) -> LateBatch:
    last = LateBatch.objects.filter(invoice=invoice).aggregate(last=Max("number"))["last"] or 0
    return LateBatch.objects.create(invoice=invoice, number=last + 1, made_at=at)


def settle_lines(batch: LateBatch, invoice: Invoice, *, meter_ids: Iterable[int], at: datetime) -> None:
    if invoice.period is None:
        return
    terms = plans.read_version(invoice.period.version_id)
    lines = list(invoice.lines.select_related("meter").order_by("position"))
    touched = [line for line in lines if line.kind == LINE_OF_PRICE and line.meter_id in set(meter_ids)]
    rated = rate_again(invoice, terms, touched)
    for line in touched:
        before = read_settled(invoice, line)
        fact = rated[line.position]
        found = settle_difference(
            Money(line.amount_minor + before.amount_minor, invoice.currency),
            Money(fact.amount_minor, invoice.currency),
            plans.find_late_policy(terms),
        )
        discounts = read_discounts(invoice, line, lines)
        billed, amount = line.amount_minor + before.amount_minor, found.amount.minor
        asked = take_discounts(billed + amount, discounts) - take_discounts(billed, discounts)
        write_settlement(
            LateSettlement(
                batch=batch,
                invoice_line=line,
                description=line.description,
                quantity_before=line.quantity if before.quantity is None else before.quantity,
                quantity=fact.quantity,
                event_count=fact.event_count,
                detail=write_detail(fact),
                billed_minor=billed,
                rerated_minor=fact.amount_minor,
                difference_minor=found.difference.minor,
                action=found.action.value,
                amount_minor=amount,
                discount_minor=amount - asked,
                noted_minor=set_off(line, before, asked),
            ),
            at=at,
        )
    settle_commitment(batch, invoice, terms, lines, at=at)


def rate_again(invoice: Invoice, terms: PlanTerms, lines: Iterable[InvoiceLine]) -> dict[int, LineFact]:
    """position → the line as its price makes it of what is counted now, with all that the price looks at."""
    account_id, start, end = invoice.account_id, invoice.period_start, invoice.period_end
    asked = [(line, terms.prices[line.position - 1]) for line in lines]
    readings = {each.meter_id: each for each in usage.read_totals(account_id=account_id, start=start, end=end)}
    details = read_details([price for _, price in asked], [account_id], start=start, end=end)[account_id]
    return {
        line.position: rate_line(
            line.position,
            price,
            readings[line.meter_id or 0],
            details,
            terms.currency,
            seats=ONE,
            part=read_line_usage(line).part,
        )
        for line, price in asked
    }


def settle_commitment(
    batch: LateBatch, invoice: Invoice, terms: PlanTerms, lines: list[InvoiceLine], *, at: datetime
) -> None:
    """What the prices come to now, with all settlements, may leave more or less of what was promised to be asked."""
    if not terms.commitment_minor or invoice.period is None:
        return
    line = next((each for each in lines if each.kind == ItemKind.TRUE_UP), None)
    late = LateSettlement.objects.filter(batch__invoice=invoice, invoice_line__kind=LINE_OF_PRICE)
    since = late.aggregate(sum=Sum(F("amount_minor") - F("discount_minor")))["sum"] or 0
    spent = add_spend(invoice.period, map(describe_line, lines)) + since
    zone = profiles.read_profile(invoice.account_id).time_zone
    part = read_share(invoice.period, terms, zone=zone)
    missing = true_up(terms.commitment_minor, spent, part=part).missing_minor
    before = read_settled(invoice, line)
    billed = (line.amount_minor if line else 0) + before.amount_minor
    if missing == billed:
        return
    asked = missing - billed
    write_settlement(
        LateSettlement(
            batch=batch,
            invoice_line=line,
            description=line.description if line else name_commitment(invoice),
            quantity_before=ONE,
            quantity=ONE,
            billed_minor=billed,
            rerated_minor=missing,
            difference_minor=asked,
            action=LateAction.BILL if asked > 0 else LateAction.CREDIT,
            amount_minor=asked,
            noted_minor=set_off(line, before, asked) if line else 0,
        ),
        at=at,
    )


def read_settled(invoice: Invoice, line: InvoiceLine | None) -> Settled:
    """Of a line, or of the commitment where the invoice has no line of it."""
    rows = list(LateSettlement.objects.filter(batch__invoice=invoice, invoice_line=line).order_by("batch__number"))
    return Settled(
        amount_minor=sum(row.amount_minor for row in rows),
        discount_minor=sum(row.discount_minor for row in rows),
        noted_minor=sum(row.noted_minor for row in rows),
        quantity=rows[-1].quantity if rows else None,
    )


def read_discounts(invoice: Invoice, line: InvoiceLine, lines: list[InvoiceLine]) -> tuple[LineDiscount, ...]:
    """Each discount that the line had when it was billed; where they cannot be told apart, all as one amount."""
    given = coupons.read_discounts(
        account_id=invoice.account_id, subscription_id=invoice.subscription_id, at=invoice.period_start
    )
    amounts = [max(each.amount_minor, 0) if each.kind in LINES_OF_PLAN else 0 for each in lines]
    told = tell_discounts(amounts, lines.index(line), [each.terms for each in given])
    if sum(each.taken_minor for each in told) == line.discount_minor:
        return told
    return (LineDiscount(max(line.amount_minor, 0), line.discount_minor),)


def set_off(line: InvoiceLine, before: Settled, asked_minor: int) -> int:
    """How much of a credit a credit note on the line has given back already: what is given back once is not again."""
    if asked_minor >= 0:
        return 0
    noted = sum(measure_note(each) for each in CreditNoteLine.objects.filter(invoice_line=line))
    return max(0, min(-asked_minor, noted - before.noted_minor))


def measure_note(noted: CreditNoteLine) -> int:
    """What a credit note took off a line as the line states its amount: with the taxes that the amount holds."""
    held = [int(tax["minor"]) for tax in noted.taxes if tax["is_inclusive"]]
    return noted.subtotal_minor + sum(held)


def write_settlement(settlement: LateSettlement, *, at: datetime, asked: int | None = None) -> None:
    """Store it, with an item over what it asks or gives back, if anything; `asked` says where that is not its sum."""
    invoice = settlement.batch.invoice
    if asked is None:
        asked = settlement.amount_minor - settlement.discount_minor + settlement.noted_minor
    if asked:
        position = settlement.invoice_line.position if settlement.invoice_line else 0
        item = add_item(
            account_id=invoice.account_id,
            subscription_id=invoice.subscription_id,
            currency=invoice.currency,
            kind=ItemKind.LATE,
            description=name_item(settlement, invoice),
            unit_amount=Money(asked, invoice.currency).amount,
            key=f"late {invoice.pk}, {settlement.batch.number}, line {position}",
            period_start=invoice.period_start,
            period_end=invoice.period_end,
            at=at,
        )
        settlement.item_id = item.id
    settlement.save(force_insert=True)


def name_item(settlement: LateSettlement, invoice: Invoice) -> str:
    """In the language of the account's documents."""
    words = {"description": settlement.description, "number": invoice.number}
    with override(profiles.read_profile(invoice.account_id).language):
        if settlement.action == LateAction.TAKE_BACK:
            text = gettext("%(description)s: taken back, as invoice %(number)s is void")
        else:
            text = gettext("%(description)s: counted after invoice %(number)s")
        return (text % words)[:200]


def name_commitment(invoice: Invoice) -> str:
    with override(profiles.read_profile(invoice.account_id).language):
        return gettext("Commitment")
