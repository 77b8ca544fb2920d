"""What becomes of the levels of one key when it is looked at again: told, kept silent, or over. Pure.

A key is what a rule watches within a window: account, kind, unit, meter or subject. Its alerts are told apart by the
epoch of the base (a limit that somebody changed), the level, and the arming: how often the level was armed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from metering.alerts.levels import is_left, is_reached, list_reached
from metering.alerts.terms import CRITICAL, Rule

TOLD, SUPERSEDED, SUPPRESSED = "told", "superseded", "suppressed"
FLAP, SNOOZED, LATE = "flap", "snoozed", "late"
FELL, LIMIT_CHANGED, FORECAST_FELL, WINDOW_ENDED = "fell", "limit_changed", "forecast_fell", "window_ended"
ALARM, CLEAR = "alarm", "clear"
DEFAULT_MARGIN = Decimal(5)  # of an alert whose rule is gone


@dataclass(frozen=True, slots=True)
class Past:
    """An alert of the key, of any epoch; `base` is the one it saw."""

    id: int
    epoch: int
    level: Decimal
    arming: int
    state: str
    base: Decimal | None
    detected_at: datetime
    resolved_at: datetime | None = None
    recovery: str = ""
    reminded_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def is_armed(self) -> bool:
        """Whether its level may speak again in this window."""
        return self.resolved_at is not None and self.recovery != WINDOW_ENDED

    @property
    def spoke_at(self) -> datetime | None:
        """When anybody last heard of it."""
        return self.reminded_at or (self.detected_at if self.state == TOLD else None)


@dataclass(frozen=True, slots=True)
class Quiet:
    """A snooze: nobody wants to hear of it `until` a moment, or until a level is reached."""

    id: int
    made_at: datetime
    until: datetime | None
    until_level: Decimal | None


@dataclass(frozen=True, slots=True)
class Chance:
    """What a forecast said: of reaching the limit (None where it could not say), by so many days of data."""

    p_hit: Decimal | None
    days_of_data: Decimal


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a key at a moment.

    `reached` are the levels that hold, nearest first; `left` those of past alerts that are armed again, `holding` those
    that hold. `held_before` are the levels of past alerts that held already when the base was set: of no other can a
    new base say that it still holds.
    """

    epoch: int
    base: Decimal | None
    reached: tuple[Decimal, ...]
    left: frozenset[Decimal]
    held_before: frozenset[Decimal]
    is_final: bool = False
    recovery: str = FELL


@dataclass(frozen=True, slots=True)
class NewAlert:
    level: Decimal
    arming: int
    state: str
    silence: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """`resolved` are ids of past alerts with the reason; `furthest` is the level beyond which the next one lies."""

    alerts: tuple[NewAlert, ...]
    resolved: tuple[tuple[int, str], ...]
    ended_snoozes: tuple[int, ...]
    furthest: Decimal | None


def look_at(
    rule: Rule | None,
    past: Collection[Past],
    position: Fraction | None,
    *,
    epoch: int,
    base: Decimal | None,
    before: Fraction | None = None,
    is_final: bool = False,
) -> Look:
    """Where the position stands on the rule's ladder. `before` is where it stood when the base was set, if known."""
    margin = rule.rearm_points if rule else DEFAULT_MARGIN
    is_falling = rule is not None and rule.ladder.is_falling
    levels = {each.level for each in past if each.is_open}
    if position is None:
        return Look(epoch, base, (), frozenset(levels), frozenset(), is_final, LIMIT_CHANGED)
    first = position if before is None else before
    reached = list_reached(rule.ladder, position) if rule else []
    if is_final:
        reached = [level for level in reached if not is_reached(level, first, is_falling=is_falling)]
    return Look(
        epoch=epoch,
        base=base,
        reached=tuple(reached),
        left=frozenset(level for level in levels if is_left(level, position, margin=margin, is_falling=is_falling)),
        held_before=frozenset(level for level in levels if is_reached(level, first, is_falling=is_falling)),
        is_final=is_final,
    )


def look_at_forecast(
    rule: Rule | None, past: Collection[Past], verdict: str, *, epoch: int, base: Decimal | None
) -> Look:
    """An alarm stands until it is cleared, or until its limit was raised; a lowered limit is reached all the sooner."""
    standing = [each for each in past if each.is_open]
    levels = frozenset(each.level for each in standing)
    if base is None:
        return Look(epoch, base, (), levels, frozenset(), recovery=LIMIT_CHANGED)
    return Look(
        epoch=epoch,
        base=base,
        reached=rule.ladder.levels if rule and verdict == ALARM else (),
        left=levels if verdict == CLEAR else frozenset(),
        held_before=frozenset(each.level for each in standing if each.base is not None and base <= each.base),
        recovery=FORECAST_FELL,
    )


def judge_chances(chances: Sequence[Chance], rule: Rule) -> str:
    """By the last forecasts, the latest first: as many in a row as the rule wants must agree.

    One that is made of too few days of data agrees with nothing.
    """
    asked = chances[: rule.confirmations]
    known = [each.p_hit for each in asked if each.p_hit is not None and each.days_of_data >= rule.min_days]
    if len(known) < rule.confirmations:
        return ""
    if all(p_hit >= rule.p_on for p_hit in known):
        return ALARM
    return CLEAR if all(p_hit <= rule.p_off for p_hit in known) else ""


def decide(
    rule: Rule | None, past: Sequence[Past], look: Look, *, at: datetime, snoozes: Sequence[Quiet] = ()
) -> Decision:
    """What is newly reached, and what is over. Deciding again by what was decided changes nothing.

    Of several levels that are newly reached the furthest speaks, the nearer ones are superseded by it. What was told
    of a base that was raised since, and still holds, does not speak again; of a lowered one it does.
    """
    resolved = [] if look.is_final else find_resolved(past, look)
    over = {alert_id for alert_id, _ in resolved}
    current = [each for each in past if each.epoch == look.epoch]
    standing = {each.level for each in current if each.id not in over and not each.is_armed}
    inherited = find_inherited(past, look, over) - {each.level for each in current}
    is_falling = rule is not None and rule.ladder.is_falling
    furthest = find_furthest(standing | inherited, is_falling=is_falling)
    fresh = [
        level for level in look.reached if furthest is None or (level < furthest if is_falling else level > furthest)
    ]
    armings = {each.level: max(other.arming for other in current if other.level == each.level) for each in current}
    alerts = [NewAlert(level, 1, SUPERSEDED) for level in sorted(inherited)]
    alerts += [NewAlert(level, armings.get(level, 0) + 1, SUPERSEDED) for level in fresh[:-1]]
    ended: list[int] = []
    if fresh and rule is not None:
        top = fresh[-1]
        silence, ended = find_silence(rule, top, past, look, at=at, snoozes=snoozes)
        state = SUPPRESSED if silence else TOLD
        alerts.append(NewAlert(top, armings.get(top, 0) + 1, state, silence))
        furthest = top
    return Decision(tuple(alerts), tuple(resolved), tuple(ended), furthest)


def find_resolved(past: Sequence[Past], look: Look) -> list[tuple[int, str]]:
    """Those of the present epoch that were left; those of former ones with them, or when the new base clears them."""
    known = {each.level for each in past if each.epoch == look.epoch}
    resolved = []
    for each in past:
        if not each.is_open:
            continue
        if each.epoch != look.epoch and each.level not in known | look.held_before:
            resolved.append((each.id, LIMIT_CHANGED))
        elif each.level in look.left:
            resolved.append((each.id, look.recovery))
    return resolved


def find_inherited(past: Sequence[Past], look: Look, over: Collection[int]) -> set[Decimal]:
    """Levels that were on record of the base before, which was lower, and hold of the new one as it was set."""
    latest: dict[Decimal, Past] = {}
    for each in sorted(past, key=lambda one: (one.epoch, one.arming)):
        if each.epoch < look.epoch and each.is_open and each.id not in over:
            latest[each.level] = each
    return {
        level
        for level, each in latest.items()
        if look.base is not None and each.base is not None and look.base >= each.base
    }


def find_furthest(levels: Collection[Decimal], *, is_falling: bool) -> Decimal | None:
    return (min if is_falling else max)(levels, default=None)


def find_silence(
    rule: Rule, level: Decimal, past: Sequence[Past], look: Look, *, at: datetime, snoozes: Sequence[Quiet]
) -> tuple[str, list[int]]:
    """Why the level is not told, if it is not; and which snoozes it ends by being reached."""
    if look.is_final:
        return LATE, []
    running = [each for each in snoozes if each.made_at <= at and (each.until is None or at < each.until)]
    ended = [each.id for each in running if is_ended_by(each, rule, level)]
    if any(each.id not in ended and is_silent(each, rule, level, past) for each in running):
        return SNOOZED, ended
    spoken = [each.spoke_at for each in past if each.epoch == look.epoch and each.level == level and each.spoke_at]
    if any(at - moment < timedelta(hours=rule.renotify_hours) for moment in spoken):
        return FLAP, ended
    return "", ended


def is_ended_by(snooze: Quiet, rule: Rule, level: Decimal) -> bool:
    if snooze.until_level is None:
        return False
    return level <= snooze.until_level if rule.ladder.is_falling else level >= snooze.until_level


def is_silent(snooze: Quiet, rule: Rule, level: Decimal, past: Sequence[Past]) -> bool:
    """Whether the snooze covers the level: it does so up to the level that stood when it was made.

    Where none did, it covers whatever is not critical; one that names a level covers all up to that.
    """
    if snooze.until_level is not None:
        return True
    stood = [
        each.level
        for each in past
        if each.detected_at <= snooze.made_at and (each.resolved_at is None or each.resolved_at > snooze.made_at)
    ]
    furthest = find_furthest(stood, is_falling=rule.ladder.is_falling)
    if furthest is None:
        return rule.find_severity(level) != CRITICAL
    return level >= furthest if rule.ladder.is_falling else level <= furthest
