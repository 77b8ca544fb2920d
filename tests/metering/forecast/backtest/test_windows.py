from datetime import timedelta

import pytest

from metering.forecast.backtest.rules import Firing, Watch
from metering.forecast.backtest.settings import BacktestRefused, Settings
from metering.forecast.backtest.windows import list_windows, open_window
from tests.metering.forecast.maths.makers import daily

SETTINGS = Settings(timedelta(days=1), season=7, period=4, history=6, step=3, limits=(0.5, 1.0))


def test_a_limit_is_a_factor_of_the_period_before():
    windows = list(list_windows(daily([1.0] * 6 + [2.0] * 7), SETTINGS))
    assert [(each.start, each.limit, each.hit) for each in windows] == [
        (6, 2.0, 1),
        (6, 4.0, 2),
        (9, 3.5, 2),
        (9, 7.0, 4),
    ]


def test_after_a_period_without_usage_there_is_no_limit():
    assert list(list_windows(daily([0.0] * 6 + [2.0] * 4), SETTINGS)) == []


def test_a_window_that_does_not_hit_is_watched_to_its_end():
    late, never = (open_window(0, limit, daily([0.0, 1.0, 2.0, 3.0]).values) for limit in (3.0, 3.1))
    assert (late.hit, late.watched) == (3, 3)
    assert (never.hit, never.watched) == (None, 3)


def watch(limit, used):
    return Watch(open_window(0, limit, daily(used).values))


def test_eighty_per_cent_and_the_run_rate_speak_once():
    seen = watch(10.0, [0.0, 1.0, 6.0, 8.0, 9.0])
    for elapsed in range(4):
        seen.run_plain_rules(elapsed)
    assert seen.firings == {"run_rate": Firing(2, 2 * 10 / 6), "actual_80": Firing(3, 3 * 10 / 8)}


def test_a_chance_must_stand_in_two_runs_in_a_row():
    seen = watch(10.0, [0.0] * 6)
    for elapsed, chance in enumerate([0.85, 0.7, 0.8, 0.95, 0.95]):
        seen.run_forecast_rules(elapsed, chance, lambda: 4.5)
    assert seen.firings == {"p80_twice": Firing(3, 4.5), "p90_twice": Firing(4, 4.5)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": 0}, "positive"),
        ({"history": 3}, "a period long"),
        ({"limits": ()}, "factors"),
        ({"limits": (-1.0,)}, "factors"),
    ],
)
def test_what_cannot_be_judged_is_refused(changes, words):
    sound = {"bucket": timedelta(days=1), "season": 7, "period": 4, "history": 6, "step": 3, "limits": (1.0,)}
    with pytest.raises(BacktestRefused, match=words):
        Settings(**(sound | changes))
