"""From tallies to rollups and running totals: the one statement by which everything that is new is counted.

It takes the rows of the accounts, in their order, and then adds what each hour brought to `metering_hourlyrollup` and
`metering_limit`: transactions that count at the same time wait for each other in one direction only. Totals that do
not add up from what is new (an average, or a window that begins within an hour) are read anew from the rollups.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import LiteralString

from metering.alerts import record_crossings
from metering.catalogue import Catalogue
from metering.history import HistoryPruned, is_readable
from metering.models import AdjustmentCause
from metering.statements import (
    Array,
    bigint_array,
    instant_array,
    number_array,
    plain_array,
    run_statement,
    text_array,
)
from metering.tallies import HOUR, Key, MovedWindow, Tallies
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
        SELECT account_id, meter_id, hour, coalesce(dimensions, '') AS dimensions, event_count, total, digest
        FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[], %s::numeric[],
            %s::numeric[]) AS t (account_id, meter_id, hour, dimensions, event_count, total, digest)
        WHERE (SELECT count(*) FROM locked) >= 0
    ), rolled AS (
        INSERT INTO metering_hourlyrollup AS r (account_id, meter_id, hour, dimensions, event_count, total, digest)
        SELECT account_id, meter_id, hour, dimensions, event_count, total, digest FROM hourly
        ON CONFLICT (account_id, meter_id, hour, dimensions) DO UPDATE
        SET event_count = r.event_count + excluded.event_count, total = r.total + excluded.total,
            digest = r.digest + excluded.digest
    )
"""

# At equal times the greater value is the latest, whichever came first.
DETAILED: LiteralString = """
    hourly AS MATERIALIZED (
        SELECT account_id, meter_id, hour, coalesce(dimensions, '') AS dimensions, event_count, total, digest,
            moment, minimum, maximum, latest, latest_at
        FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[], %s::numeric[],
            %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::timestamptz[])
            AS t (account_id, meter_id, hour, dimensions, event_count, total, digest, moment, minimum, maximum,
                latest, latest_at)
        WHERE (SELECT count(*) FROM locked) >= 0
    ), rolled AS (
        INSERT INTO metering_hourlyrollup AS r (account_id, meter_id, hour, dimensions, event_count, total,
            digest, moment, minimum, maximum, latest, latest_at)
        SELECT account_id, meter_id, hour, dimensions, event_count, total, digest, moment, minimum, maximum, latest,
            latest_at
        FROM hourly
        ON CONFLICT (account_id, meter_id, hour, dimensions) DO UPDATE
        SET event_count = r.event_count + excluded.event_count, total = r.total + excluded.total,
            digest = r.digest + excluded.digest, moment = r.moment + excluded.moment,
            minimum = least(r.minimum, excluded.minimum), maximum = greatest(r.maximum, excluded.maximum),
            latest = CASE WHEN (r.latest_at, r.latest) < (excluded.latest_at, excluded.latest)
                THEN excluded.latest ELSE r.latest END,
            latest_at = greatest(r.latest_at, excluded.latest_at)
    ), valued AS (
        INSERT INTO metering_valuerollup AS r (account_id, meter_id, hour, dimensions, value, event_count)
        SELECT account_id, meter_id, hour, coalesce(dimensions, ''), value, event_count
        FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::bigint[])
            AS t (account_id, meter_id, hour, dimensions, value, event_count)
        WHERE (SELECT count(*) FROM locked) >= 0
        ON CONFLICT (account_id, meter_id, hour, dimensions, value) DO UPDATE
        SET event_count = r.event_count + excluded.event_count
    )
"""

# Reads a CTE `hourly`. A total is added to where it is the sum of what is new; elsewhere it is read anew, after this.
# A level that carries over is part of every later window too.
MOVED: LiteralString = """
    moves AS MATERIALIZED (
        SELECT account_id, meter_id, min(hour) AS start, max(hour) + interval '1 hour' AS end, sum(total) AS quantity,
            meter_id <> ALL(%s::bigint[]) AS is_additive, meter_id = ANY(%s::bigint[]) AS carries_over
        FROM hourly GROUP BY account_id, meter_id
    ), moved AS (
        UPDATE metering_limit l
        SET needs_check = true, needs_forecast = l.closed_at IS NULL, needs_rating = l.closed_at IS NULL, used = CASE
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
        WHERE is_closed AND NOT needs_reading
    )
    SELECT id, account_id, meter_id, starts_at, ends_at, is_crossed AND NOT needs_reading, is_closed, needs_reading
    FROM moved WHERE is_crossed OR is_closed OR needs_reading
"""

COUNT_PLAIN: LiteralString = f"WITH {LOCKED}, {PLAIN}, {MOVED}"
COUNT_DETAILED: LiteralString = f"WITH {LOCKED}, {DETAILED}, {MOVED}"

ADD_PLAIN: LiteralString = f"WITH {LOCKED}, {PLAIN} SELECT"
ADD_DETAILED: LiteralString = f"WITH {LOCKED}, {DETAILED} SELECT"

# Under the lock of the account; what a closed window gained or lost goes on record. A change by zero is one as well:
# usage may have moved from one dimension value to another. The past of a meter is counted in many steps, most of which
# touch a window and change nothing of it.
SET_TOTALS: LiteralString = """
    WITH wanted AS (
        SELECT l.id, l.account_id, l.meter_id, l.starts_at, l.ends_at, l.closed_at, w.used, w.used - l.used AS quantity
        FROM unnest(%s::bigint[], %s::numeric[]) AS w (id, used) JOIN metering_limit l ON l.id = w.id
    ), moved AS (
        UPDATE metering_limit l
        SET used = w.used, needs_check = true, needs_forecast = l.closed_at IS NULL, needs_rating = l.closed_at IS NULL
        FROM wanted w WHERE l.id = w.id
        RETURNING l.id, l.closed_at IS NULL AND coalesce(l.used >= l.next_crossing, false) AS is_crossed
    ), adjusted AS (
        INSERT INTO metering_adjustment (limit_id, account_id, meter_id, starts_at, ends_at, quantity, cause, made_at)
        SELECT id, account_id, meter_id, starts_at, ends_at, quantity, %s, %s::timestamptz FROM wanted
        WHERE closed_at IS NOT NULL AND (quantity <> 0 OR %s <> 'backfill')
    )
    SELECT id FROM moved WHERE is_crossed
"""


def count_tallies(tallies: Tallies, catalogue: Catalogue, *, at: datetime) -> list[MovedWindow]:
    """Add the tallies of events that are stored. Returns the windows that are closed; alerts by those crossed.

    One statement, and two more when totals had to be read anew.
    """
    if not tallies:
        return []
    statement = COUNT_DETAILED if tallies.detailed else COUNT_PLAIN
    meters = {meter_id for _, meter_id, _, _ in chain(tallies.plain, tallies.detailed)}
    kinds = [bigint_array(list(meters - catalogue.additive)), bigint_array(list(meters & catalogue.carrying))]
    windows = [MovedWindow(*row) for row in run_statement(statement, [*list_params(tallies), *kinds, at])]
    crossed = [window.limit_id for window in windows if window.is_crossed]
    unread = [window for window in windows if window.needs_reading]
    if unread:
        crossed += read_totals_anew(unread, cause=AdjustmentCause.LATE, at=at)
    if crossed:
        record_crossings(crossed, at=at)
    return [window for window in windows if window.is_closed]


def add_rollups(tallies: Tallies) -> None:
    """Add the tallies to the rollups alone: whoever counts anew reads the totals when all of it is there."""
    if tallies:
        run_statement(ADD_DETAILED if tallies.detailed else ADD_PLAIN, list_params(tallies))


def list_params(tallies: Tallies) -> list[str | Array | None]:
    keys, plain, details = [*tallies.plain, *tallies.detailed], tallies.plain.values(), tallies.detailed.values()
    params = [
        bigint_array(sorted({account_id for account_id, _, _, _ in keys})),
        *list_keys(keys),
        bigint_array([tally.event_count for tally in chain(plain, details)]),
        number_array([tally.total for tally in chain(plain, details)]),
        plain_array([tally.digest for tally in chain(plain, details)]),
    ]
    return params + list_details(tallies) if details else params


def list_keys(keys: Sequence[Key]) -> list[str | Array | None]:
    """Accounts, meters, hours, and dimensions: null when there are none."""
    accounts, meters, hours, dimensions = zip(*keys, strict=True) if keys else ((), (), (), ())
    return [
        bigint_array(accounts),
        bigint_array(meters),
        instant_array([hour * HOUR for hour in hours]),
        text_array(dimensions) if any(dimensions) else None,
    ]


def list_details(tallies: Tallies) -> list[str | Array | None]:
    """The further columns, null for the plain tallies, and the rows of the single values."""
    nothing = [None] * len(tallies.plain)
    details = tallies.detailed.values()
    rows = [(key, value, count) for key, tally in tallies.detailed.items() for value, count in tally.values.items()]
    return [
        plain_array([*nothing, *(tally.moment for tally in details)]),
        plain_array([*nothing, *(tally.minimum for tally in details)]),
        plain_array([*nothing, *(tally.maximum for tally in details)]),
        plain_array([*nothing, *(tally.latest for tally in details)]),
        plain_array([*nothing, *(tally.latest_at and tally.latest_at.isoformat() for tally in details)]),
        *list_keys([key for key, _, _ in rows]),
        text_array([value for _, value, _ in rows]),
        bigint_array([count for _, _, count in rows]),
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
        SET_TOTALS,
        [plain_array(list(readings)), plain_array([f"{used:f}" for used in readings.values()]), cause, at, cause],
    )
    return [limit_id for (limit_id,) in rows]
