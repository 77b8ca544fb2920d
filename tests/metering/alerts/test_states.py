from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from metering.alerts.states import (
    ALARM,
    CLEAR,
    Chance,
    Decision,
    Past,
    Quiet,
    decide,
    judge_chances,
    look_at,
    look_at_forecast,
)
from metering.alerts.terms import Rule, build_ladder, find_rule

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMIT = Decimal(100)


def make_rule(*levels: int, id: int = 1, kind: str = "usage", step: int | None = 25, **terms: Any) -> Rule:
    numbers = [Decimal(level) for level in levels or (80, 100)]
    return Rule(
        id=id,
        kind=kind,
        unit="percent",
        ladder=build_ladder(numbers, unit="percent", step=step and Decimal(step), is_falling=False),
        severities={Decimal(80): "warning", Decimal(100): "critical"},
        **terms,
    )


def make_past(level: int, state: str = "told", *, id: int = 1, **more: Any) -> Past:
    terms: dict[str, Any] = {"epoch": 1, "arming": 1, "base": LIMIT, "detected_at": NOON - 48 * HOUR, **more}
    return Past(id=id, level=Decimal(level), state=state, **terms)


def see(
    position: int, past: Sequence[Past] = (), *, rule: Rule | None = None, at: datetime = NOON, **more: Any
) -> Decision:
    snoozes = more.pop("snoozes", ())
    rule = rule or make_rule()
    look = look_at(rule, past, Fraction(position), **{"epoch": 1, "base": LIMIT} | more)
    return decide(rule, past, look, at=at, snoozes=snoozes)


def tell(decision: Decision) -> list[tuple[int, int, str]]:
    return [(int(new.level), new.arming, new.silence or new.state) for new in decision.alerts]


def test_nothing_is_decided_twice():
    first = see(130)
    assert tell(first) == [(80, 1, "superseded"), (100, 1, "superseded"), (125, 1, "told")]
    past = [
        make_past(int(new.level), new.state, id=number, detected_at=NOON) for number, new in enumerate(first.alerts)
    ]
    assert see(130, past) == Decision((), (), (), Decimal(125))


def test_a_level_that_was_left_is_armed_once_more():
    past = [make_past(80), make_past(100, id=2)]
    fallen = see(70, past)
    assert fallen.resolved == ((1, "fell"), (2, "fell"))
    over = [make_past(80, resolved_at=NOON, recovery="fell"), make_past(100, id=2, resolved_at=NOON, recovery="fell")]
    assert tell(see(85, over)) == [(80, 2, "told")]
    assert tell(see(105, over)) == [(80, 2, "superseded"), (100, 2, "told")]


def test_what_ended_with_its_window_is_not_armed_again():
    past = [make_past(80, resolved_at=NOON, recovery="window_ended")]
    assert tell(see(85, past)) == []
    assert tell(see(101, past)) == [(100, 1, "told")]


@pytest.mark.parametrize(("hours", "what"), [(23, "flap"), (24, "told")])
def test_a_level_is_told_once_within_the_hours_of_its_rule(hours, what):
    past = [make_past(80, detected_at=NOON - hours * HOUR, resolved_at=NOON - HOUR, recovery="fell")]
    assert tell(see(85, past)) == [(80, 2, what)]


def test_a_reminder_counts_as_being_told():
    past = [make_past(80, reminded_at=NOON - HOUR, resolved_at=NOON, recovery="fell")]
    assert tell(see(85, past)) == [(80, 2, "flap")]


def test_what_a_flap_kept_silent_does_not_make_the_next_one_wait():
    past = [
        make_past(80, resolved_at=NOON - 40 * HOUR, recovery="fell"),
        make_past(80, "suppressed", id=2, arming=2, detected_at=NOON - HOUR, resolved_at=NOON, recovery="fell"),
    ]
    assert tell(see(85, past)) == [(80, 3, "told")]


@pytest.mark.parametrize(
    ("base", "position", "resolved", "told"),
    [
        (115, 82, [], [(80, 1, "superseded")]),  # raised, and it still holds
        (117, 78, [(1, "limit_changed")], []),  # raised, and it does not, if only by a little
        (96, 99, [], [(80, 1, "told")]),  # lowered
        (90, 105, [], [(80, 1, "superseded"), (100, 1, "told")]),
    ],
)
def test_another_limit(base, position, resolved, told):
    decision = see(position, [make_past(80)], epoch=2, base=Decimal(base))
    assert list(decision.resolved) == resolved
    assert tell(decision) == told


def test_what_a_limit_had_that_was_taken_away_is_over():
    rule, past = make_rule(), [make_past(80), make_past(100, "superseded", id=2)]
    decision = decide(rule, past, look_at(rule, past, None, epoch=2, base=None), at=NOON)
    assert decision.resolved == ((1, "limit_changed"), (2, "limit_changed"))


def test_by_no_rule_nothing_is_reached_and_what_stands_still_ends():
    past = [make_past(80)]
    look = look_at(None, past, Fraction(75), epoch=1, base=LIMIT)
    assert decide(None, past, look, at=NOON).resolved == ((1, "fell"),)
    assert decide(None, [], look_at(None, [], Fraction(500), epoch=1, base=LIMIT), at=NOON).alerts == ()


# Snoozes


def quiet(*, until: datetime | None = NOON + HOUR, until_level: int | None = None) -> Quiet:
    return Quiet(7, NOON - HOUR, until, None if until_level is None else Decimal(until_level))


def test_a_snooze_covers_what_stood_when_it_was_made_and_no_more():
    past = [make_past(80, resolved_at=NOON - HOUR / 2, recovery="fell")]
    assert tell(see(85, past, snoozes=[quiet()])) == [(80, 2, "snoozed")]
    assert tell(see(101, past, snoozes=[quiet()]))[-1] == (100, 1, "told")


def test_a_snooze_of_what_did_not_stand_covers_what_is_not_critical():
    assert tell(see(85, snoozes=[quiet()])) == [(80, 1, "snoozed")]
    assert tell(see(101, snoozes=[quiet()]))[-1] == (100, 1, "told")


def test_a_snooze_until_a_level_covers_all_below_and_ends_there():
    below = see(124, [make_past(80)], snoozes=[quiet(until=None, until_level=125)])
    assert (tell(below), below.ended_snoozes) == ([(100, 1, "snoozed")], ())
    there = see(125, [make_past(80)], snoozes=[quiet(until=None, until_level=125)])
    assert (tell(there)[-1], there.ended_snoozes) == ((125, 1, "told"), (7,))


def test_a_snooze_is_over_at_its_moment():
    assert tell(see(85, snoozes=[quiet(until=NOON)])) == [(80, 1, "told")]


# Forecasts


@pytest.mark.parametrize(
    ("chances", "verdict"),
    [
        (["0.8", "0.8"], ALARM),
        (["0.8"], ""),
        (["0.9", "0.79"], ""),
        (["0.5", "0.5", "0.9"], CLEAR),
        (["0.5", "0.51"], ""),
        ([None, "0.9"], ""),
    ],
)
def test_as_many_forecasts_as_the_rule_wants_must_agree(chances, verdict):
    told = [Chance(each and Decimal(each), Decimal(30)) for each in chances]
    assert judge_chances(told, make_rule(kind="forecast")) == verdict


@pytest.mark.parametrize(("days", "verdict"), [("6.99", ""), ("7", ALARM)])
def test_a_forecast_of_few_days_agrees_with_nothing(days, verdict):
    chances = [Chance(Decimal("0.99"), Decimal(30)), Chance(Decimal("0.99"), Decimal(days))]
    assert judge_chances(chances, make_rule(kind="forecast")) == verdict


@pytest.mark.parametrize(
    ("base", "resolved"), [(300, [(1, "limit_changed")]), (50, []), (None, [(1, "limit_changed")])]
)
def test_a_forecasts_alarm_ends_with_a_raise(base, resolved):
    past, rule = [make_past(100)], make_rule(100, kind="forecast", step=None)
    look = look_at_forecast(rule, past, "", epoch=2, base=base and Decimal(base))
    assert list(decide(rule, past, look, at=NOON).resolved) == resolved


# Whose rule holds


def test_the_rule_that_is_closest_holds():
    everybody = make_rule(id=1)
    meter = make_rule(id=2, meter_id=5)
    plan = make_rule(id=3, plan="small")
    account = make_rule(id=4, account_id=9)
    account_meter = make_rule(id=5, account_id=9, meter_id=5)
    rules = [everybody, meter, plan, account, account_meter]

    def find(**whom: Any) -> int:
        found = find_rule(rules, kind="usage", unit="percent", **whom)
        assert found is not None
        return found.id

    assert find(account_id=1) == 1
    assert find(account_id=1, meter_id=5) == 2
    assert find(account_id=1, meter_id=5, plan="small") == 3
    assert find(account_id=9, plan="small", meter_id=6) == 4
    assert find(account_id=9, plan="small", meter_id=5) == 5
    assert find_rule(rules, kind="usage", unit="absolute", account_id=9) is None
