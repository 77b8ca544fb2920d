"""Each figure against one found another way: by fractions, by counting, or from the paper that defines it."""

from fractions import Fraction
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.grading.scores import (
    Expected,
    Share,
    Told,
    Verdict,
    Watched,
    advise_threshold,
    find_skill,
    score_alerts,
    score_forecasts,
    spread,
    try_threshold,
)

chances = st.integers(0, 1000).map(lambda number: number / 1000)
expected = st.builds(
    Expected, chance=chances, was_reached=st.booleans(), run_rate_says=st.booleans(), total_in_range=st.booleans()
)
watched = st.builds(Watched, strength=st.none() | chances, was_reached=st.booleans())
windows = st.tuples(st.integers(1, 4), st.integers(1, 2))
told = st.builds(
    Told,
    window=windows,
    verdict=st.sampled_from(Verdict),
    lead_days=st.integers(0, 30).map(float),
    is_acted_on=st.booleans(),
)


# Shares and spreads


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), 857–872, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_share_lies_where_the_table_of_newcombe_says(hits, count, low, high):
    assert [round(each, 4) for each in Share(hits, count).interval] == [low, high]


@given(st.integers(1, 500), st.data())
def test_the_interval_is_where_a_normal_test_does_not_refuse_the_share(count, data):
    """Wilson's bounds p are those at which |share − p| is Z times sqrt(p(1 − p)/n): solved here, not computed."""
    hits = data.draw(st.integers(0, count))
    for bound in Share(hits, count).interval:
        distance = (hits / count - bound) ** 2
        assert distance == pytest.approx(1.959964**2 * bound * (1 - bound) / count, abs=1e-9)


def test_a_share_of_nothing_is_none():
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


@given(st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=40))
def test_quartiles_are_those_of_numpy(values):
    found = spread(values)
    assert [found.low, found.median, found.high] == pytest.approx(list(np.percentile(values, [25, 50, 75])))
    assert found.median == pytest.approx(median(values))


def test_nothing_has_no_quartiles():
    assert spread([]) is None


# Alerts


def test_alerts_are_right_wrong_or_no_warning_at_all():
    score = score_alerts(
        [
            Told((1, 1), Verdict.EARLY, 5.0, 0.2, is_acted_on=True),
            Told((1, 1), Verdict.EARLY, 9.0, 0.3),
            Told((2, 1), Verdict.FALSE),
            Told((3, 1), Verdict.AT_LIMIT),
        ],
        {(1, 1), (3, 1), (4, 1)},
    )
    assert (score.told, score.early, score.false, score.at_limit, score.missed) == (4, 2, 1, 1, 2)
    assert score.precision == Share(2, 3)
    assert score.recall == Share(1, 3)
    assert score.acted_on == Share(1, 4)
    assert (score.lead_days.median, score.lead_share.median) == (9.0, 0.3)  # of the first alert of the window


def test_a_warning_that_came_true_after_the_limit_was_raised_counts_as_reached():
    score = score_alerts([Told((1, 1), Verdict.EARLY, 5.0, 0.2)], set())
    assert score.recall == Share(1, 1)


def test_no_alerts_miss_every_window_that_reached_its_limit():
    score = score_alerts([], {(1, 1), (2, 1)})
    assert (score.precision.value, score.recall, score.missed, score.lead_days) == (None, Share(0, 2), 2, None)


@given(st.lists(told), st.sets(windows))
def test_precision_and_recall_are_what_counting_one_by_one_gives(alerts, reached):
    score = score_alerts(alerts, reached)
    right = [alert for alert in alerts if alert.verdict is Verdict.EARLY]
    wrong = [alert for alert in alerts if alert.verdict is Verdict.FALSE]
    assert score.told == score.early + score.false + score.at_limit
    assert (score.precision.hits, score.precision.count) == (len(right), len(right) + len(wrong))
    came = reached | {alert.window for alert in right}
    warned = [window for window in came if any(alert.window == window for alert in right)]
    assert (score.recall.hits, score.recall.count) == (len(warned), len(came))
    leads = [max(alert.lead_days for alert in right if alert.window == window) for window in warned]
    assert (score.lead_days and score.lead_days.median) == (median(leads) if leads else None)


# Forecasts


def test_the_error_of_a_chance_is_that_of_brier():
    score = score_forecasts(
        [
            Expected(0.9, True, True, total_in_range=True),
            Expected(0.7, False, True, total_in_range=False),
            Expected(0.2, True, False, total_in_range=True),
            Expected(0.0, False, False, total_in_range=True),
        ]
    )
    assert score.brier == pytest.approx((0.01 + 0.49 + 0.64 + 0) / 4)
    assert score.run_rate_brier == 0.5
    assert score.skill == pytest.approx(1 - 0.285 / 0.5)
    assert score.total_coverage == Share(3, 4)


@settings(max_examples=40)
@given(st.lists(expected, min_size=1, max_size=20))
def test_the_error_is_reliability_less_resolution_plus_uncertainty(forecasts):
    """A. H. Murphy's partition of the Brier score by distinct chances (J. Appl. Meteorology 12, 1973), in fractions."""
    count = len(forecasts)
    rate = Fraction(sum(each.was_reached for each in forecasts), count)
    parts = rate * (1 - rate)
    for chance in {each.chance for each in forecasts}:
        group = [each for each in forecasts if each.chance == chance]
        seen = Fraction(sum(each.was_reached for each in group), len(group))
        parts += Fraction(len(group), count) * ((Fraction(round(chance * 1000), 1000) - seen) ** 2 - (seen - rate) ** 2)
    assert score_forecasts(forecasts).brier == pytest.approx(float(parts))


@given(st.lists(expected), st.integers(1, 20))
def test_every_forecast_is_in_the_one_bin_that_holds_its_chance(forecasts, bins):
    score = score_forecasts(forecasts, bins=bins)
    assert all(first.high == second.low for first, second in pairwise(score.bins))
    for each in score.bins:
        inside = [f for f in forecasts if each.low <= f.chance < each.high or f.chance == each.high == 1]
        nearby = abs(len(inside) - each.reached.count)
        assert nearby <= sum(abs(f.chance * bins - round(f.chance * bins)) < 1e-9 for f in forecasts)
        if each.mean_chance is not None:
            assert each.low - 1e-9 <= each.mean_chance <= each.high + 1e-9
    assert sum(each.reached.count for each in score.bins) == len(forecasts)
    assert sum(each.reached.hits for each in score.bins) == sum(f.was_reached for f in forecasts)


def test_certainty_is_in_the_last_bin():
    score = score_forecasts([Expected(1.0, True, True, total_in_range=True)])
    assert score.bins[-1].reached == Share(1, 1)


def test_dates_are_compared_where_one_was_told_and_came():
    score = score_forecasts(
        [
            Expected(0.9, True, True, True, date_in_range=True, date_error_days=1.0, date_error_share=0.1),
            Expected(0.9, True, True, True, date_in_range=False, date_error_days=3.0, date_error_share=0.3),
            Expected(0.1, False, False, True),
        ]
    )
    assert score.date_coverage == Share(1, 2)
    assert (score.date_error_days.median, score.date_error_share.median) == (2.0, 0.2)


def test_no_forecasts_have_no_figures():
    score = score_forecasts([])
    assert (score.brier, score.run_rate_brier, score.skill, score.total_coverage.value) == (None, None, None, None)


def test_there_is_no_skill_against_a_reference_without_error():
    assert (find_skill(0.1, 0.0), find_skill(None, 0.3), find_skill(0.1, 0.4)) == (None, None, 0.75)


# Thresholds


@settings(max_examples=25)
@given(st.lists(watched, min_size=20, max_size=60))
def test_the_advice_is_the_best_of_all_that_keep_the_recall(windows):
    advice = advise_threshold(windows, present=0.8)
    if sum(each.was_reached for each in windows) < 5:
        assert (advice.best, advice.present) == (None, None)
        return
    trials = [try_threshold(windows, number / 100) for number in range(1, 100)]
    kept = [trial for trial in trials if trial.recall.hits * 100 >= 95 * trial.recall.count]
    assert (advice.best is None) == (not kept)
    assert advice.present.threshold == 0.8
    if advice.best is not None:
        assert advice.best in kept
        for trial in kept:
            better = (trial.precision.value or 0, trial.threshold) > (
                advice.best.precision.value or 0,
                advice.best.threshold,
            )
            assert not better


def test_the_advice_in_numbers():
    """Nineteen of twenty that came are above 0.74, with two that did not; above 0.85 the recall would be lost."""
    windows = [Watched(0.86, True)] * 15 + [Watched(0.74, True)] * 4 + [Watched(0.3, True)]
    windows += [Watched(0.80, False)] * 2 + [Watched(0.5, False)] * 10
    advice = advise_threshold(windows, present=0.85)
    assert (advice.best.threshold, advice.best.recall, advice.best.precision) == (0.74, Share(19, 20), Share(19, 21))
    assert (advice.present.recall, advice.present.precision) == (Share(15, 20), Share(15, 15))


@pytest.mark.parametrize(("windows", "reached"), [(19, 19), (40, 4)])
def test_too_few_windows_advise_nothing(windows, reached):
    advice = advise_threshold([Watched(0.9, number < reached) for number in range(windows)], present=0.8)
    assert (advice.windows, advice.reached, advice.best, advice.is_enough) == (windows, reached, None, False)


def test_where_no_threshold_keeps_the_recall_only_the_present_one_is_told():
    advice = advise_threshold([Watched(None, True)] * 10 + [Watched(0.9, True)] * 10, present=0.8)
    assert (advice.best, advice.is_enough, advice.present.recall) == (None, True, Share(10, 20))
