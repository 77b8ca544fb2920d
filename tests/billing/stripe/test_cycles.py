from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from billing.periods import Cycle, Interval, list_periods
from billing.stripe.cycles import Anchor, Hanging, choose_anchor, find_cycle

JAN_31 = datetime(2027, 1, 31, 12, tzinfo=UTC)


def list_boundaries(start: datetime, cycle: Cycle, *, count: int = 14, zone: str = "UTC") -> list[datetime]:
    until = start + timedelta(days=5 * 366)
    return [end for _, end in list_periods(start, cycle, until=until, time_zone=zone)][:count]


def follow(hanging: Hanging, count: int) -> list[datetime]:
    moments = [hanging.starts_at]
    for _ in range(count):
        moments.append(find_cycle(hanging, moments[-1])[1])
    return moments[1:]


@pytest.mark.parametrize(
    ("start", "cycle", "day"),
    [
        (datetime(2026, 3, 10, 8, tzinfo=UTC), Cycle(Interval.MONTH), None),
        (JAN_31, Cycle(Interval.MONTH, JAN_31), 31),
        (JAN_31.replace(day=30), Cycle(Interval.MONTH, JAN_31.replace(day=30)), 30),
        (JAN_31.replace(day=28), Cycle(Interval.MONTH, JAN_31.replace(day=28)), None),
        (datetime(2028, 2, 29, tzinfo=UTC), Cycle(Interval.MONTH, datetime(2028, 2, 29, tzinfo=UTC)), None),
        (JAN_31, Cycle(Interval.WEEK), None),
        (JAN_31, Cycle(Interval.DAY, JAN_31), None),
        (JAN_31, Cycle(Interval.YEAR, JAN_31), None),
        (JAN_31, Cycle(Interval.QUARTER), None),
    ],
)
def test_the_anchor_makes_stripe_cycles_of_palier_periods(start: datetime, cycle: Cycle, day: int | None) -> None:
    boundaries = list_boundaries(start, cycle)
    anchor = choose_anchor(cycle.interval, boundaries)
    assert anchor == Anchor(boundaries[0], day)
    assert follow(Hanging(start, None, cycle.interval, anchor), len(boundaries)) == boundaries


def test_a_quarter_from_a_long_day_follows_as_long_as_it_can() -> None:
    """Stripe takes a day of the month for months alone: 30 November, 28 February, but 31 May."""
    start = datetime(2026, 8, 31, tzinfo=UTC)
    boundaries = list_boundaries(start, Cycle(Interval.QUARTER, start), count=3)
    anchor = choose_anchor(Interval.QUARTER, boundaries)
    followed = follow(Hanging(start, None, Interval.QUARTER, anchor), 3)
    assert (followed[:2], followed[2].day, boundaries[2].day) == (boundaries[:2], 30, 31)


def test_months_of_another_zone_are_followed_until_its_clocks_change() -> None:
    start = datetime(2026, 1, 31, 23, tzinfo=UTC)
    boundaries = list_boundaries(start, Cycle(Interval.MONTH), zone="Europe/Paris")
    anchor = choose_anchor(Interval.MONTH, boundaries)
    followed = follow(Hanging(start, None, Interval.MONTH, anchor), 3)
    assert anchor == Anchor(datetime(2026, 2, 28, 23, tzinfo=UTC), None)
    assert followed[0] == boundaries[0] == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert followed[1] != boundaries[1] == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_a_trial_is_a_cycle_and_the_rest_of_its_month_another() -> None:
    start, trial_end = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 19, tzinfo=UTC)
    feb, mar = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    hanging = Hanging(start, trial_end, Interval.MONTH, Anchor(feb))
    assert [find_cycle(hanging, at) for at in (start, trial_end, feb)] == [
        (start, trial_end),
        (trial_end, feb),
        (feb, mar),
    ]


def test_cycles_lie_end_to_end_over_a_leap_day() -> None:
    start = datetime(2027, 12, 31, tzinfo=UTC)
    boundaries = list_boundaries(start, Cycle(Interval.MONTH, start), count=4)
    anchor = choose_anchor(Interval.MONTH, boundaries)
    followed = follow(Hanging(start, None, Interval.MONTH, anchor), 4)
    assert [each.day for each in followed] == [31, 29, 31, 30]
    assert all(before < after for before, after in pairwise(followed))
