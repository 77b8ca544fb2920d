"""From stored events to rollups and running totals: the SQL that every way of counting shares.

COUNTED adds what each hour brought to `metering_hourlyrollup` and `metering_limit`, in the order of their keys, so that
transactions that count at the same time wait for each other in one direction only. Ingestion hands it sums made in
Python; events that were stored before they could be counted are summed here, by VALUED and HOURLY.
"""

# ruff: noqa: S608  (the statements are put together from constants alone)

from collections.abc import Iterable
from datetime import datetime
from typing import LiteralString

from django.db import connection

from metering.alerts import record_crossings
from metering.statements import plain_array, run_statement, time_array
from metering.tallies import Key, MovedWindow, Tally

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
    valued AS (
        SELECT e.account_id, m.id AS meter_id, e.happened_at, {VALUE} AS value
        FROM matched e JOIN metering_meter m ON m.event_type = e.type
        WHERE e.account_id IS NOT NULL
    )
"""

HOURLY: LiteralString = f"""
    hourly AS (
        SELECT account_id, meter_id, {HOUR_OF_EVENT} AS hour, count(*) AS event_count, sum(value) AS total,
            min(happened_at) AS earliest, max(happened_at) AS latest
        FROM valued WHERE value IS NOT NULL GROUP BY 1, 2, 3
    )
"""

# Reads a CTE `hourly`, as above; and `valued` only where a window begins or ends between the events of one hour.
COUNTED: LiteralString = """
    rolled AS (
        INSERT INTO metering_hourlyrollup AS r (account_id, meter_id, hour, event_count, total)
        SELECT account_id, meter_id, hour, event_count, total FROM hourly ORDER BY 1, 2, 3
        ON CONFLICT (account_id, meter_id, hour) DO UPDATE
        SET event_count = r.event_count + excluded.event_count, total = r.total + excluded.total
    ),
    windows AS MATERIALIZED (
        SELECT l.id, l.account_id, l.meter_id, l.starts_at, l.ends_at, h.total, h.earliest, h.latest
        FROM hourly h JOIN metering_limit l ON l.account_id = h.account_id AND l.meter_id = h.meter_id
            AND l.starts_at <= h.latest AND l.ends_at > h.earliest
        ORDER BY l.id FOR UPDATE OF l
    ),
    moves AS MATERIALIZED (
        SELECT id, sum(CASE WHEN starts_at <= earliest AND ends_at > latest THEN total ELSE (
            SELECT sum(value) FROM valued v
            WHERE v.account_id = w.account_id AND v.meter_id = w.meter_id
                AND v.happened_at BETWEEN w.earliest AND w.latest
                AND v.happened_at >= w.starts_at AND v.happened_at < w.ends_at
        ) END) AS quantity
        FROM windows w GROUP BY id
    ),
    moved AS (
        UPDATE metering_limit l SET used = l.used + m.quantity, needs_check = true
        FROM moves m WHERE l.id = m.id AND m.quantity IS NOT NULL
        RETURNING l.id, l.account_id, l.meter_id, l.starts_at, l.ends_at,
            l.closed_at IS NULL AND coalesce(l.used >= l.next_crossing, false) AS is_crossed,
            l.closed_at IS NOT NULL AS is_closed
    )
"""

# The events are stored already, by an earlier statement of the same transaction; their claims are needed where a
# window begins or ends between them.
COUNT: LiteralString = f"""
    WITH valued AS (
        SELECT e.account_id, m.id AS meter_id, e.happened_at, {VALUE} AS value
        FROM metering_event e JOIN metering_meter m ON m.event_type = e.type WHERE e.claim = ANY(%s::uuid[])
    ), hourly AS (
        SELECT account_id, meter_id, 'epoch'::timestamptz + hour * interval '1 hour' AS hour,
            event_count, total, earliest, latest
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::timestamptz[],
            %s::timestamptz[]) AS t (account_id, meter_id, hour, event_count, total, earliest, latest)
    ), {COUNTED}
    SELECT id, account_id, meter_id, starts_at, ends_at, is_crossed, is_closed FROM moved WHERE is_crossed OR is_closed
"""

ADOPT: LiteralString = f"""
    WITH matched AS (
        UPDATE metering_event e SET account_id = a.account_id FROM metering_alias a
        WHERE e.account_id IS NULL AND e.subject = a.name AND a.name = ANY(%s)
        RETURNING e.claim, e.type, e.account_id, e.happened_at, e.data
    ), {VALUED}, {HOURLY}, {COUNTED}
    SELECT (SELECT count(*) FROM matched), (SELECT array_agg(id) FROM moved WHERE is_crossed)
"""

COUNT_HISTORY: LiteralString = f"""
    WITH matched AS (SELECT claim, type, account_id, happened_at, data FROM metering_event),
    valued AS (
        SELECT e.account_id, m.id AS meter_id, e.happened_at, {VALUE} AS value
        FROM matched e JOIN metering_meter m ON m.event_type = e.type AND m.id = %s
        WHERE e.account_id IS NOT NULL
    ), {HOURLY}, {COUNTED}
    SELECT count(*) FROM valued
"""


def count_tallies(tallies: dict[Key, Tally], *, claims: Iterable[str]) -> list[MovedWindow]:
    """Add the tallies of stored events, which have these claims. Returns the windows crossed or closed."""
    keys, values = tallies.keys(), tallies.values()
    rows = run_statement(
        COUNT,
        [
            plain_array(list(claims)),
            plain_array([account_id for account_id, _, _ in keys]),
            plain_array([meter_id for _, meter_id, _ in keys]),
            plain_array([hour for _, _, hour in keys]),
            plain_array([tally.event_count for tally in values]),
            plain_array([tally.total for tally in values]),
            time_array([tally.earliest for tally in values]),
            time_array([tally.latest for tally in values]),
        ],
    )
    return [MovedWindow(*row) for row in rows]


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
