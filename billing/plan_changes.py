"""What a customer would pay on each plan on offer, for the period under way and for real ones before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing import plans
from billing.past_usage import PastPeriod, find_part, list_past_periods, read_past_usage
from billing.plan_costs import UsedPeriod, find_total, read_open_usage
from billing.plans import PlanTerms
from billing.previews import NotSubscribed
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
    used = read_open_usage(subscription, offers)
    past_periods = list_past_periods([subscription.id], count=periods, at=at)[subscription.id]
    past = read_past(past_periods, offers, zone=subscription.time_zone)
    return [cost_plan(offer, current, used, past, at=at) for offer in sorted(offers, key=lambda offer: offer.rank)]


def read_past(
    periods: Sequence[PastPeriod], offers: Sequence[PlanTerms], *, zone: str
) -> list[tuple[datetime, datetime, UsedPeriod | None]]:
    found = read_past_usage(periods, {price for offer in offers for price in offer.prices})
    versions = plans.read_versions({period.version_id for period in periods})
    return [
        (
            period.start,
            period.end,
            used and replace(used, part=find_part(period, versions[period.version_id], zone=zone)),
        )
        for period in periods
        for used in [found[period]]
    ]


def cost_plan(
    terms: PlanTerms,
    current: PlanTerms,
    used: UsedPeriod,
    past: Sequence[tuple[datetime, datetime, UsedPeriod | None]],
    *,
    at: datetime,
) -> PlanCost:
    return PlanCost(
        terms=terms,
        is_current=terms.version_id == current.version_id,
        is_comparable=terms.periods.interval is current.periods.interval,
        so_far=PeriodCost(used.start, used.end, find_total(terms, used)),
        at_close=PeriodCost(used.start, used.end, find_total(terms, used.project(at))),
        past=tuple(PeriodCost(start, end, find_total(terms, each)) for start, end, each in past),
    )
