from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from metering.forecast.backtest.files import NamedSeries, read_folder
from metering.forecast.backtest.panel import SETTINGS, invent_panel
from metering.forecast.backtest.replaying import replay
from metering.forecast.backtest.reporting import judge_series
from metering.forecast.backtest.settings import Settings
from metering.forecast.backtest.windows import enter_series
from metering.forecast.maths import Series
from tests.metering.forecast.maths.makers import weeks_of_days

SERIES = Path(__file__).parents[3] / "data" / "usage_series"
DAILY = Settings(timedelta(days=1), season=7, period=14, history=70, step=14, limits=(0.9, 1.1))


def named(name, history):
    return NamedSeries(name, history)


def told(series, settings=DAILY):
    """What was said, window by window."""
    outcomes = replay([enter_series(each, settings) for each in series], settings).outcomes
    return {(each.series, each.window.start, each.window.limit): (each.watch.firings, each.middle) for each in outcomes}


def test_neither_ones_own_future_nor_that_of_others_is_seen():
    one, other = weeks_of_days(20, noise=0.3, seed=1), weeks_of_days(20, noise=0.3, seed=2)
    changed = [
        Series(each.start, each.step, np.concatenate((each.values[:100], 9 * each.values[100:])))
        for each in (one, other)
    ]
    before = told([named("a", one), named("b", other)])
    after = told([named("a", changed[0]), named("b", changed[1])])
    known = [key for key in before if key[1] + DAILY.period <= 100]
    assert len(known) == 8
    assert all(before[key] == after[key] for key in known)


def test_others_are_learnt_from_once_their_time_has_passed():
    one, other = weeks_of_days(20, noise=0.3, seed=1), weeks_of_days(20, noise=0.3, seed=2)
    later = Series(other.start + timedelta(days=400), other.step, other.values)
    alone, beside, before = (told([named("a", one), *rest]) for rest in ([], [named("b", other)], [named("b", later)]))
    mine = list(alone)
    assert any(alone[key] != beside[key] for key in mine)
    assert all(alone[key] == before[key] for key in mine)


def test_the_order_of_the_series_does_not_matter():
    pair = [named("a", weeks_of_days(20, seed=1)), named("b", weeks_of_days(20, seed=2))]
    assert told(pair) == told(pair[::-1])


def test_real_series_keep_what_is_promised():
    """A fifth of the windows of a part of the series. What all of them give is in docs/forecast.md."""
    settings = Settings(timedelta(hours=1), season=24, period=72, history=168, step=120, limits=(0.85, 1.0, 1.15))
    report = judge_series(
        [enter_series(each, settings) for each in read_folder(SERIES, bucket=settings.bucket)], settings
    )
    rule, run_rate = report.rules["p80_twice"], report.rules["run_rate"]
    assert rule.windows == 306
    assert rule.precision >= 0.85
    assert rule.recall >= 0.88
    assert 0.70 <= rule.coverage <= 0.90  # 102 ranges: four in a hundred either way are chance
    assert rule.brier <= 0.7 * run_rate.brier
    assert report.rules["p90_twice"].precision >= rule.precision


def test_invented_accounts_keep_what_is_promised():
    """Two dozen accounts of another seed than the one that is published."""
    rule = judge_series(invent_panel(accounts=24, seed=7), SETTINGS).rules["p80_twice"]
    assert rule.windows == 96
    assert rule.precision >= 0.90
    assert rule.recall >= 0.85
    assert rule.median_lead >= 0.4  # of two dozen hits; the published panel has hundreds
    assert rule.date_error <= 0.1


def test_the_panel_is_the_same_for_the_same_seed():
    few, more, other = (invent_panel(accounts=count, seed=seed) for count, seed in ((3, 1), (5, 1), (3, 2)))
    assert [each.named.series.values.tolist() for each in more[:3]] == [
        each.named.series.values.tolist() for each in few
    ]
    assert few[0].named.series.values.tolist() != other[0].named.series.values.tolist()


def test_no_window_at_all_is_refused():
    with pytest.raises(Exception, match="a window needs 84 buckets"):
        judge_series([enter_series(named("a", weeks_of_days(10)), DAILY)], DAILY)
