import numpy as np
import pytest

from metering.forecast.maths import CohortProfile, Reason, forecast_by_cohort

STEADY = CohortProfile(np.arange(1, 31) * 10.0)  # 300 in a month
LATE = CohortProfile(np.concatenate((np.arange(1, 16) * 10.0, 150 + np.arange(1, 16) * 30.0)))  # 600


def ask(profiles, *, used, limit, elapsed=10, remaining=20):
    return forecast_by_cohort(profiles, used=used, limit=limit, elapsed=elapsed, remaining=remaining, days=5.0)


def test_nobody_to_compare_with_says_nothing():
    assert ask([], used=1.0, limit=2.0) is None


def test_an_account_like_the_others_goes_on_like_them():
    said = ask([STEADY] * 9, used=100.0, limit=250.0)
    assert said.total_mid == pytest.approx(300.0)
    assert (said.hit_low, said.hit_mid, said.hit_high) == (15, 15, 15)
    assert said.p_hit == 9.5 / 10
    assert said.is_learning
    assert said.reason == Reason("learning")


def test_twice_the_usage_is_not_held_to_be_twice_the_account_at_once():
    early = ask([STEADY], used=20.0, limit=None, elapsed=1, remaining=29)
    late = ask([STEADY], used=400.0, limit=None, elapsed=20, remaining=10)
    assert early.total_mid == pytest.approx(20.0 + 290.0 * 50.0 / 40.0)
    assert late.total_mid == pytest.approx(400.0 + 100.0 * 430.0 / 230.0)


def test_the_chance_is_the_share_of_ways_that_reach_the_limit():
    said = ask([STEADY] * 3 + [LATE], used=100.0, limit=500.0)
    assert said.p_hit == 1.5 / 5
    assert said.total_low == said.total_mid == pytest.approx(300.0)
    assert said.total_high == pytest.approx(510.0)


def test_a_period_of_another_length_is_stretched():
    short = CohortProfile(np.arange(1, 16) * 20.0)
    assert ask([short], used=100.0, limit=None).total_mid == pytest.approx(300.0)


def test_a_limit_that_is_reached_is_certain():
    said = ask([STEADY], used=100.0, limit=100.0)
    assert (said.p_hit, said.hit_mid, said.reason) == (1.0, 0, Reason("already_reached"))
