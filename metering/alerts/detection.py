"""Alerts: a level of a limit speaks once per account, meter, window, epoch and level.

Whether one is reached is seen without reading an event. When it was is as well where usage adds up; elsewhere the
events of the hour are read, once for each level.

Two paths, one rule. Ingestion calls `record_crossings` for the totals that passed their next level; the periodic
`check_limits` looks at every total that moved, and at limits that changed, so that nothing is missed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from django.db import connection, transaction

from metering.crossings import Level, find_crossings
from metering.locks import hold_limits_for_change
from metering.models import Alert, AlertState, Limit
from metering.quantities import EXACT

LEVELS = (80, 100)  # percent of the limit, ascending
STEP = Decimal(1).scaleb(-12)  # the smallest quantity the database keeps


def is_reached(level: int, *, used: Decimal, quantity: Decimal) -> bool:
    """Inclusive and exact. Any level of a limit of zero is reached by the first use, not before."""
    return used > 0 and EXACT.multiply(used, Decimal(100)) >= EXACT.multiply(Decimal(level), quantity)


def level_quantity(level: int, quantity: Decimal) -> Decimal:
    """The smallest storable total that reaches the level. Rounded up to twelve decimals, it decides as exactly."""
    exact = EXACT.divide(EXACT.multiply(Decimal(level), quantity), Decimal(100))
    return exact.quantize(STEP, rounding=ROUND_CEILING, context=EXACT)


def find_next_crossing(quantity: Decimal | None, *, after: int = 0) -> Decimal | None:
    """The total at which the lowest level above `after` is reached; None when none is left or there is no limit."""
    if quantity is None:
        return None
    return next((level_quantity(level, quantity) for level in LEVELS if level > after), None)


@transaction.atomic
def record_crossings(limit_ids: Iterable[int], *, at: datetime) -> int:
    """Record every level these limits have newly reached; returns how many of them speak.

    Of several new levels the highest speaks, the lower ones are kept as superseded. Limits that are unlimited or
    closed are passed over. A second call records nothing.
    """
    limits = lock_limits(limit_ids)
    recorded = read_recorded_levels(limits)
    alerts: list[Alert] = []
    for limit in limits:
        alerts += find_new_alerts(limit, highest=recorded[limit.pk], at=at)
    set_crossed_at(alerts)
    Alert.objects.bulk_create(alerts, ignore_conflicts=True)
    for alert in alerts:
        recorded[alert.limit_id] = max(recorded[alert.limit_id], int(alert.level))
    set_next_crossings(limits, recorded)
    return sum(alert.state == AlertState.TOLD for alert in alerts)


def check_limits(*, at: datetime, batch: int = 500) -> int:
    """Check every limit that moved since its last check, a transaction per batch; returns how many levels spoke.

    Safe beside ingestion and beside itself: a limit another transaction holds is skipped, and keeps its flag.
    """
    spoken, last = 0, 0
    while True:
        with transaction.atomic():
            hold_limits_for_change()
            taken = take_moved_limits(after=last, batch=batch)
            spoken += record_crossings(taken, at=at)
        if len(taken) < batch:
            return spoken
        last = max(taken)  # a watermark: what moves meanwhile waits for the next check, so this one ends


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
    """The limits that can alert, locked in the order of their keys."""
    ids = sorted(limit_ids)
    if not ids:
        return []
    hold_limits_for_change()
    limits = Limit.objects.filter(pk__in=ids, closed_at=None, quantity__isnull=False)
    return list(limits.select_for_update(of=("self",)).order_by("pk"))


def read_recorded_levels(limits: Sequence[Limit]) -> defaultdict[int, int]:
    """For each limit the highest level that is on record for its present epoch, zero when none."""
    epochs = {limit.pk: limit.epoch for limit in limits}
    highest: defaultdict[int, int] = defaultdict(int)
    if epochs:
        rows = Alert.objects.filter(limit__in=epochs).values_list("limit_id", "epoch", "level")
        for limit_id, epoch, level in rows:
            if epoch == epochs[limit_id]:
                highest[limit_id] = max(highest[limit_id], int(level))
    return highest


def find_new_alerts(limit: Limit, *, highest: int, at: datetime) -> list[Alert]:
    """Alerts, not yet saved, for the levels above `highest` that the limit's total has reached."""
    quantity = limit.quantity
    if quantity is None:
        return []
    reached = [level for level in LEVELS if level > highest and is_reached(level, used=limit.used, quantity=quantity)]
    return [
        build_alert(limit, level, quantity=quantity, is_superseded=level != reached[-1], at=at) for level in reached
    ]


def build_alert(limit: Limit, level: int, *, quantity: Decimal, is_superseded: bool, at: datetime) -> Alert:
    return Alert(
        account_id=limit.account_id,
        meter_id=limit.meter_id,
        limit=limit,
        starts_at=limit.starts_at,
        ends_at=limit.ends_at,
        epoch=limit.epoch,
        level=Decimal(level),
        used=limit.used,
        quantity=quantity,
        crossed_at=limit.starts_at,
        detected_at=at,
        state=AlertState.SUPERSEDED if is_superseded else AlertState.TOLD,
        plan=limit.plan,
        time_zone=limit.time_zone,
    )


def set_crossed_at(alerts: Sequence[Alert]) -> None:
    """Find when each level was reached: where usage adds up the hour, in the rollups, elsewhere the event.

    What came before an hour's end is `used` less the later hours: exact also where the window begins within an hour.
    """
    if not alerts:
        return
    quantities = [level_quantity(int(alert.level), alert.quantity) for alert in alerts]
    rows = read_crossed_hours([alert.limit_id for alert in alerts], quantities)
    levels: list[tuple[Alert, Level]] = []
    for alert, quantity, (adds_up, crossed_at) in zip(alerts, quantities, rows, strict=True):
        alert.crossed_at = crossed_at
        if not adds_up:
            window = (alert.account_id, alert.meter_id, alert.starts_at, alert.ends_at)
            levels.append((alert, Level(*window, max(quantity, STEP))))
    for (alert, _), moment in zip(levels, find_crossings([level for _, level in levels]), strict=True):
        alert.crossed_at = moment


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


def set_next_crossings(limits: Sequence[Limit], recorded: dict[int, int]) -> None:
    """Tell ingestion which total speaks next, where that changed."""
    wanted = [(limit, find_next_crossing(limit.quantity, after=recorded[limit.pk])) for limit in limits]
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


def keep_raised_limit_quiet(limit: Limit, *, at: datetime) -> None:
    """After a limit was raised: levels that spoke before and are still reached do not speak again.

    They are recorded as superseded in the new epoch. What fell below its level speaks anew when it is reached again,
    and a limit that was lowered speaks at once.
    """
    quantity = limit.quantity
    if quantity is None:
        return
    last = Alert.objects.filter(limit=limit, epoch=limit.epoch - 1).order_by("level")
    still = [old for old in last if is_reached(int(old.level), used=limit.used, quantity=quantity)]
    for old in still:
        alert = build_alert(limit, int(old.level), quantity=quantity, is_superseded=True, at=at)
        alert.crossed_at = old.crossed_at
        alert.save(force_insert=True)
    limit.next_crossing = find_next_crossing(quantity, after=int(still[-1].level) if still else 0)
