import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.forecast.maths import Calibration, Series, calibrate, look_ahead
from metering.forecast.maths.outlook import look_ahead_from
from metering.forecast.maths.retrospect import Retrospect
from tests.metering.forecast.maths.makers import daily, hourly, weeks_of_days

amounts = st.sampled_from([0.0, 0.0, 1.0, 3.5, 40.0, 900.0])


@settings(deadline=None, max_examples=20)
@given(st.lists(amounts, min_size=60, max_size=110), st.integers(30, 55), st.integers(1, 20))
def test_no_row_knows_what_came_after_its_moment(values, now, horizon):
    """All of the past at once says at each moment what the past until then says."""
    history = daily(values)
    whole, part = Retrospect(history, 7).trace(horizon), Retrospect(history.until(now), 7).trace(horizon)
    assert whole.blend[: now + 1] == pytest.approx(part.blend, rel=1e-9)
    assert whole.scale[: now + 1] == pytest.approx(part.scale, rel=1e-9)
    assert whole.excess[:, : now + 1] == pytest.approx(part.excess, rel=1e-9, abs=1e-9)
    slopes = np.array([0.5, -0.1, 0.2])
    assert whole.own_errors(slopes, now)[1] == pytest.approx(part.own_errors(slopes, now)[1], rel=1e-9)


def test_the_backtest_and_the_product_say_the_same():
    """Also where the product looks at a part of a long history only."""
    numbers = np.random.default_rng(3)
    day = np.tile(1.0 + np.sin(np.arange(24) / 24 * 2 * np.pi), 120)
    history = hourly(100.0 * day * np.exp(0.3 * numbers.standard_normal(len(day))))
    calibration = calibrate([history.until(1500)], season=24)
    retrospect = Retrospect(history, 24)
    for now in (400, 2800):
        told = look_ahead_from(retrospect, now, remaining=30, calibration=calibration)
        asked = look_ahead(history.until(now), remaining=30, season=24, calibration=calibration)
        need = told.close.middle * 1.05
        assert asked.close.middle == pytest.approx(told.close.middle, rel=2e-3)
        assert asked.probability(need) == pytest.approx(told.probability(need), abs=0.02)
        assert asked.reach(need) == told.reach(need)


def test_learning_in_two_steps_is_learning_once():
    """Apart from what was known when an error was judged, of which the histogram alone takes notice."""
    history = weeks_of_days(30, noise=0.2)
    once, twice = Calibration(), Calibration()
    once.learn(history, season=7)
    retrospect = Retrospect(history, 7)
    twice.learn_between(retrospect, since=0, now=120)
    twice.learn_between(retrospect, since=120, now=len(history.values))
    for one, other in zip(once.lessons, twice.lessons, strict=True):
        assert other.products == pytest.approx(one.products, rel=1e-9)
        assert other.errors.sum() == pytest.approx(one.errors.sum())


def test_a_series_takes_finite_numbers_alone():
    with pytest.raises(ValueError, match="finite"):
        daily([1.0, float("nan")])
    with pytest.raises(ValueError, match="step"):
        Series(daily([]).start, daily([]).step * 0, np.zeros(1))
