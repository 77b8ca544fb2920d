"""What is told of a window that is lived again. The rules themselves are tested in tests/metering/alerts."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.alerts.states import Chance
from metering.trials import replaying
from metering.trials.replaying import Foretold, replay_window
from tests.metering.grading.makers import NOVEMBER, day
from tests.metering.trials.makers import make_set, make_tried


def told(window, rules=None, forecasts=()) -> list[tuple[datetime, str, int]]:
    spoken = replay_window(rules or make_set(), window, forecasts)
    return [(each.at, each.kind, int(each.level)) for each in spoken]


def foretell(*chances: str, days: int = 30) -> list[Foretold]:
    return [
        Foretold(day(number, 0), Chance(Decimal(chance), Decimal(days)))
        for number, chance in enumerate(chances, start=2)
    ]


def test_levels_are_told_at_the_end_of_the_hour_in_which_they_were_reached():
    window = make_tried((day(5), 79), (day(6), 80), (day(7), 99), (day(8), 100), (day(9), 126))
    assert told(window) == [(day(6), "usage", 80), (day(8), "usage", 100), (day(9), "usage", 125)]


def test_of_several_levels_at_once_the_highest_is_told():
    assert told(make_tried((day(5), 130))) == [(day(5), "usage", 125)]


def test_what_is_told_says_what_was_used_of_what():
    [each] = replay_window(make_set(), make_tried((day(5), 85)))
    assert (each.rule, each.severity, each.used, each.quantity, each.tells_rep) == ("Usage", "warning", 85, 100, True)


def test_a_level_that_fell_and_came_back_is_told_once_a_day():
    up, down = [(day(6, 1), 85), (day(6, 9), 86)], (day(6, 5), 60)
    assert told(make_tried(up[0], down, up[1])) == [(day(6, 1), "usage", 80)]
    later = make_tried(up[0], down, (day(7, 5), 86))
    assert told(later) == [(day(6, 1), "usage", 80), (day(7, 5), "usage", 80)]


def test_a_raised_limit_is_told_by_its_own_levels():
    window = make_tried((day(6), 92), (day(20), 245), changes=[(day(8), 300)])
    assert told(window) == [(day(6), "usage", 80), (day(20), "usage", 80)]


def test_a_raise_that_leaves_the_level_standing_is_not_told_again():
    assert told(make_tried((day(6), 95), changes=[(day(8), 115)])) == [(day(6), "usage", 80)]


def test_a_limit_that_is_set_below_what_was_used_is_told_at_once():
    window = make_tried((day(6), 500), quantity=1000, changes=[(day(10), 400)])
    assert told(window) == [(day(10), "usage", 125)]


def test_unlimited_windows_are_told_by_quantities_alone():
    rules = make_set(rules=[{"name": "Big", "kind": "usage", "unit": "absolute", "levels": [500]}])
    window = make_tried((day(6), 600), quantity=None)
    assert (told(window), told(window, rules)) == ([], [(day(6), "usage", 500)])


def test_an_alarm_takes_as_many_forecasts_in_a_row_as_the_rule_says():
    window = make_tried((day(2, 0), 10))
    assert told(window, forecasts=foretell("0.9", "0.7", "0.85", "0.8", "0.9")) == [(day(5, 0), "forecast", 100)]
    strict = make_set(rules=[{"name": "Sure", "kind": "forecast", "alarm_from": "0.85", "runs": 3}])
    assert told(window, strict, foretell("0.9", "0.85", "0.8", "0.9", "0.9", "0.9")) == [(day(7, 0), "forecast", 100)]


def test_an_alarm_is_told_again_once_it_was_cleared():
    window = make_tried((day(2, 0), 10))
    forecasts = foretell("0.9", "0.9", "0.5", "0.4", "0.9", "0.9")
    assert told(window, forecasts=forecasts) == [(day(3, 0), "forecast", 100), (day(7, 0), "forecast", 100)]


def test_too_few_days_of_data_raise_no_alarm():
    assert told(make_tried((day(2, 0), 10)), forecasts=foretell("0.9", "0.9", days=6)) == []


def test_forecasts_of_another_limit_do_not_confirm():
    window = make_tried((day(2, 0), 10), changes=[(day(2, 12), 120)])
    assert told(window, forecasts=foretell("0.9", "0.9")) == []
    assert told(window, forecasts=foretell("0.9", "0.9", "0.9")) == [(day(4, 0), "forecast", 100)]


def test_nothing_is_foretold_of_a_limit_that_is_reached():
    window = make_tried((day(2, 0), 100))
    assert told(window, make_set(rules=[{"name": "Forecast", "kind": "forecast"}]), foretell("1", "1")) == []


def test_the_closest_rule_holds():
    window = make_tried((day(5), 60), plan="pro")
    rules = make_set(
        rules=[
            {"name": "all", "kind": "usage", "levels": [80]},
            {"name": "of pro", "kind": "usage", "levels": [50], "plan": "pro"},
            {"name": "of free", "kind": "usage", "levels": [10], "plan": "free"},
        ]
    )
    assert [each.rule for each in replay_window(rules, window)] == ["of pro"]


@pytest.mark.parametrize("unit", ["percent", "absolute"])
@given(
    totals=st.lists(st.integers(-20, 200), max_size=25),
    levels=st.lists(st.integers(1, 150), min_size=1, max_size=3, unique=True),
    change=st.none() | st.tuples(st.integers(0, 25), st.integers(0, 300)),
)
def test_looking_only_where_something_can_come_of_it_tells_the_same(unit, totals, levels, change):
    used = [(NOVEMBER + timedelta(hours=7 * number), total) for number, total in enumerate(totals, start=1)]
    changes = [] if change is None else [(NOVEMBER + timedelta(hours=7 * change[0] + 3), change[1])]
    window = make_tried(*used, changes=changes)
    rules = make_set(
        rules=[
            {"name": "Usage", "kind": "usage", "unit": unit, "levels": levels, "repeat_every": 40, "rearm_points": 3}
        ]
    )
    spoken = replay_window(rules, window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "is_idle", lambda *args, **options: False)
        assert replay_window(rules, window) == spoken
