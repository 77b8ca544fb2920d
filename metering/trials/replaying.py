"""One window lived again under one set of rules, hour by hour: what it would have said. Pure.

The rules are those of `metering.alerts`: what is decided here is decided by the same functions, with an alert's row
replaced by a value. Detection is taken to come at the end of the hour in which a level was reached.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from heapq import merge

from metering.alerts.levels import find_position
from metering.alerts.states import (
    TOLD,
    Chance,
    Decision,
    Look,
    Past,
    decide,
    judge_chances,
    look_at,
    look_at_forecast,
)
from metering.alerts.terms import ABSOLUTE, FORECAST, PERCENT, USAGE, Rule, find_next_total, find_rule
from metering.trials.rule_sets import TrialRule, TrialSet
from metering.trials.windows import Allowed, TriedWindow, Used


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a forecast said of a window at a moment."""

    at: datetime
    chance: Chance


@dataclass(frozen=True, slots=True)
class Spoken:
    """An alert that would have been told. `quantity` is the limit then, `used` what had been used."""

    at: datetime
    rule: str
    kind: str
    level: Decimal
    severity: str
    used: Decimal
    quantity: Decimal | None
    tells_rep: bool


@dataclass(slots=True)
class Memory:
    """The alerts that one rule made of a window so far, in place of their rows."""

    past: list[Past] = field(default_factory=list)

    def take(self, decision: Decision, *, epoch: int, base: Decimal | None, at: datetime) -> list[Past]:
        """Note what was decided; returns what is told."""
        over = dict(decision.resolved)
        self.past = [
            replace(each, resolved_at=at, recovery=over[each.id]) if each.id in over else each for each in self.past
        ]
        new = [
            Past(
                id=len(self.past) + number, epoch=epoch, level=each.level, arming=each.arming, state=each.state,
                base=base, detected_at=at,
            )
            for number, each in enumerate(decision.alerts)
        ]  # fmt: skip
        self.past += new
        return [each for each in new if each.state == TOLD]

    @property
    def is_open(self) -> bool:
        return any(each.is_open for each in self.past)


def replay_window(rules: TrialSet, window: TriedWindow, forecasts: Sequence[Foretold] = ()) -> list[Spoken]:
    """Everything that the rules would have told of the window, in the order of time."""
    spoken: list[Spoken] = []
    for unit in (PERCENT, ABSOLUTE):
        if rule := choose_rule(rules, window, USAGE, unit):
            spoken += replay_usage(rule, window)
    if forecasts and (rule := choose_rule(rules, window, FORECAST, PERCENT)):
        spoken += replay_forecasts(rule, window, forecasts)
    return sorted(spoken, key=lambda each: each.at)


def choose_rule(rules: TrialSet, window: TriedWindow, kind: str, unit: str) -> TrialRule | None:
    found = find_rule(
        [each.rule for each in rules.rules], kind=kind, unit=unit, account_id=window.account.id, plan=window.plan,
        meter_id=window.meter_id,
    )  # fmt: skip
    return next((each for each in rules.rules if each.rule is found), None)


def replay_usage(tried: TrialRule, window: TriedWindow) -> Iterator[Spoken]:
    """Looks only where something can come of it: a level is reached, one may be left, or the limit was changed."""
    rule, memory = tried.rule, Memory()
    is_percent = rule.unit == PERCENT
    allowed, used, used_at_change = window.allowed[0], Decimal(0), Decimal(0)
    next_total = find_next_total(rule, allowed.quantity)
    for moment in list_moments(window):
        before = used
        if isinstance(moment, Allowed):
            allowed, used_at_change = moment, used
        else:
            used = moment.total
            if is_idle(rule, memory, before=before, used=used, next_total=next_total):
                continue
        base, epoch = (allowed.quantity, allowed.epoch) if is_percent else (None, 1)
        look = look_at_total(rule, memory, used, used_at_change if is_percent else None, epoch=epoch, base=base)
        decision = decide(rule, memory.past, look, at=moment.at)
        told = memory.take(decision, epoch=epoch, base=base, at=moment.at)
        next_total = find_next_total(rule, allowed.quantity, beyond=decision.furthest)
        for alert in told:
            yield speak(tried, alert, used=used, quantity=allowed.quantity)


def look_at_total(
    rule: Rule, memory: Memory, used: Decimal, first: Decimal | None, *, epoch: int, base: Decimal | None
) -> Look:
    """`first` is what was used when the limit was set, where that matters."""
    is_percent, is_falling = rule.unit == PERCENT, rule.ladder.is_falling
    at_first = used if first is None else first
    return look_at(
        rule,
        memory.past,
        find_position(used, base, is_percent=is_percent, is_falling=is_falling),
        epoch=epoch,
        base=base,
        before=find_position(at_first, base, is_percent=is_percent, is_falling=is_falling),
    )


def list_moments(window: TriedWindow) -> Iterator[Used | Allowed]:
    """What moved within the window, in time; of one moment the usage before the change."""
    used: list[Used | Allowed] = [each for each in window.used if each.at <= window.end]
    changed: list[Used | Allowed] = [each for each in window.allowed[1:] if each.at < window.end]
    yield from merge(used, changed, key=lambda moment: moment.at)  # of equals the first list comes first


def is_idle(rule: Rule, memory: Memory, *, before: Decimal, used: Decimal, next_total: Decimal | None) -> bool:
    """Whether usage that moved so can neither reach a level nor leave one."""
    if rule.ladder.is_falling:
        return False
    if used < before:
        return not memory.is_open
    return next_total is None or used < next_total


def replay_forecasts(tried: TrialRule, window: TriedWindow, forecasts: Sequence[Foretold]) -> Iterator[Spoken]:
    """Forecasts of one epoch agree or not; what was said of the limit before a change says nothing of it after."""
    rule, memory = tried.rule, Memory()
    allowed = window.allowed[0]
    told: list[Chance] = []
    for each in forecasts:
        present = [change for change in window.allowed if change.at <= each.at][-1]
        if present.epoch != allowed.epoch:
            allowed, told = present, []
        told.insert(0, each.chance)
        used = window.find_total(each.at)
        is_reached = allowed.quantity is not None and used > 0 and used >= allowed.quantity
        verdict = "" if is_reached else judge_chances(told, rule)
        look = look_at_forecast(rule, memory.past, verdict, epoch=allowed.epoch, base=allowed.quantity)
        decision = decide(rule, memory.past, look, at=each.at)
        for alert in memory.take(decision, epoch=allowed.epoch, base=allowed.quantity, at=each.at):
            yield speak(tried, alert, used=used, quantity=allowed.quantity)


def speak(tried: TrialRule, alert: Past, *, used: Decimal, quantity: Decimal | None) -> Spoken:
    return Spoken(
        at=alert.detected_at, rule=tried.name, kind=tried.rule.kind, level=alert.level,
        severity=tried.rule.find_severity(alert.level), used=used, quantity=quantity, tells_rep=tried.tells_rep,
    )  # fmt: skip
