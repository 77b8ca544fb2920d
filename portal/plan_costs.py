"""What each plan on offer would cost one customer, in words and side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing.plan_changes import PeriodCost, PlanCost, compare_plans
from billing.plans import PlanTerms
from billing.previews import NotSubscribed
from billing.wording import display_money, explain_price
from metering.meters import MeterRef, list_meters
from metering.quantities import format_exact


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan: what it asks, in words, and what it comes to. `versus` says how its projection compares to today's."""

    slug: str
    name: str
    currency: str
    is_current: bool
    is_comparable: bool
    is_cheapest: bool
    so_far: PeriodCost
    at_close: PeriodCost
    past: tuple[PeriodCost, ...]
    versus: str
    terms: tuple[tuple[str, tuple[str, ...]], ...]


def read_plan_rows(*, account_id: int, at: datetime) -> list[PlanRow]:
    """Smallest rank first; nothing without a subscription."""
    try:
        costs = compare_plans(account_id=account_id, at=at)
    except NotSubscribed:
        return []
    current = next(cost for cost in costs if cost.is_current)
    told = [cost.at_close.total_minor for cost in costs if cost.is_comparable]
    least = min((minor for minor in told if minor is not None), default=None)
    meters = {meter.key: meter for meter in list_meters()}
    return [
        PlanRow(
            slug=cost.terms.slug,
            name=cost.terms.name,
            currency=cost.terms.currency,
            is_current=cost.is_current,
            is_comparable=cost.is_comparable,
            is_cheapest=len(costs) > 1 and cost.is_comparable and cost.at_close.total_minor == least is not None,
            so_far=cost.so_far,
            at_close=cost.at_close,
            past=cost.past,
            versus=tell_difference(cost, current),
            terms=tuple(list_terms(cost.terms, meters)),
        )
        for cost in costs
    ]


def tell_difference(cost: PlanCost, current: PlanCost) -> str:
    """Against the plan that the customer has; nothing where either cannot be told."""
    mine, theirs = current.at_close.total_minor, cost.at_close.total_minor
    if cost.is_current or not cost.is_comparable or mine is None or theirs is None:
        return ""
    if theirs == mine:
        return _("as much as today")
    amount = display_money(abs(theirs - mine), cost.terms.currency)
    text = _("%(amount)s less than today") if theirs < mine else _("%(amount)s more than today")
    return text % {"amount": amount}


def list_terms(terms: PlanTerms, meters: dict[str, MeterRef]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for price in terms.prices:
        unit = meters[price.meter_key].unit if price.meter_key else ""
        yield price.description, tuple(explain_price(price, unit, terms.currency))
    for limit in terms.limits:
        meter = meters[limit.meter_key]
        text = _("%(amount)s a period, then refused") if limit.is_hard else _("%(amount)s a period")
        title = _("Limit on %(meter)s") % {"meter": meter.name}
        yield title, (text % {"amount": format_exact(limit.quantity, meter.unit)},)
    if terms.commitment_minor:
        amount = display_money(terms.commitment_minor, terms.currency)
        yield _("Commitment"), (_("at least %(amount)s per period") % {"amount": amount},)
