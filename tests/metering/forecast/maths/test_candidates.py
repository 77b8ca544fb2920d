from datetime import datetime

import numpy as np

from metering.forecast.maths.candidates import average_months, find_median, list_candidates, open_past
from tests.metering.forecast.maths.makers import MONDAY, daily, hourly


def test_each_candidate_is_a_mean_of_the_same_stretch_of_earlier_seasons():
    days = np.arange(1.0, 36.0)  # five weeks
    rows = list_candidates(open_past(daily(days), 7), 2)
    now = rows[:, -1]
    last_week, three_weeks = 29.0 + 30.0, (29 + 30 + 22 + 23 + 15 + 16) / 3
    assert (now[0], now[1]) == (last_week, three_weeks)


def test_a_stretch_longer_than_a_season_repeats_it():
    rows = list_candidates(open_past(daily(np.arange(1.0, 36.0)), 7), 9)
    assert rows[0, -1] == sum(range(29, 36)) + 29 + 30


def test_a_day_of_hours_has_weeks_behind_it():
    hours = np.zeros(24 * 15)
    hours[24 * 7 : 24 * 8] = 5.0  # the second Monday alone
    at_third_monday = list_candidates(open_past(hourly(hours[: 24 * 14]), 24), 24)[:, -1]
    assert at_third_monday[0] == 0.0  # yesterday
    assert at_third_monday[6] == 120.0  # a week ago


def test_months_follow_the_dates():
    start = datetime(2026, 1, 1, tzinfo=MONDAY.tzinfo)
    days = np.zeros(31 + 28 + 31)
    days[[0, 31, 59]] = 7.0  # the firsts of January, February, March
    past = open_past(daily(days[:58], start=start), 7)  # 28 February is about to begin
    nothing = np.zeros(past.length + 1)
    assert average_months(past, 1, 1, otherwise=nothing)[-1] == 0.0
    assert average_months(past, 2, 1, otherwise=nothing)[-1] == 7.0


def test_the_median_is_numpys():
    rows = np.random.default_rng(1).random((7, 50))
    assert (find_median(list(rows)) == np.median(rows, axis=0)).all()
