import numpy as np
import pytest

from metering.forecast.maths import forecast_usage
from metering.forecast.maths.gauges import follow_slope, slide_maximum
from tests.metering.forecast.maths.makers import daily


def ask(values, limit, remaining=20):
    return forecast_usage(
        daily(values), used=float(values[-1]), limit=limit, remaining=remaining, season=7, kind="level"
    )


def test_a_level_that_climbs_reaches_its_limit_by_its_slope():
    said = ask(100.0 + 2.0 * np.arange(90), limit=300.0)  # 278 now
    assert said.p_hit > 0.95
    assert said.hit_mid == pytest.approx(11, abs=1)
    assert said.total_mid == pytest.approx(278.0 + 40.0, rel=0.02)


def test_a_level_does_not_add_up():
    said = ask(np.full(90, 70.0), limit=100.0)
    assert said.p_hit < 0.01
    assert (said.total_mid, said.run_rate_total) == (pytest.approx(70.0, rel=1e-3), 70.0)


def test_a_level_may_fall():
    said = ask(1000.0 - 5.0 * np.arange(90), limit=1000.0)  # 555 now
    assert said.p_hit < 0.05
    assert said.total_high < 555.0


def test_a_level_that_swings_reaches_what_it_reaches_every_week():
    week = np.array([50.0, 60.0, 90.0, 60.0, 50.0, 40.0, 40.0])
    swinging, calm = np.tile(week, 13), np.full(91, 40.0)
    assert ask(swinging, limit=85.0, remaining=7).p_hit > 0.3
    assert ask(calm, limit=85.0, remaining=7).p_hit < 0.01


def test_the_maximum_of_neighbours():
    values = np.random.default_rng(1).random(40)
    for width in (1, 2, 3, 7, 8, 40):
        expected = [values[index : index + width].max() for index in range(41 - width)]
        assert (slide_maximum(values, width) == expected).all()


def test_a_slope_begins_with_what_there_is():
    assert follow_slope(np.array([0.0, 2.0, 4.0, 6.0]), 2).tolist() == [0.0, 2.0, 2.0, 2.0]
