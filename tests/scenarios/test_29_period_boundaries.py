"""29: month ends, leap days, anniversaries and time zones: the same boundaries in Stripe as here, or it is said so."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.models import Period
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms
from billing.stripe.subscriptions import find_mirror
from tests.billing.makers import BANDWIDTH, BASE_FEE, make_plan
from tests.billing.stripe.makers import list_subscriptions, make_mirrored, pass_time
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
OWN = Anchoring.ANNIVERSARY


def read_cycle(simulator: SimulatorClient) -> tuple[datetime, datetime]:
    """As Stripe says it."""
    item = list_subscriptions(simulator)[-1]["items"].data[0]
    return datetime.fromtimestamp(item.current_period_start, UTC), datetime.fromtimestamp(item.current_period_end, UTC)


@pytest.mark.parametrize(
    ("started_at", "terms", "days"),
    [
        (datetime(2026, 12, 31, 12, tzinfo=UTC), PeriodTerms(Interval.MONTH, OWN), [31, 31, 28, 31, 30]),
        (datetime(2027, 1, 30, tzinfo=UTC), PeriodTerms(Interval.MONTH, OWN), [30, 28, 30, 30]),
        (datetime(2028, 1, 31, tzinfo=UTC), PeriodTerms(Interval.MONTH, OWN), [31, 29, 31]),
        (datetime(2028, 2, 29, tzinfo=UTC), PeriodTerms(Interval.YEAR, OWN), [29, 28]),
        (datetime(2026, 11, 10, 9, tzinfo=UTC), PeriodTerms(Interval.QUARTER), [10, 1, 1]),
        (datetime(2026, 12, 31, 9, 30, tzinfo=UTC), PeriodTerms(Interval.WEEK, OWN), [31, 7, 14]),
    ],
    ids=["31st", "30th", "31st before a leap day", "leap day", "quarters", "weeks"],
)
def test_scenario_29_cycles_in_stripe_are_the_periods_of_palier(
    simulator: SimulatorClient, started_at: datetime, terms: PeriodTerms, days: list[int]
) -> None:
    subscription = make_mirrored(simulator, plan=make_plan(prices=[BASE_FEE], periods=terms), started_at=started_at)
    at, seen = started_at, []
    for _ in days:
        period = Period.objects.get(subscription_id=subscription.id, starts_at=at)
        assert read_cycle(simulator) == (period.starts_at, period.ends_at)
        mirror = find_mirror(period)
        assert mirror is not None
        assert (mirror.is_cycle, mirror.reason) == (True, "")
        seen.append(at.day)
        at = period.ends_at
        pass_time(simulator, at + MINUTE)
    assert seen == days
    assert len(list_subscriptions(simulator)) == 1


def test_scenario_29_where_the_clocks_change_the_period_is_no_cycle_and_says_so(simulator: SimulatorClient) -> None:
    started_at = datetime(2027, 1, 31, 23, tzinfo=UTC)  # midnight in Paris
    plan = make_plan(prices=[BANDWIDTH])
    subscription = make_mirrored(simulator, plan=plan, started_at=started_at, time_zone="Europe/Paris")
    at, found = started_at, []
    for _ in range(2):
        period = Period.objects.get(subscription_id=subscription.id, starts_at=at)
        mirror = find_mirror(period)
        assert mirror is not None
        assert mirror.is_cycle == (read_cycle(simulator) == (period.starts_at, period.ends_at))
        found.append((mirror.is_cycle, mirror.reason))
        at = period.ends_at
        pass_time(simulator, at + MINUTE)
    assert found[0] == (True, "")
    assert found[1] == (False, "the cycle in Stripe is 2027-02-28 23:00:00 – 2027-03-28 23:00:00")
