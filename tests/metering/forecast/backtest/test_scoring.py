import pytest

from metering.forecast.backtest.replaying import MiddleView, Outcome
from metering.forecast.backtest.rules import RULES, Firing, Watch
from metering.forecast.backtest.scoring import score_rules
from metering.forecast.backtest.windows import open_window
from tests.metering.forecast.maths.makers import daily


def outcome(start, used, limit, *, fired=None, chance=0.5, low=0.0, high=100.0):
    """A window of ten buckets under one rule."""
    watch = Watch(open_window(start, limit, daily(used).values))
    if fired:
        watch.firings["p80_twice"] = Firing(*fired)
    view = MiddleView(dict.fromkeys(RULES, chance), low=low, mid=50.0, high=high)
    return Outcome("one", watch, view)


RISING = [float(each) for each in range(11)]
OUTCOMES = [
    outcome(0, RISING, 8.0, fired=(2, 9.0), chance=0.9),  # six before it hits, and a bucket wrong
    outcome(0, RISING, 6.0, fired=(4, 6.0), chance=1.0),  # two before it hits
    outcome(0, RISING, 5.0, chance=0.5),  # missed
    outcome(1, RISING, 11.0, fired=(3, 7.0), chance=0.8, high=9.0),  # spoke for nothing
    outcome(1, RISING, 12.0, chance=0.0, high=9.0),
]


def test_a_rule_is_scored_by_these_definitions():
    score = score_rules(OUTCOMES, seconds=[0.001, 0.003])["p80_twice"]
    assert (score.windows, score.hits, score.fired) == (5, 3, 3)
    assert (score.precision, score.recall) == (2 / 3, 2 / 3)
    assert (score.median_lead, score.date_error) == (pytest.approx(0.4), pytest.approx(0.05))
    assert score.brier == pytest.approx((0.01 + 0.0 + 0.25 + 0.64 + 0.0) / 5)
    assert (score.coverage, score.width) == (0.5, pytest.approx((2.0 + 0.18) / 2))
    assert score.ms_per_forecast == pytest.approx(2.0)


def test_a_rule_that_never_spoke_has_no_precision():
    score = score_rules(OUTCOMES)["actual_80"]
    assert (score.fired, score.precision, score.recall, score.median_lead) == (0, None, 0.0, None)
    assert (score.coverage, score.ms_per_forecast) == (None, None)
