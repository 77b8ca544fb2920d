"""Limits whose totals moved: which levels of their rules they have reached or left. Two paths, one rule.

Ingestion calls `record_crossings` for the totals that passed their next level, so that an alert takes seconds. The
periodic `check_limits` looks at every total that moved, and at what no event triggers: limits that were changed,
windows that ended, snoozes that ran out. Whether a level is reached is seen without reading an event.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction

from metering.alerts.circumstances import state_circumstances
from metering.alerts.ending import end_alerts
from metering.alerts.facts import Observation
from metering.alerts.observing import Watched, decide_all, list_drafts, watch, write
from metering.alerts.outages import note_check
from metering.alerts.rules import read_rules
from metering.alerts.snoozes import end_due_snoozes
from metering.alerts.terms import ABSOLUTE, FORECAST, PERCENT, USAGE, Rule, find_next_total, find_rule
from metering.locks import hold_limits_for_change
from metering.models import AlertCause, Limit


@transaction.atomic
def record_crossings(limit_ids: Iterable[int], *, at: datetime) -> int:
    """Record every level these limits have newly reached or left; returns how many of them speak.

    Of several new levels the highest speaks, the lower ones are kept as superseded. What a closed window reaches is
    late: it is recorded, and told to nobody. A second call records nothing.
    """
    limits = lock_limits(limit_ids)
    if not limits:
        return 0
    watched = watch([seen for limit in limits for seen in see_limit(limit)])
    decide_all(watched, at=at)
    drafts = list_drafts(watched, at=at, cause=AlertCause.USAGE)
    state_circumstances(drafts, at=at)
    told = write(watched, drafts, at=at)
    set_next_crossings(limits, watched)
    return len(told)


def check_limits(*, at: datetime, batch: int = 500) -> int:
    """Check every limit that moved since its last check, a transaction per batch; returns how many levels spoke.

    Then what time alone brings: alerts of windows that ended are over, snoozes that ran out are ended with a reminder.
    Safe beside ingestion and beside itself: a limit another transaction holds is skipped, and keeps its flag.
    """
    spoken, last = 0, 0
    while True:
        with transaction.atomic():
            hold_limits_for_change()
            taken = take_moved_limits(after=last, batch=batch)
            spoken += record_crossings(taken, at=at)
        if len(taken) < batch:
            break
        last = max(taken)  # a watermark: what moves meanwhile waits for the next check, so this one ends
    end_alerts(at=at)
    end_due_snoozes(at=at)
    note_check(at=at)
    return spoken


def take_moved_limits(*, after: int, batch: int) -> list[int]:
    """Lock the next limits that moved and clear their flag."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH moved AS MATERIALIZED (
                SELECT id FROM metering_limit WHERE needs_check AND id > %s ORDER BY id LIMIT %s
                FOR UPDATE SKIP LOCKED
            )
            UPDATE metering_limit SET needs_check = false FROM moved WHERE metering_limit.id = moved.id
            RETURNING metering_limit.id
            """,
            [after, batch],
        )
        return [limit_id for (limit_id,) in cursor.fetchall()]


def lock_limits(limit_ids: Iterable[int]) -> list[Limit]:
    """These limits, locked in the order of their keys."""
    ids = sorted(limit_ids)
    if not ids:
        return []
    hold_limits_for_change()
    return list(Limit.objects.filter(pk__in=ids).select_for_update(of=("self",)).order_by("pk"))


def see_limit(limit: Limit) -> list[Observation]:
    """What is watched of a limit: its use in percent and as it is; and the forecasts of what the limit was before.

    A quantity is reached whatever the limit is, so it knows no epochs.
    """
    percent = observe_limit(limit)
    absolute = replace(percent, unit=ABSOLUTE, base=None, epoch=1)
    if not percent.is_final:
        absolute = replace(absolute, value_before=None)
    if limit.epoch == 1 or percent.is_final:
        return [percent, absolute]
    return [percent, absolute, replace(percent, kind=FORECAST)]


def observe_limit(limit: Limit) -> Observation:
    """Its use in percent."""
    is_final = limit.closed_at is not None
    return Observation(
        account_id=limit.account_id,
        kind=USAGE,
        unit=PERCENT,
        start=limit.starts_at,
        end=limit.ends_at,
        value=limit.used,
        base=limit.quantity,
        meter_id=limit.meter_id,
        limit_id=limit.pk,
        plan=limit.plan,
        time_zone=limit.time_zone,
        epoch=limit.epoch,
        value_before=limit.used_at_close if is_final else limit.used_at_change,
        is_final=is_final,
    )


def set_next_crossings(limits: Sequence[Limit], watched: Collection[Watched]) -> None:
    """Tell ingestion which total speaks next, where that changed."""
    furthest: defaultdict[int | None, list[tuple[Rule | None, Decimal | None]]] = defaultdict(list)
    for each in watched:
        if each.seen.kind == USAGE:
            furthest[each.seen.limit_id].append((each.rule, each.decision.furthest))
    wanted = [(limit, find_next_crossing(limit.quantity, furthest[limit.pk])) for limit in limits]
    changed = [(limit.pk, crossing) for limit, crossing in wanted if crossing != limit.next_crossing]
    if not changed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE metering_limit SET next_crossing = wanted.next_crossing
            FROM unnest(%s::bigint[], %s::numeric[]) AS wanted (id, next_crossing)
            WHERE metering_limit.id = wanted.id
            """,
            [[limit_id for limit_id, _ in changed], [crossing for _, crossing in changed]],
        )


def set_first_crossings(limits: Collection[Limit]) -> None:
    """Say of limits that are about to be saved which total speaks first, by the rules that hold for them."""
    rules = read_rules([USAGE], account_ids={limit.account_id for limit in limits}) if limits else []
    for limit in limits:
        mine = find_limit_rules(rules, limit)
        limit.next_crossing = find_next_crossing(limit.quantity, [(rule, None) for rule in mine])


def find_limit_rules(rules: Sequence[Rule], limit: Limit) -> list[Rule]:
    """The rules of usage that hold for a limit, at most one in percent and one absolute."""
    found = [
        find_rule(rules, kind=USAGE, unit=unit, account_id=limit.account_id, plan=limit.plan, meter_id=limit.meter_id)
        for unit in (PERCENT, ABSOLUTE)
    ]
    return [rule for rule in found if rule is not None]


def find_next_crossing(quantity: Decimal | None, rules: Iterable[tuple[Rule | None, Decimal | None]]) -> Decimal | None:
    """The lowest total at which one of the rules speaks next, each beyond the level beside it; None if none does."""
    totals = [find_next_total(rule, quantity, beyond=beyond) for rule, beyond in rules if rule is not None]
    return min((total for total in totals if total is not None), default=None)
