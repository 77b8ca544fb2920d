"""What a meter says over a window: exact sums, counts, last values, windows aggregated before, and the lag."""

import random
from decimal import Decimal

import pytest

from stripe_simulator.meters.readings import HOUR, Reading, Series

DAY = 24 * HOUR


def make_series(formula: str, *readings: tuple[int, str], window: str | None = None) -> Series:
    series = Series(formula, window)
    for number, (timestamp, value) in enumerate(readings):
        series.add(Reading(timestamp, number, Decimal(value), visible_at=0))
    series.settle(0)
    return series


def test_a_sum_is_exact_far_beyond_a_float():
    series = make_series("sum", (10, "999999999999999"), (20, "0.000000000001"), (30, "-0.1"))
    assert series.aggregate(0, 60) == Decimal("999999999999998.900000000001")


def test_the_start_of_a_window_is_in_and_its_end_is_out():
    series = make_series("sum", (59, "1"), (60, "2"), (119, "4"), (120, "8"))
    assert series.aggregate(60, 120) == 6


@pytest.mark.parametrize("seed", range(3))
def test_sums_by_hour_equal_the_sum_of_the_events(seed: int):
    chance = random.Random(seed)  # noqa: S311
    events = [(chance.randrange(3 * DAY), str(chance.randrange(-50, 100))) for _ in range(200)]
    series = make_series("sum", *events)
    for _ in range(50):
        start, end = sorted((chance.randrange(-HOUR, 3 * DAY), chance.randrange(4 * DAY)))
        expected = sum(int(value) for timestamp, value in events if start <= timestamp < end)
        assert series.aggregate(start, end) == expected


def test_a_count_counts_events_whatever_they_say():
    assert make_series("count", (1, "7"), (2, "0"), (3, "-1")).aggregate(0, 60) == 3


def test_last_is_the_newest_by_time_and_of_equals_the_later_to_come():
    assert make_series("last", (30, "3"), (10, "1"), (30, "4"), (20, "2")).aggregate(0, 60) == 4


def test_last_of_an_empty_window_is_zero():
    assert make_series("last", (30, "3")).aggregate(60, 120) == 0


def test_of_events_aggregated_by_hour_the_newest_of_each_hour_counts():
    readings = ((10, "5"), (HOUR - 1, "7"), (HOUR, "100"), (20, "6"))
    assert make_series("sum", *readings, window="hour").aggregate(0, 2 * HOUR) == 107
    assert make_series("count", *readings, window="hour").aggregate(0, 2 * HOUR) == 2
    assert make_series("sum", *readings, window="day").aggregate(0, DAY) == 100


def test_an_event_counts_once_its_lag_has_passed():
    series = Series("sum", None)
    series.add(Reading(10, 1, Decimal(5), visible_at=100))
    series.settle(99)
    assert series.aggregate(0, 60) == 0
    series.settle(100)
    assert series.aggregate(0, 60) == 5


def test_a_cancelled_event_is_gone_whether_visible_or_not():
    series = Series("sum", None)
    seen, waiting = Reading(10, 1, Decimal(5), visible_at=0), Reading(11, 2, Decimal(7), visible_at=100)
    series.add(seen)
    series.settle(0)
    series.add(waiting)
    series.remove(seen)
    series.remove(waiting)
    series.settle(100)
    assert (series.aggregate(0, HOUR), series.aggregate(0, 2 * HOUR)) == (0, 0)
