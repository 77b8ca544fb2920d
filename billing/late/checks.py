"""What must be true of late usage at any moment; part of `billing.invariants`."""

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import F, Max, Q, Sum

from billing.items import ONE
from billing.late.changes import find_start
from billing.late.policy import LateAction
from billing.models import LINE_OF_PRICE, InvoiceState, LateChange, LateSettlement
from billing.money import round_money
from billing.plans import PlanTerms, read_version
from billing.rating import rate
from billing.rating.definitions import read_usage
from jobs.invariants import Violation
from metering import adjustments


def check_late() -> Iterator[Violation]:
    yield from check_settlements()
    yield from check_late_items()
    yield from check_changes()


def check_settlements() -> Iterator[Violation]:
    """A line and its settlements add up to what its price makes of the usage, less what was waived."""
    settlements = LateSettlement.objects.select_related(
        "batch__invoice__period", "invoice_line__meter"
    ).order_by("batch__invoice_id", "invoice_line_id", "batch__number")  # fmt: skip
    versions: dict[int, PlanTerms] = {}
    chain: tuple[int, int | None] | None = None
    billed = 0
    for each in settlements.iterator(chunk_size=500):
        subject = f"line {each.description!r} of invoice {each.batch.invoice}, settling {each.batch.number}"
        if chain != (each.batch.invoice_id, each.invoice_line_id):
            chain = (each.batch.invoice_id, each.invoice_line_id)
            billed = each.invoice_line.amount_minor if each.invoice_line else 0
        if each.billed_minor != billed:
            detail = f"{billed} was billed before, it says {each.billed_minor}"
            yield Violation("late usage is the difference to what was billed", subject, detail)
        billed += each.amount_minor
        priced = price_settlement(each, versions)
        if priced is not None and priced != each.rerated_minor:
            detail = f"the price makes {priced} of {each.quantity}, it says {each.rerated_minor}"
            yield Violation("late usage is priced by the frozen version", subject, detail)


def price_settlement(settlement: LateSettlement, versions: dict[int, PlanTerms]) -> int | None:
    """What its price makes of the usage that it kept; None where it is of no price, or takes back what others did."""
    line, period = settlement.invoice_line, settlement.batch.invoice.period
    if line is None or period is None or line.kind != LINE_OF_PRICE or settlement.action == LateAction.TAKE_BACK:
        return None
    if period.version_id not in versions:
        versions[period.version_id] = read_version(period.version_id)
    terms = versions[period.version_id]
    stated = {"quantity": f"{settlement.quantity:f}", "event_count": settlement.event_count}
    used = read_usage({**settlement.detail, **stated})
    return round_money(rate(terms.prices[line.position - 1], used).amount_exact, terms.currency).minor


def check_late_items() -> Iterator[Violation]:
    """What is asked or given back of a difference is its item; of a void invoice nothing is left."""
    asked = F("amount_minor") - F("discount_minor") + F("noted_minor")
    odd = LateSettlement.objects.annotate(asked=asked).exclude(
        Q(action=LateAction.TAKE_BACK)
        | Q(item=None, asked=0)
        | Q(item__amount_minor=F("asked"), item__quantity=ONE, item__kind="late")
    )
    for each in odd.select_related("item").order_by("pk"):
        detail = f"{each.asked} is asked, the item is {each.item and each.item.amount_minor}"
        yield Violation("late usage is billed by its item", f"late settlement {each.pk}", detail)
    void = LateSettlement.objects.filter(batch__invoice__state=InvoiceState.VOID, item__withdrawn_at=None).order_by()
    left = void.values("batch__invoice_id", "batch__invoice__number").annotate(left=Sum("item__amount_minor"))
    for row in left.exclude(left=0):
        subject = f"invoice {row['batch__invoice__number']}"
        yield Violation("of a void invoice no late usage is billed", subject, f"{row['left']} is")


def check_changes() -> Iterator[Violation]:
    """What was found is what metering says, and nothing was passed over."""
    newest = LateChange.objects.aggregate(at=Max("found_at"))["at"]
    start, after = find_start(newest) if newest else 0, 0
    while facts := adjustments.list_adjustments(after=after):
        after = facts[-1].id
        known = dict(
            LateChange.objects.filter(adjustment_id__in=[fact.id for fact in facts]).values_list(
                "adjustment_id", "quantity"
            )
        )
        for fact in facts:
            found: Decimal | None = known.get(fact.id)
            is_new = found is None and fact.id > start
            if not is_new and found != fact.quantity:
                detail = f"metering says {fact.quantity}, billing {found}"
                yield Violation("every late change is on record", f"adjustment {fact.id}", detail)
