"""What many subscriptions used in their past periods, a chunk of them at a time: rollups are read in bulk."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from billing.details import Details, read_details
from billing.holdings import Held, hold
from billing.models import Period
from billing.periods import find_period
from billing.plan_costs import UsedPeriod
from billing.plans import PlanTerms
from billing.proration import WHOLE, find_part_of
from billing.rating import PriceTerms
from metering import usage
from metering.usage import HistoryPruned, Reading


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """A period [start, end) of a subscription that is over, closed or not: what bills it, and what it had."""

    subscription_id: int
    account_id: int
    version_id: int
    start: datetime
    end: datetime
    held: Held
    anchor: datetime


def list_past_periods(subscription_ids: Collection[int], *, count: int, at: datetime) -> dict[int, list[PastPeriod]]:
    """subscription id → its last periods that ended by `at`, at most `count`, the earliest first. One query.

    Free ones, and those that a change of plan cut out of a period, tell nothing of prices and are passed over.
    """
    newest = Window(RowNumber(), partition_by=F("subscription_id"), order_by=F("starts_at").desc())
    rows = (
        Period.objects.filter(subscription__in=subscription_ids, ends_at__lte=at, is_free=False, is_prorated=False)
        .annotate(place=newest)
        .filter(place__lte=count)
        .order_by("subscription_id", "starts_at")
        .values_list(
            "subscription_id",
            "subscription__account_id",
            "version_id",
            "starts_at",
            "ends_at",
            "quantity",
            "add_ons",
            "subscription__anchor",
        )
    )
    periods: dict[int, list[PastPeriod]] = {each: [] for each in subscription_ids}
    for subscription_id, account_id, version_id, start, end, quantity, add_ons, anchor in rows:
        past = PastPeriod(subscription_id, account_id, version_id, start, end, hold(quantity, add_ons), anchor)
        periods[subscription_id].append(past)
    return periods


def find_part(period: PastPeriod, terms: PlanTerms, *, zone: str) -> Fraction:
    """What it is of a whole period of its version's: less where the first began, or a change ended it, within one.

    The whole where the subscription has begun another cycle since: where that one began is not told.
    """
    if period.anchor > period.start:
        return WHOLE
    whole_start, whole_end = find_period(period.start, terms.periods.cycle(period.anchor), zone)
    return find_part_of(
        period.start,
        min(period.end, whole_end),
        whole_start=whole_start,
        whole_end=whole_end,
        by=terms.periods.proration,
        time_zone=zone,
    )


def read_past_usage(
    periods: Collection[PastPeriod], prices: Collection[PriceTerms]
) -> dict[PastPeriod, UsedPeriod | None]:
    """What each period used, with all that any of the prices may look at; None where events it needs were pruned.

    Three statements for any number of periods on hours. Those of readings by dimension, of single transactions and
    within hours come on top: see read_details, for each window that periods have in common.
    """
    try:
        return dict(read_chunk(periods, prices))
    except HistoryPruned:
        return {period: read_alone(period, prices) for period in periods}


def read_alone(period: PastPeriod, prices: Collection[PriceTerms]) -> UsedPeriod | None:
    try:
        return dict(read_chunk([period], prices))[period]
    except HistoryPruned:
        return None


def read_chunk(
    periods: Collection[PastPeriod], prices: Collection[PriceTerms]
) -> Iterable[tuple[PastPeriod, UsedPeriod]]:
    meter_keys = {price.meter_key for price in prices if price.meter_key}
    readings = read_readings(periods, meter_keys)
    details: dict[PastPeriod, Details] = {}
    for (start, end), group in group_by_window(periods).items():
        found = read_details(prices, {period.account_id for period in group}, start=start, end=end)
        details |= {period: found[period.account_id] for period in group}
    for period in periods:
        yield period, UsedPeriod(period.start, period.end, readings[period], details[period], period.held)


def read_readings(periods: Iterable[PastPeriod], meter_keys: Collection[str]) -> dict[PastPeriod, list[Reading]]:
    """All periods of a subscription are read as one span, cut where they begin and end."""
    of_subscription: dict[int, list[PastPeriod]] = {}
    for period in periods:
        of_subscription.setdefault(period.subscription_id, []).append(period)
    bounds = {key: list_bounds(group) for key, group in of_subscription.items()}
    asked = {key: (group[0].account_id, bounds[key]) for key, group in of_subscription.items()}
    found = usage.read_totals_between(asked, meter_keys=meter_keys)
    return {
        period: found[key][bounds[key].index(period.start)]
        for key, group in of_subscription.items()
        for period in group
    }


def list_bounds(periods: Sequence[PastPeriod]) -> list[datetime]:
    """Ascending: periods of a subscription do not overlap, so that each lies between one bound and the next."""
    return sorted({bound for period in periods for bound in (period.start, period.end)})


def group_by_window(periods: Iterable[PastPeriod]) -> dict[tuple[datetime, datetime], list[PastPeriod]]:
    windows: dict[tuple[datetime, datetime], list[PastPeriod]] = {}
    for period in periods:
        windows.setdefault((period.start, period.end), []).append(period)
    return windows
