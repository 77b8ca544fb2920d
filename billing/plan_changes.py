"""What a customer would pay on each plan on offer, for the period under way and for real ones before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing import plans
from billing.past_usage import list_past_periods, read_past_usage
from billing.plans import PlanTerms
from billing.previews import TOO_MUCH, NotSubscribed, UsedPeriod, preview_projected, preview_usage, read_used
from billing.subscriptions import read_subscription


@dataclass(frozen=True, slots=True)
class PeriodCost:
    """[start, end) on one plan, in its currency's smallest unit; None where it cannot be told.

    That is where it is more than an invoice can hold, and where events that the prices look at were dropped.
    """

    start: datetime
    end: datetime
    total_minor: int | None


@dataclass(frozen=True, slots=True)
class PlanCost:
    """One plan: the period under way as it stands and at its end by the run rate, and past periods, earliest first.

    `is_comparable` is false where the plan's periods are longer or shorter than the account's: its fees are for others.
    """

    terms: PlanTerms
    is_current: bool
    is_comparable: bool
    so_far: PeriodCost
    at_close: PeriodCost
    past: tuple[PeriodCost, ...]


def compare_plans(*, account_id: int, at: datetime, periods: int = 3) -> list[PlanCost]:
    """The account's own version, and of every other plan the one on offer in its currency, smallest rank first.

    Usage is read once for all of them. Raises NotSubscribed.
    """
    subscription = read_subscription(account_id=account_id, at=at)
    if subscription is None:
        raise NotSubscribed(f"Account {account_id} has no subscription at {at}.")
    current = plans.read_version(subscription.version_id)
    offers = [
        current,
        *(offer for offer in plans.list_plans(currency=current.currency, at=at) if offer.slug != current.slug),
    ]
    start, end = subscription.period_start, subscription.period_end
    used = read_used(offers, account_id=account_id, start=start, end=end, held=subscription.held)
    past_periods = list_past_periods([subscription.id], count=periods, at=at)[subscription.id]
    prices = {price for offer in offers for price in offer.prices}
    found = read_past_usage(past_periods, prices)
    past = [(period.start, period.end, found[period]) for period in past_periods]
    return [cost_plan(offer, current, used, past, at=at) for offer in sorted(offers, key=lambda offer: offer.rank)]


def cost_plan(
    terms: PlanTerms,
    current: PlanTerms,
    used: UsedPeriod,
    past: Sequence[tuple[datetime, datetime, UsedPeriod | None]],
    *,
    at: datetime,
) -> PlanCost:
    projected = preview_projected(terms, used, at=at)
    return PlanCost(
        terms=terms,
        is_current=terms.version_id == current.version_id,
        is_comparable=terms.periods.interval is current.periods.interval,
        so_far=PeriodCost(used.start, used.end, find_total(terms, used)),
        at_close=PeriodCost(used.start, used.end, projected.total_minor if projected else None),
        past=tuple(PeriodCost(start, end, find_total(terms, each)) for start, end, each in past),
    )


def find_total(terms: PlanTerms, used: UsedPeriod | None) -> int | None:
    try:
        return preview_usage(terms, used).total_minor if used else None
    except TOO_MUCH:
        return None
