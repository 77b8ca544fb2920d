"""From stored events to rollups and running totals: the SQL that every way of counting shares.

A statement is put together from three parts: one that stores or finds events, VALUED, which applies the meters, and
COUNTED, which adds to `metering_hourlyrollup` and `metering_limit`, in the order of their keys so that transactions
that count at the same time wait for each other in one direction only.
"""

# ruff: noqa: S608  (the statements are put together from constants alone)

from collections.abc import Iterable
from datetime import datetime
from typing import LiteralString

from django.db import connection

from metering.alerts import record_crossings

# What one event `e` is worth to one meter `m`, exact; null when it has no such number. A float's noise beyond the
# twelfth decimal is rounded half away from zero, event by event.
VALUE: LiteralString = """
    CASE WHEN m.aggregation = 'count' THEN 1
         WHEN jsonb_typeof(e.data -> m.value_property) = 'number'
              AND abs(round((e.data -> m.value_property)::numeric, 12)) < 1e26
         THEN round((e.data -> m.value_property)::numeric, 12)
    END
"""

HOUR_OF_EVENT: LiteralString = "date_bin('1 hour', happened_at, 'epoch'::timestamptz)"

# Reads a CTE `matched` (claim, type, account_id, happened_at, data) of events that have just become countable.
VALUED: LiteralString = f"""
    valued AS MATERIALIZED (
        SELECT e.claim, e.account_id, m.id AS meter_id, e.happened_at, {VALUE} AS value
        FROM matched e JOIN metering_meter m ON m.event_type = e.type
        WHERE e.account_id IS NOT NULL
    )
"""

COUNTED: LiteralString = f"""
    hourly AS (
        SELECT account_id, meter_id, {HOUR_OF_EVENT} AS hour, count(*) AS event_count, sum(value) AS total
        FROM valued WHERE value IS NOT NULL GROUP BY 1, 2, 3
    ),
    rolled AS (
        INSERT INTO metering_hourlyrollup AS r (account_id, meter_id, hour, event_count, total)
        SELECT account_id, meter_id, hour, event_count, total FROM hourly ORDER BY 1, 2, 3
        ON CONFLICT (account_id, meter_id, hour) DO UPDATE
        SET event_count = r.event_count + excluded.event_count, total = r.total + excluded.total
    ),
    pairs AS (
        SELECT account_id, meter_id, min(happened_at) AS earliest, max(happened_at) AS latest
        FROM valued WHERE value IS NOT NULL GROUP BY 1, 2
    ),
    windows AS MATERIALIZED (
        SELECT l.id, l.account_id, l.meter_id, l.starts_at, l.ends_at, l.closed_at
        FROM pairs p JOIN metering_limit l ON l.account_id = p.account_id AND l.meter_id = p.meter_id
            AND l.starts_at <= p.latest AND l.ends_at > p.earliest
        ORDER BY l.id FOR UPDATE OF l
    ),
    windowed AS MATERIALIZED (
        SELECT v.claim, w.id, v.value, w.closed_at IS NOT NULL AS is_late
        FROM valued v JOIN windows w ON w.account_id = v.account_id AND w.meter_id = v.meter_id
            AND w.starts_at <= v.happened_at AND w.ends_at > v.happened_at
        WHERE v.value IS NOT NULL
    ),
    moves AS MATERIALIZED (SELECT id, sum(value) AS quantity FROM windowed GROUP BY id),
    moved AS (
        UPDATE metering_limit l SET used = l.used + m.quantity, needs_check = true FROM moves m WHERE l.id = m.id
        RETURNING l.id, l.closed_at IS NULL AND l.used >= l.next_crossing AS is_crossed
    )
"""

ADOPT: LiteralString = f"""
    WITH matched AS (
        UPDATE metering_event e SET account_id = a.account_id FROM metering_alias a
        WHERE e.account_id IS NULL AND e.subject = a.name AND a.name = ANY(%s)
        RETURNING e.claim, e.type, e.account_id, e.happened_at, e.data
    ), {VALUED}, {COUNTED}
    SELECT (SELECT count(*) FROM matched), (SELECT array_agg(id) FROM moved WHERE is_crossed)
"""

COUNT_HISTORY: LiteralString = f"""
    WITH matched AS (SELECT claim, type, account_id, happened_at, data FROM metering_event),
    valued AS MATERIALIZED (
        SELECT e.claim, e.account_id, m.id AS meter_id, e.happened_at, {VALUE} AS value
        FROM matched e JOIN metering_meter m ON m.event_type = e.type AND m.id = %s
        WHERE e.account_id IS NOT NULL
    ), {COUNTED}
    SELECT count(*) FROM valued
"""


def adopt_events(names: Iterable[str], *, at: datetime) -> int:
    """Count the events that waited for these names; returns how many. The caller holds the aliases for change."""
    with connection.cursor() as cursor:
        cursor.execute(ADOPT, [list(names)])
        row = cursor.fetchone()
    adopted, crossed = row if row is not None else (0, None)
    if crossed:
        record_crossings(crossed, at=at)
    return int(adopted)


def count_history(meter_id: int) -> int:
    """Count for a new meter the events of its type that are stored. The caller holds the meters for change."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM metering_meter m JOIN metering_meter o USING (event_type) WHERE m.id = %s", [meter_id]
        )
        row = cursor.fetchone()
        if row is None or row[0] < 2:  # events of a type that had no meter were refused: there is no past
            return 0
        cursor.execute(COUNT_HISTORY, [meter_id])
        row = cursor.fetchone()
    return int(row[0]) if row is not None else 0
