"""From tallies to rollups and running totals: the one statement by which everything that is new is counted.

It takes the rows of the accounts, in their order, and then adds what each hour brought to `metering_hourlyrollup` and
`metering_limit`: transactions that count at the same time wait for each other in one direction only. Totals that do
not add up from what is new (an average, or a window that begins within an hour) are read anew from the rollups.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from metering.alerts import record_crossings
from metering.catalogue import Catalogue
from metering.history import HistoryPruned, is_readable
from metering.models import AdjustmentCause
from metering.statements import plain_array, run_statement, text_array, time_array
from metering.tallies import MovedWindow, Tallies
from metering.usage import Window, read_windows

# Whoever counts for an account holds its row, so that what follows may go in any order: the look at `locked` comes
# before the first row of `hourly`.
LOCKED: LiteralString = """
    locked AS MATERIALIZED (
        SELECT id FROM metering_account WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
    )
"""

PLAIN: LiteralString = """
    hourly AS MATERIALIZED (
        SELECT account_id, meter_id, 'epoch'::timestamptz + hour * interval '1 hour' AS hour, dimensions,
            event_count, total, is_additive, carries_over
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::numeric[], %s::boolean[],
            %s::boolean[]) AS t (account_id, meter_id, hour, dimensions, event_count, total, is_additive, carries_over)
        WHERE (SELECT count(*) FROM locked) >= 0
    ), rolled AS (
        INSERT INTO metering_hourlyrollup AS r (account_id, meter_id, hour, dimensions, event_count, total)
        SELECT account_id, meter_id, hour, dimensions, event_count, total FROM hourly
        ORDER BY account_id, meter_id, hour, dimensions
        ON CONFLICT (account_id, meter_id, hour, dimensions) DO UPDATE
        SET event_count = r.event_count + excluded.event_count, total = r.total + excluded.total
    )
"""

# At equal times the greater value is the latest, whichever came first.
DETAILED: LiteralString = """
    hourly AS MATERIALIZED (
        SELECT account_id, meter_id, 'epoch'::timestamptz + hour * interval '1 hour' AS hour, dimensions,
            event_count, total, is_additive, carries_over, moment, minimum, maximum, latest, latest_at
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::numeric[], %s::boolean[],
            %s::boolean[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::timestamptz[])
            AS t (account_id, meter_id, hour, dimensions, event_count, total, is_additive, carries_over,
                moment, minimum, maximum, latest, latest_at)
        WHERE (SELECT count(*) FROM locked) >= 0
    ), rolled AS (
        INSERT INTO metering_hourlyrollup AS r (account_id, meter_id, hour, dimensions, event_count, total,
            moment, minimum, maximum, latest, latest_at)
        SELECT account_id, meter_id, hour, dimensions, event_count, total, moment, minimum, maximum, latest, latest_at
        FROM hourly ORDER BY account_id, meter_id, hour, dimensions
        ON CONFLICT (account_id, meter_id, hour, dimensions) DO UPDATE
        SET event_count = r.event_count + excluded.event_count, total = r.total + excluded.total,
            moment = r.moment + excluded.moment,
            minimum = least(r.minimum, excluded.minimum), maximum = greatest(r.maximum, excluded.maximum),
            latest = CASE WHEN (r.latest_at, r.latest) < (excluded.latest_at, excluded.latest)
                THEN excluded.latest ELSE r.latest END,
            latest_at = greatest(r.latest_at, excluded.latest_at)
    ), valued AS (
        INSERT INTO metering_valuerollup AS r (account_id, meter_id, hour, dimensions, value, event_count)
        SELECT account_id, meter_id, 'epoch'::timestamptz + hour * interval '1 hour', dimensions, value, event_count
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])
            AS t (account_id, meter_id, hour, dimensions, value, event_count)
        WHERE (SELECT count(*) FROM locked) >= 0
        ORDER BY account_id, meter_id, hour, dimensions, value
        ON CONFLICT (account_id, meter_id, hour, dimensions, value) DO UPDATE
        SET event_count = r.event_count + excluded.event_count
    )
"""

# Reads a CTE `hourly`. A total is added to where it is the sum of what is new; elsewhere it is read anew, after this.
# A level that carries over is part of every later window too.
MOVED: LiteralString = """
    moves AS MATERIALIZED (
        SELECT account_id, meter_id, min(hour) AS start, max(hour) + interval '1 hour' AS end, sum(total) AS quantity,
            bool_and(is_additive) AS is_additive, bool_or(carries_over) AS carries_over
        FROM hourly GROUP BY account_id, meter_id
    ), moved AS (
        UPDATE metering_limit l
        SET needs_check = true, used = CASE
            WHEN m.is_additive AND l.starts_at <= m.start AND l.ends_at >= m.end THEN l.used + m.quantity
            ELSE l.used END
        FROM moves m
        WHERE l.account_id = m.account_id AND l.meter_id = m.meter_id
            AND (l.starts_at < m.end OR m.carries_over) AND l.ends_at > m.start
        RETURNING l.id, l.account_id, l.meter_id, l.starts_at, l.ends_at,
            l.closed_at IS NULL AND coalesce(l.used >= l.next_crossing, false) AS is_crossed,
            l.closed_at IS NOT NULL AS is_closed,
            NOT (m.is_additive AND l.starts_at <= m.start AND l.ends_at >= m.end) AS needs_reading, m.quantity
    ), adjusted AS (
        INSERT INTO metering_adjustment (limit_id, account_id, meter_id, starts_at, ends_at, quantity, cause, made_at)
        SELECT id, account_id, meter_id, starts_at, ends_at, quantity, 'late', %s::timestamptz FROM moved
        WHERE is_closed AND NOT needs_reading AND quantity <> 0
    )
    SELECT id, account_id, meter_id, starts_at, ends_at, is_crossed AND NOT needs_reading, is_closed, needs_reading
    FROM moved WHERE is_crossed OR is_closed OR needs_reading
"""

COUNT_PLAIN: LiteralString = f"WITH {LOCKED}, {PLAIN}, {MOVED}"
COUNT_DETAILED: LiteralString = f"WITH {LOCKED}, {DETAILED}, {MOVED}"

ADD_PLAIN: LiteralString = f"WITH {LOCKED}, {PLAIN} SELECT"
ADD_DETAILED: LiteralString = f"WITH {LOCKED}, {DETAILED} SELECT"

# Under the lock of the account; what a closed window gained or lost goes on record.
SET_TOTALS: LiteralString = """
    WITH wanted AS (
        SELECT l.id, l.account_id, l.meter_id, l.starts_at, l.ends_at, l.closed_at, w.used, w.used - l.used AS quantity
        FROM unnest(%s::bigint[], %s::numeric[]) AS w (id, used) JOIN metering_limit l ON l.id = w.id
    ), moved AS (
        UPDATE metering_limit l SET used = w.used, needs_check = true FROM wanted w WHERE l.id = w.id
        RETURNING l.id, l.closed_at IS NULL AND coalesce(l.used >= l.next_crossing, false) AS is_crossed
    ), adjusted AS (
        INSERT INTO metering_adjustment (limit_id, account_id, meter_id, starts_at, ends_at, quantity, cause, made_at)
        SELECT id, account_id, meter_id, starts_at, ends_at, quantity, %s, %s::timestamptz FROM wanted
        WHERE closed_at IS NOT NULL AND quantity <> 0
    )
    SELECT id FROM moved WHERE is_crossed
"""


def count_tallies(tallies: Tallies, catalogue: Catalogue, *, at: datetime) -> list[MovedWindow]:
    """Add the tallies of events that are stored. Returns the windows that are closed; alerts by those crossed.

    One statement, and two more when totals had to be read anew.
    """
    if not tallies:
        return []
    params = list_plain(tallies, catalogue)
    if tallies.detailed:
        params += list_detailed(tallies)
    statement = COUNT_DETAILED if tallies.detailed else COUNT_PLAIN
    windows = [MovedWindow(*row) for row in run_statement(statement, [*params, at])]
    crossed = [window.limit_id for window in windows if window.is_crossed]
    unread = [window for window in windows if window.needs_reading]
    if unread:
        crossed += read_totals_anew(unread, cause=AdjustmentCause.LATE, at=at)
    if crossed:
        record_crossings(crossed, at=at)
    return [window for window in windows if window.is_closed]


def add_rollups(tallies: Tallies, catalogue: Catalogue) -> None:
    """Add the tallies to the rollups alone: whoever counts anew reads the totals when all of it is there."""
    if tallies:
        params = [*list_plain(tallies, catalogue), *(list_detailed(tallies) if tallies.detailed else [])]
        run_statement(ADD_DETAILED if tallies.detailed else ADD_PLAIN, params)


def list_plain(tallies: Tallies, catalogue: Catalogue) -> list[str | datetime]:
    keys = [*tallies.plain, *tallies.detailed]
    values = [*tallies.plain.values(), *tallies.detailed.values()]
    return [
        plain_array(sorted({account_id for account_id, _, _, _ in keys})),
        plain_array([account_id for account_id, _, _, _ in keys]),
        plain_array([meter_id for _, meter_id, _, _ in keys]),
        plain_array([hour for _, _, hour, _ in keys]),
        text_array([dimensions for _, _, _, dimensions in keys]),
        plain_array([tally.event_count for tally in values]),
        plain_array([tally.total for tally in values]),
        plain_array([meter_id in catalogue.additive for _, meter_id, _, _ in keys]),
        plain_array([meter_id in catalogue.carrying for _, meter_id, _, _ in keys]),
    ]


def list_detailed(tallies: Tallies) -> list[str]:
    """The further columns, null for the plain tallies, and the rows of the single values."""
    nothing = [None] * len(tallies.plain)
    details = list(tallies.detailed.values())
    rows = [(*key, value, count) for key, tally in tallies.detailed.items() for value, count in tally.values.items()]
    return [
        plain_array([*nothing, *(tally.moment for tally in details)]),
        plain_array([*nothing, *(tally.minimum for tally in details)]),
        plain_array([*nothing, *(tally.maximum for tally in details)]),
        plain_array([*nothing, *(tally.latest for tally in details)]),
        time_array([*nothing, *(tally.latest_at for tally in details)]),
        plain_array([row[0] for row in rows]),
        plain_array([row[1] for row in rows]),
        plain_array([row[2] for row in rows]),
        text_array([row[3] for row in rows]),
        text_array([row[4] for row in rows]),
        plain_array([row[5] for row in rows]),
    ]


def read_totals_anew(windows: Sequence[MovedWindow], *, cause: str, at: datetime) -> list[int]:
    """Set the totals of these limits, whose accounts the caller holds, to what the rollups say.

    A window that can no longer be read exactly, since the events of the hour it begins in were pruned, keeps its total.
    Returns the limits that passed their next level; the change of a closed window goes on record under the cause.
    """
    asked = {each.limit_id: Window(each.account_id, each.meter_id, each.start, each.end) for each in windows}
    try:
        readings = read_windows(asked)
    except HistoryPruned:
        readings = read_windows({key: each for key, each in asked.items() if is_readable(each.start, each.end)})
    rows = run_statement(
        SET_TOTALS, [plain_array(list(readings)), plain_array([f"{used:f}" for used in readings.values()]), cause, at]
    )
    return [limit_id for (limit_id,) in rows]
