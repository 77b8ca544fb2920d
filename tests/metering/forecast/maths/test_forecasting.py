from dataclasses import fields
from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.forecast.maths import Reason, calibrate, forecast_usage, look_ahead
from tests.metering.forecast.maths.makers import daily, hourly, weeks_of_days

amounts = st.floats(0, 1e6, allow_nan=False).map(lambda each: 0.0 if each < 1e-3 else each)
histories = st.one_of(
    st.lists(amounts, min_size=0, max_size=90),
    st.tuples(amounts, st.integers(1, 120)).map(lambda pair: [pair[0]] * pair[1]),
    st.tuples(amounts, st.integers(0, 60), st.integers(0, 60)).map(
        lambda each: [0.0] * each[1] + [each[0]] + [0.0] * each[2]
    ),
)
needs = st.floats(0, 1e7)
kinds = st.sampled_from(["flow", "level"])


def forecast(values, *, used=50.0, limit=None, remaining=10, **options):
    return forecast_usage(daily(values), used=used, limit=limit, remaining=remaining, season=7, **options)


@settings(deadline=None, max_examples=60)
@given(histories, needs, needs, st.integers(0, 40), kinds)
def test_no_history_makes_nonsense(values, used, limit, remaining, kind):
    said = forecast(values, used=used, limit=limit, remaining=remaining, kind=kind)
    assert 0.0 <= said.p_hit <= 1.0
    assert 0.0 <= said.total_low <= said.total_mid <= said.total_high
    numbers = [getattr(said, each.name) for each in fields(said) if each.name != "reason"]
    assert all(isfinite(number) for number in numbers if number is not None)
    if said.hit_mid is not None:
        assert 0 <= said.hit_low <= said.hit_mid <= said.hit_high <= remaining


@settings(deadline=None, max_examples=40)
@given(histories, needs, needs, st.integers(0, 40), kinds)
def test_a_higher_limit_is_never_likelier(values, one, other, remaining, kind):
    low, high = sorted((one, other))
    likelier = forecast(values, limit=low, remaining=remaining, kind=kind)
    assert forecast(values, limit=high, remaining=remaining, kind=kind).p_hit <= likelier.p_hit


@settings(deadline=None, max_examples=25)
@given(st.lists(amounts, min_size=30, max_size=90), st.floats(1, 2000), st.sampled_from([1e-3, 7.0, 1e6]))
def test_the_unit_does_not_matter(values, limit, factor):
    plain = forecast(values, used=1.0, limit=limit)
    scaled = forecast(np.array(values) * factor, used=factor, limit=limit * factor)
    assert scaled.p_hit == pytest.approx(plain.p_hit, abs=1e-6)
    assert scaled.total_mid == pytest.approx(plain.total_mid * factor, rel=1e-6)
    assert scaled.hit_mid == plain.hit_mid


@pytest.mark.parametrize("kind", ["flow", "level"])
def test_a_limit_that_is_reached_is_certain(kind):
    said = forecast(weeks_of_days(8).values, used=100.0, limit=100.0, kind=kind)
    assert (said.p_hit, said.hit_low, said.hit_mid, said.hit_high) == (1.0, 0, 0, 0)
    assert said.reason == Reason("already_reached")


def test_without_a_limit_there_is_nothing_to_reach():
    said = forecast(weeks_of_days(8).values)
    assert (said.p_hit, said.hit_mid) == (0.0, None)
    assert said.total_mid > 50.0


def test_unused_stays_unused():
    said = forecast([0.0] * 60, used=0.0, limit=10.0)
    assert (said.p_hit, said.total_low, said.total_high, said.reason.code) == (0.0, 0.0, 0.0, "unused")


def test_constant_usage_goes_on_to_the_bucket():
    said = forecast([10.0] * 90, used=50.0, limit=99.0, remaining=10)
    assert said.p_hit > 0.99
    assert (said.hit_low, said.hit_mid) == (5, 5)
    assert said.total_mid == pytest.approx(150.0, rel=1e-3)
    assert forecast([10.0] * 90, used=50.0, limit=160.0, remaining=10).p_hit < 0.05


def test_a_quiet_weekend_is_foreseen():
    friday = weeks_of_days(8, noise=0.02).values[:-2]
    assert look_ahead(daily(friday), remaining=2, season=7, calibration=None).close.middle == pytest.approx(80, rel=0.1)


def test_a_month_end_batch_is_foreseen_by_date():
    values = np.zeros(31 + 28 + 31 + 30 + 31 + 30 + 31)
    firsts = np.cumsum([0, 31, 28, 31, 30, 31, 30])
    values[firsts] = 900.0
    start = daily([]).start.replace(year=2026, month=1, day=1)
    history = daily(values[: int(firsts[-1]) - 5], start=start)
    assert look_ahead(history, remaining=10, season=7, calibration=None).close.middle == pytest.approx(900.0, rel=0.15)
    assert look_ahead(history, remaining=4, season=7, calibration=None).close.middle == pytest.approx(0.0, abs=90.0)


def test_less_than_a_week_is_said_to_be_learning():
    said = forecast_usage(hourly([5.0] * 167), used=10.0, limit=1e9, remaining=24, season=24)
    assert said.is_learning
    assert said.reason == Reason("learning")
    assert not forecast_usage(hourly([5.0] * 168), used=10.0, limit=1e9, remaining=24, season=24).is_learning


def test_the_future_changes_nothing():
    values = weeks_of_days(20, noise=0.3).values
    other = values.copy()
    other[100:] = 1e6
    one, two = (
        forecast_usage(
            daily(each).until(100),
            used=10.0,
            limit=500.0,
            remaining=9,
            season=7,
            calibration=calibrate([daily(each).until(100)], season=7),
        )
        for each in (values, other)
    )
    assert one == two


@pytest.mark.parametrize(("remaining", "season"), [(-1, 7), (3, 0)])
def test_what_cannot_be_is_refused(remaining, season):
    with pytest.raises(ValueError, match="season"):
        forecast_usage(daily([1.0]), used=0.0, limit=1.0, remaining=remaining, season=season)
