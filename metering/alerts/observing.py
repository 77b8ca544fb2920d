"""From what is seen to what is on record: rules are found, levels decided, alerts written and announced.

The caller's transaction holds what keeps two from deciding on one key at a time: the limit's row, or the account's.
Should both fail, the constraint keeps a level from speaking twice.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, LiteralString, NamedTuple

from django.db import connection, transaction

from metering import notices
from metering.alerts.facts import Observation
from metering.alerts.levels import find_position
from metering.alerts.rules import read_rules
from metering.alerts.states import (
    SUPERSEDED,
    TOLD,
    Decision,
    Look,
    NewAlert,
    Past,
    Quiet,
    decide,
    find_furthest,
    look_at,
    look_at_forecast,
)
from metering.alerts.terms import FORECAST, PERCENT, Rule, find_rule
from metering.locks import hold_accounts, hold_limits_for_change
from metering.models import Alert, AlertCause, Snooze

NOTHING_NEW = Decision((), (), (), None)


class Key(NamedTuple):
    """What a rule watches within a window."""

    account_id: int
    kind: str
    unit: str
    meter_id: int | None
    subject: str
    start: datetime


@dataclass(slots=True)
class Watched:
    """One key as it is seen, with its rule and its past, and what is decided of it."""

    seen: Observation
    rule: Rule | None
    past: Sequence[Past]
    look: Look
    decision: Decision = NOTHING_NEW

    @property
    def is_falling(self) -> bool:
        return self.rule is not None and self.rule.ladder.is_falling


@dataclass(slots=True)
class Draft:
    """An alert that is about to be written."""

    watched: Watched
    new: NewAlert
    crossed_at: datetime
    cause: str

    @property
    def limit_id(self) -> int:
        """Of an alert of a limit, as `meter_id`. Raises TypeError for one of something else."""
        return require(self.watched.seen.limit_id)

    @property
    def meter_id(self) -> int:
        return require(self.watched.seen.meter_id)

    def supersede(self) -> None:
        self.new = NewAlert(self.new.level, self.new.arming, SUPERSEDED)


def require(number: int | None) -> int:
    if number is None:
        raise TypeError("not an alert of a limit")
    return number


# An alert that is on record already, by another transaction, is left out.
INSERT_ALERTS: LiteralString = """
    INSERT INTO metering_alert (kind, unit, rule_id, account_id, meter_id, limit_id, subject, plan, time_zone,
        starts_at, ends_at, epoch, level, arming, severity, used, quantity, p_hit, crossed_at, detected_at, cause,
        state, silence, details, recovery, outcome)
    SELECT kind, unit, rule_id, account_id, meter_id, limit_id, subject, plan, time_zone, starts_at,
        ends_at, epoch, level, arming, severity, used, quantity, p_hit, crossed_at, detected_at, cause, state,
        silence, details, '', ''
    FROM jsonb_populate_recordset(NULL::metering_alert, %s::jsonb)
    ON CONFLICT DO NOTHING
    RETURNING id, state
"""

RESOLVE_ALERTS: LiteralString = """
    UPDATE metering_alert SET resolved_at = %s, recovery = over.recovery
    FROM unnest(%s::bigint[], %s::text[]) AS over (id, recovery)
    WHERE metering_alert.id = over.id AND resolved_at IS NULL
    RETURNING metering_alert.id
"""


@transaction.atomic
def observe(observations: Collection[Observation], *, at: datetime, cause: str = AlertCause.USAGE) -> list[int]:
    """Look at what is no limit's usage: record what is newly reached, resolve what is over. The ids of what is told.

    Seen again, the same changes nothing. The number of statements does not grow with the observations; their accounts
    are held until the caller's transaction ends. `cause` is why it is looked at, when not simply for its usage.
    """
    if not observations:
        return []
    hold_limits_for_change()
    hold_accounts({seen.account_id for seen in observations})
    watched = watch(observations)
    decide_all(watched, at=at)
    return write(watched, list_drafts(watched, at=at, cause=cause), at=at)


def watch(observations: Collection[Observation]) -> list[Watched]:
    """Each with the rule that holds for it, its past, and a look at its value."""
    accounts = {seen.account_id for seen in observations}
    rules = read_rules({seen.kind for seen in observations}, account_ids=accounts)
    past = read_past(observations)
    watched = []
    for seen in observations:
        rule = find_rule(
            rules,
            kind=seen.kind,
            unit=seen.unit,
            account_id=seen.account_id,
            plan=seen.plan,
            meter_id=seen.meter_id,
            currency=seen.currency,
            is_falling=seen.is_falling,
        )
        if rule is not None and seen.own_levels:
            rule = rule.add_levels(seen.own_levels)
        its_past = past[name_key(seen)]
        watched.append(Watched(seen, rule, its_past, look(seen, rule, its_past)))
    return watched


def look(seen: Observation, rule: Rule | None, past: Sequence[Past]) -> Look:
    if seen.kind == FORECAST:
        return look_at_forecast(rule, past, seen.verdict, epoch=seen.epoch, base=seen.base)
    before = seen.value if seen.value_before is None else seen.value_before
    return look_at(
        rule,
        past,
        find_rule_position(rule, seen, seen.value),
        epoch=seen.epoch,
        base=seen.base,
        before=find_rule_position(rule, seen, before),
        is_final=seen.is_final,
    )


def find_rule_position(rule: Rule | None, seen: Observation, value: Decimal) -> Fraction | None:
    is_falling = rule is not None and rule.ladder.is_falling
    return find_position(value, seen.base, is_percent=seen.unit == PERCENT, is_falling=is_falling)


def name_key(seen: Observation) -> Key:
    return Key(seen.account_id, seen.kind, seen.unit, seen.meter_id, seen.subject, seen.start)


def read_past(observations: Collection[Observation]) -> Mapping[Key, Sequence[Past]]:
    """The alerts of these keys, of any epoch. One statement."""
    found = Alert.objects.filter(
        account__in={seen.account_id for seen in observations},
        kind__in={seen.kind for seen in observations},
        starts_at__in={seen.start for seen in observations},
    )
    past: defaultdict[Key, list[Past]] = defaultdict(list)
    for alert in found.order_by("pk"):
        key = Key(alert.account_id, alert.kind, alert.unit, alert.meter_id, alert.subject, alert.starts_at)
        past[key].append(state_past(alert))
    return past


def state_past(alert: Alert) -> Past:
    return Past(
        id=alert.pk,
        epoch=alert.epoch,
        level=alert.level,
        arming=alert.arming,
        state=alert.state,
        base=alert.quantity,
        detected_at=alert.detected_at,
        resolved_at=alert.resolved_at,
        recovery=alert.recovery,
        reminded_at=alert.reminded_at,
    )


def decide_all(watched: Collection[Watched], *, at: datetime) -> None:
    """One statement: the snoozes of their accounts."""
    snoozes: defaultdict[int, list[tuple[int | None, Quiet]]] = defaultdict(list)
    running = Snooze.objects.filter(account__in={each.seen.account_id for each in watched}, ended_at=None)
    for snooze in running.order_by("pk"):
        quiet = Quiet(snooze.pk, snooze.made_at, snooze.until, snooze.until_level)
        snoozes[snooze.account_id].append((snooze.meter_id, quiet))
    for each in watched:
        quiet_here = [
            quiet for meter_id, quiet in snoozes[each.seen.account_id] if meter_id in (None, each.seen.meter_id)
        ]
        each.decision = decide(each.rule, each.past, each.look, at=at, snoozes=quiet_here)


def list_drafts(watched: Collection[Watched], *, at: datetime, cause: str) -> list[Draft]:
    return [Draft(each, new, at, cause) for each in watched for new in each.decision.alerts]


def write(watched: Collection[Watched], drafts: Collection[Draft], *, at: datetime) -> list[int]:
    """Put on record what was decided, and announce what is told and what is over; the ids of what is told.

    Snoozes come before alerts, as where their time is up: who locks both never waits for who waits for it.
    """
    ended = [snooze_id for each in watched for snooze_id in each.decision.ended_snoozes]
    if ended:
        Snooze.objects.filter(pk__in=ended, ended_at=None).update(ended_at=at)
    recovered = resolve(watched, at=at)
    told = insert(drafts, at=at)
    if told:
        notices.announce(told, occasion="raised", at=at)
    if recovered:
        notices.announce(recovered, occasion="recovered", at=at)
    return told


def insert(drafts: Collection[Draft], *, at: datetime) -> list[int]:
    if not drafts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ALERTS, [json.dumps([state_draft(each, at=at) for each in drafts])])
        return sorted(alert_id for alert_id, state in cursor.fetchall() if state == TOLD)


def state_draft(draft: Draft, *, at: datetime) -> dict[str, Any]:
    """Its columns; numbers as text, which keeps their digits."""
    seen, rule, new = draft.watched.seen, draft.watched.rule, draft.new
    return {
        "kind": seen.kind,
        "unit": seen.unit,
        "rule_id": rule and rule.id,
        "account_id": seen.account_id,
        "meter_id": seen.meter_id,
        "limit_id": seen.limit_id,
        "subject": seen.subject,
        "plan": seen.plan,
        "time_zone": seen.time_zone,
        "starts_at": seen.start.isoformat(),
        "ends_at": seen.end.isoformat(),
        "epoch": seen.epoch,
        "level": f"{new.level:f}",
        "arming": new.arming,
        "severity": rule.find_severity(new.level) if rule else "warning",
        "used": f"{seen.value:f}",
        "quantity": None if seen.base is None else f"{seen.base:f}",
        "p_hit": None if seen.p_hit is None else f"{seen.p_hit:f}",
        "crossed_at": draft.crossed_at.isoformat(),
        "detected_at": at.isoformat(),
        "cause": draft.cause,
        "state": new.state,
        "silence": new.silence,
        "details": dict(seen.details),
    }


def resolve(watched: Collection[Watched], *, at: datetime) -> list[int]:
    """Say that alerts are over; of those of a key of which somebody was told, the furthest is to be announced."""
    resolved = [pair for each in watched for pair in each.decision.resolved]
    if not resolved:
        return []
    ids, recoveries = zip(*resolved, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(RESOLVE_ALERTS, [at, list(ids), list(recoveries)])
        over = {alert_id for (alert_id,) in cursor.fetchall()}
    return [alert_id for each in watched for alert_id in find_recovered(each, over)]


def find_recovered(watched: Watched, over: Collection[int]) -> list[int]:
    spoken = [each for each in watched.past if each.id in over and each.spoke_at]
    furthest = find_furthest([each.level for each in spoken], is_falling=watched.is_falling)
    return [each.id for each in spoken if each.level == furthest][-1:]
