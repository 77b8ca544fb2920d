from datetime import UTC, date, datetime, timedelta

import numpy as np

from metering.forecast.maths import Reason, Series
from metering.forecast.maths.reasons import find_reason
from tests.metering.forecast.maths.makers import MONDAY, daily, hourly, weeks_of_days

WEEK = np.array([100.0, 104.0, 98.0, 102.0, 96.0, 50.0, 48.0])
FOUR_WEEKS = np.tile(WEEK, 4)


def test_what_goes_on_is_steady():
    assert find_reason(daily(FOUR_WEEKS)) == Reason("steady")


def test_noise_is_no_change():
    reasons = {find_reason(weeks_of_days(8, noise=0.1, seed=seed)).code for seed in range(30)}
    assert reasons == {"steady"}


def test_a_step_has_a_day():
    values = FOUR_WEEKS.copy()
    values[17:] *= 1.5
    assert find_reason(daily(values)) == Reason("step_up", percent=49, since=date(2026, 9, 24))


def test_weekdays_that_rise_while_weekends_stay():
    values = FOUR_WEEKS.copy()
    for week in (2, 3):
        values[7 * week : 7 * week + 5] *= 1.6
    found = find_reason(daily(values))
    assert (found.code, found.since) == ("weekday_up", date(2026, 9, 21))
    assert 45 <= found.percent <= 65


def test_a_slope_is_a_trend():
    found = find_reason(daily(FOUR_WEEKS * 1.02 ** np.arange(28)))
    assert (found.code, found.since) == ("trend_up", date(2026, 9, 7))
    assert 55 <= found.percent <= 85


def test_a_fall_is_told_as_one():
    values = FOUR_WEEKS.copy()
    values[14:] *= 0.5
    assert find_reason(daily(values)) == Reason("step_down", percent=-50, since=date(2026, 9, 21))


def test_two_days_a_month_are_a_batch():
    values = np.zeros(60)
    values[[10, 25, 40, 55]] = 500.0
    assert find_reason(daily(values)) == Reason("batch", share=1.0)


def test_every_third_day_is_intermittent():
    values = np.where(np.arange(60) % 3 == 0, 30.0, 0.0)
    assert find_reason(daily(values)).code == "intermittent"


def test_a_weekend_ahead_is_quieter():
    friday_evening = FOUR_WEEKS[:-2]
    assert find_reason(daily(friday_evening), ahead=49.0) == Reason("weekend", percent=-51)


def test_hours_are_added_up_to_whole_days():
    start = datetime(2026, 9, 6, 22, tzinfo=UTC)  # two hours of a Sunday come first
    hours = np.concatenate((np.full(2, 999.0), np.repeat(FOUR_WEEKS / 24, 24), np.full(3, 999.0)))
    assert find_reason(Series(start, timedelta(hours=1), hours)) == Reason("steady")
    assert find_reason(hourly(np.zeros(48), start=MONDAY)) == Reason("unused")
