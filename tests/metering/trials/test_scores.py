from datetime import timedelta

import pytest

from metering.grading.scores import Share
from metering.trials.replaying import replay_window
from metering.trials.scores import Trial
from tests.metering.grading.makers import DECEMBER, NOVEMBER, day
from tests.metering.trials.makers import make_set, make_tried


def score(*windows, start=NOVEMBER, end=DECEMBER, at=DECEMBER):
    trial = Trial("tried", start, end, at)
    said = [each for window in windows for each in trial.add(window, replay_window(make_set(), window))]
    return trial.result(), said


def test_alerts_come_true_are_wrong_or_come_too_late():
    right = make_tried((day(5), 85), (day(9), 100))
    wrong = make_tried((day(5), 85), (day(9), 90))
    missed = make_tried((day(9), 110))
    result, said = score(right, wrong, missed)
    assert (result.told, result.early, result.wrong, result.at_limit, result.undecided) == (4, 1, 1, 2, 0)
    assert (result.precision, result.recall) == (Share(1, 2), Share(1, 2))
    assert result.lead_days.median == 4.0
    [one] = result.missed
    assert (one.meter_key, one.quantity, one.reached_at) == ("requests", 100, day(9))
    assert [each.is_early for each in said] == [True, False, False, False]
    assert result.by_rule == {"Usage": 4}


def test_of_a_window_that_runs_nobody_knows_yet():
    window = make_tried((day(5), 85))
    assert [score(window, at=at)[0].undecided for at in (day(9), DECEMBER)] == [1, 0]
    assert score(window, at=day(9))[0].precision == Share(0, 0)


def test_only_what_is_told_within_the_time_counts_but_earlier_alerts_save_from_missing():
    window = make_tried((day(5), 85), (day(9), 100))
    result, _ = score(window, start=day(8, 0))
    assert (result.told, result.at_limit, result.reached, result.missed_count) == (1, 1, 1, 0)
    result, _ = score(window, end=day(8, 0))
    assert (result.told, result.early, result.reached) == (1, 1, 0)


def test_a_warning_of_a_limit_that_was_raised_before_it_came_true_is_right():
    result, _ = score(make_tried((day(5), 85), (day(9), 120), changes=[(day(7), 300)]))
    assert (result.early, result.wrong, result.reached) == (1, 0, 0)


def test_a_warning_of_a_window_that_was_cut_short_is_judged_by_the_whole():
    window = make_tried((day(5), 85), (day(20), 120), end=day(9), whole_end=DECEMBER)
    result, _ = score(window)
    assert (result.early, result.told, result.reached) == (1, 1, 0)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([(day(6), 500)], [(400, day(10))]),  # was used when the lower limit was set
        ([(day(6), 500), (day(8), 300)], []),  # had fallen by then
        ([(day(6), 500), (day(8), 300), (day(12), 450)], [(400, day(12))]),
        ([(day(6), 1000)], [(1000, day(6)), (400, day(10))]),
    ],
)
def test_each_limit_is_reached_while_it_holds(used, expected):
    result, _ = score(make_tried(*used, quantity=1000, changes=[(day(10), 400)]))
    assert result.reached == len(expected)
    assert [(each.quantity, each.reached_at) for each in result.missed] == [
        each for each in expected if each in [(each.quantity, each.reached_at) for each in result.missed]
    ]


def test_of_many_that_were_missed_the_first_are_listed():
    result, _ = score(*[make_tried((day(9) + timedelta(hours=number), 130)) for number in range(25)])
    assert (result.missed_count, len(result.missed)) == (25, 20)
