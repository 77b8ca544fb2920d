"""When a level of a limit was reached, what made it speak, and what was expected of the limit then."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import F, Max

from metering.alerts.levels import find_position, is_reached, level_quantity
from metering.alerts.observing import Draft
from metering.alerts.outages import find_outage
from metering.alerts.states import TOLD
from metering.alerts.terms import PERCENT
from metering.calendars import HOUR
from metering.crossings import Level, find_crossings
from metering.models import Alert, AlertCause, AlertState, Forecast, LimitChange
from metering.numbers import STEP

LATENESS = timedelta(minutes=15)  # so much later than it was reached is late, after an outage


def state_circumstances(drafts: Sequence[Draft], *, at: datetime) -> None:
    """Complete alerts of limits that are about to be written. No statement without any, else one for each question."""
    if not drafts:
        return
    reached_by = set_crossed_at(drafts)
    set_causes(drafts)
    mark_catch_up(drafts, reached_by, at=at)
    set_chances(drafts)


def set_crossed_at(drafts: Sequence[Draft]) -> list[datetime]:
    """Find when each level was reached: where usage adds up the hour, in the rollups, elsewhere the event.

    What came before an hour's end is `used` less the later hours: exact also where the window begins within an hour.
    Returns for each by when it was reached for certain.
    """
    quantities = [find_quantity(draft) for draft in drafts]
    rows = read_crossed_hours([draft.limit_id for draft in drafts], quantities)
    levels: list[tuple[Draft, Level]] = []
    for draft, quantity, (adds_up, crossed_at) in zip(drafts, quantities, rows, strict=True):
        draft.crossed_at = crossed_at
        if not adds_up:
            seen = draft.watched.seen
            window = (seen.account_id, draft.meter_id, seen.start, seen.end)
            levels.append((draft, Level(*window, max(quantity, STEP))))
    for (draft, _), moment in zip(levels, find_crossings([level for _, level in levels]), strict=True):
        draft.crossed_at = moment
    return [
        draft.crossed_at + HOUR if adds_up else draft.crossed_at
        for draft, (adds_up, _) in zip(drafts, rows, strict=True)
    ]


def find_quantity(draft: Draft) -> Decimal:
    """The total at which the level is reached."""
    seen = draft.watched.seen
    return draft.new.level if seen.base is None else level_quantity(draft.new.level, seen.base)


def read_crossed_hours(limit_ids: Sequence[int], quantities: Sequence[Decimal]) -> list[tuple[bool, datetime]]:
    """Whether the limit's usage adds up; if so the hour in which it reached the quantity, else its window's start."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT aggregation IN ('count', 'sum'), GREATEST(crossing.hour, metering_limit.starts_at)
            FROM unnest(%s::bigint[], %s::numeric[]) WITH ORDINALITY AS level (limit_id, quantity, position)
            JOIN metering_limit ON metering_limit.id = level.limit_id
            JOIN metering_meter ON metering_meter.id = metering_limit.meter_id
            LEFT JOIN LATERAL (
                SELECT hour FROM (
                    SELECT hour, metering_limit.used - coalesce(sum(total) OVER later, 0) AS cumulated
                    FROM metering_hourlyrollup AS rollup
                    WHERE rollup.account_id = metering_limit.account_id AND rollup.meter_id = metering_limit.meter_id
                        AND hour >= date_trunc('hour', metering_limit.starts_at, 'UTC')
                        AND hour < metering_limit.ends_at AND aggregation IN ('count', 'sum')
                    WINDOW later AS (ORDER BY hour ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
                ) AS hours
                WHERE cumulated > 0 AND cumulated >= level.quantity
                ORDER BY hour LIMIT 1
            ) AS crossing ON true
            ORDER BY level.position
            """,
            [list(limit_ids), list(quantities)],
        )
        rows: list[tuple[bool, datetime]] = cursor.fetchall()
        return rows


def set_causes(drafts: Collection[Draft]) -> None:
    """A level that was reached when the limit was set is not news of the usage, but of the limit."""
    old = [draft for draft in drafts if was_there_before(draft)]
    if not old:
        return
    changes = read_changes({(draft.limit_id, draft.watched.seen.epoch) for draft in old})
    renewed = read_renewed({draft.limit_id for draft in old if draft.watched.seen.epoch == 1})
    for draft in old:
        key = draft.limit_id, draft.watched.seen.epoch
        if changes.get(key) is not None:
            draft.cause = AlertCause.LIMIT_CHANGED
        elif key in changes or draft.limit_id not in renewed:
            draft.cause = AlertCause.LIMIT_IS_NEW


def was_there_before(draft: Draft) -> bool:
    seen = draft.watched.seen
    if seen.is_final or seen.unit != PERCENT or seen.value_before is None:
        return False
    position = find_position(seen.value_before, seen.base, is_percent=True)
    return position is not None and is_reached(draft.new.level, position)


def read_changes(epochs: Collection[tuple[int, int]]) -> Mapping[tuple[int, int], Decimal | None]:
    """limit id and epoch → the quantity before it, None of an unlimited one. Of an epoch without change nothing."""
    changes = LimitChange.objects.filter(limit__in={limit_id for limit_id, _ in epochs})
    rows = changes.values_list("limit_id", "epoch", "before")
    return {(limit_id, epoch): before for limit_id, epoch, before in rows if limit_id is not None}


def read_renewed(limit_ids: Collection[int]) -> set[int]:
    """Those whose window follows another one of the same account and meter: what was used in it is no older."""
    if not limit_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.id FROM metering_limit l JOIN metering_limit p
                ON (p.account_id, p.meter_id, p.ends_at) = (l.account_id, l.meter_id, l.starts_at)
            WHERE l.id = ANY(%s)
            """,
            [list(limit_ids)],
        )
        return {limit_id for (limit_id,) in cursor.fetchall()}


def mark_catch_up(drafts: Sequence[Draft], reached_by: Sequence[datetime], *, at: datetime) -> None:
    """After an outage what was reached long ago says so, and of each account only its highest level speaks."""
    late = [
        draft
        for draft, moment in zip(drafts, reached_by, strict=True)
        if draft.cause == AlertCause.USAGE and at - moment > LATENESS
    ]
    since = find_outage(at=at) if late else None
    if since is None:
        return
    spoken = read_caught_up({draft.watched.seen.account_id for draft in late}, since=since)
    for draft in sorted(late, key=lambda each: -each.new.level):
        draft.cause = AlertCause.CATCH_UP
        if draft.new.state != TOLD:
            continue
        key = draft.watched.seen.account_id, draft.watched.seen.unit
        if draft.new.level <= spoken.get(key, Decimal(-1)):
            draft.supersede()
        spoken[key] = max(draft.new.level, spoken.get(key, draft.new.level))


def read_caught_up(account_ids: Collection[int], *, since: datetime) -> dict[tuple[int, str], Decimal]:
    """Account and unit → the highest level that was told as found late since then."""
    told = Alert.objects.filter(
        account__in=account_ids, cause=AlertCause.CATCH_UP, state=AlertState.TOLD, detected_at__gt=since
    )
    rows = told.values_list("account_id", "unit").annotate(Max("level"))
    return {(account_id, unit): level for account_id, unit, level in rows}


def set_chances(drafts: Collection[Draft]) -> None:
    """The chance of reaching the limit, as the last forecast of its present epoch saw it."""
    limits = {draft.limit_id for draft in drafts}
    latest = Forecast.objects.filter(limit__in=limits, epoch=F("limit__epoch")).order_by("limit", "-made_at")
    chances = dict(latest.distinct("limit").values_list("limit_id", "p_hit"))
    for draft in drafts:
        draft.watched.seen = replace(draft.watched.seen, p_hit=chances.get(draft.limit_id))
