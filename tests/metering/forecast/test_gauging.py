from datetime import UTC, datetime, timedelta
from math import nan

import numpy as np
import pytest

from metering.aggregations import build_cells, fold
from metering.calendars import HOUR
from metering.forecast.gauging import fill_forward, read_gauge
from metering.forecast.histories import History

START = datetime(2026, 11, 10, tzinfo=UTC)
END = START + 24 * HOUR


def make_history(*values: float, first=START, before: float | None = None, weights=()) -> History:
    """The running hour is the last."""
    weighed = np.array(weights) if weights else np.zeros(len(values))
    return History(first, START, np.array(values, dtype=float), weighed, before)


def gauge(history: History, aggregation: str, *, used: float, carries_over: bool = False):
    return read_gauge(
        history, aggregation=aggregation, carries_over=carries_over, used=used, start=START, end=END
    )  # fmt: skip


def test_a_latest_value_stays_where_nothing_is_told():
    found = gauge(make_history(nan, 3, nan, 5, nan, before=2), "latest", used=5)
    assert found.levels.tolist() == [2, 3, 3, 5, 5]
    assert (found.now, found.read(7), found.find_level(9)) == (5, 7, 9)


def test_what_was_never_told_has_no_level():
    assert gauge(make_history(nan, nan, first=None), "max", used=0) is None


def test_hours_before_the_first_value_are_left_out():
    assert fill_forward(np.array([nan, nan, 4, nan]), None).tolist() == [4, 4]


@pytest.mark.parametrize("aggregation", ["sum", "unique"])
def test_a_level_of_changes_is_followed_back_from_what_it_is_now(aggregation):
    found = gauge(make_history(10, nan, -4, 1), aggregation, used=12, carries_over=True)
    assert found.levels.tolist() == [15, 15, 11, 12]


def test_a_mean_weighs_what_was_and_what_comes_by_time():
    found = gauge(make_history(*[10.0] * 12, 20), "avg", used=12)  # noon: half of the day is left
    assert (found.now, found.read(20), found.read(40)) == (20, 16, 26)
    assert found.find_level(26) == 40


def test_half_of_a_change_counts_in_a_weighted_sum_for_what_is_left():
    found = gauge(make_history(10, *[nan] * 12), "weighted_sum", used=10)
    assert (found.now, found.read(10), found.read(30), found.find_level(15)) == (10, 10, 15, 30)


def test_the_level_of_a_weighted_sum_is_worked_out_from_its_mean():
    samples = [(START - HOUR, 100), (START + HOUR / 2, 20), (START + 3 * HOUR, -50)]
    used = float(fold("weighted_sum", samples, start=START, end=END, carries_over=True))
    cells = {cell.hour: cell for cell in build_cells(samples[1:])}
    hours = [cells.get(START + place * HOUR) for place in range(5)]
    history = make_history(
        *(float(cell.total) if cell else nan for cell in hours),
        weights=[float(cell.moment) if cell else 0.0 for cell in hours],
        first=START - timedelta(days=3),
    )
    found = gauge(history, "weighted_sum", used=used, carries_over=True)
    assert found.levels.tolist() == pytest.approx([120, 120, 120, 70, 70])


def test_a_weighted_sum_that_does_not_carry_over_begins_at_nought():
    found = gauge(make_history(5, nan, 5), "weighted_sum", used=9)
    assert found.levels.tolist() == [5, 5, 10]


def test_when_nothing_is_left_a_mean_no_longer_moves():
    history = History(START, START, np.full(25, 3.0), np.zeros(25))
    assert gauge(history, "avg", used=3).find_level(9) is None
