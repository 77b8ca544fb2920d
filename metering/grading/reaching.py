"""When windows that ended had reached a quantity, if they had: exact, and in a fixed number of statements.

Where usage adds up it is the hour, found in the rollups as alerts find theirs; elsewhere the event. What was said of a
window that a change of the plan cut short was said of the whole: there it is found in what was used until its old end.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString

from metering.crossings import Level, find_reached
from metering.models import Limit
from metering.numbers import STEP
from metering.statements import bigint_array, plain_array, run_statement
from metering.usage import Window, read_windows

Stake = tuple[int, Decimal]  # a limit, and the quantity of which it was said that it would be reached

FIND_STAKES: LiteralString = """
    SELECT DISTINCT l.id, asked.quantity
    FROM metering_limit l CROSS JOIN LATERAL (
        SELECT l.quantity
        UNION ALL SELECT quantity FROM metering_alert a WHERE a.limit_id = l.id AND a.graded_at IS NULL
        UNION ALL SELECT quantity FROM metering_forecast f WHERE f.limit_id = l.id AND f.graded_at IS NULL
    ) AS asked
    WHERE l.id = ANY(%s::bigint[]) AND asked.quantity IS NOT NULL
"""

# What was used by an hour's end is the total less the later hours. A total that passed the quantity only by what came
# after the window was closed had not reached it: that usage is in the adjustments, and its hours are not told apart.
FIND_HOURS: LiteralString = """
    SELECT asked.limit_id, asked.quantity, CASE
        WHEN l.used_at_close < asked.quantity AND l.used > l.used_at_close AND l.used >= asked.quantity THEN NULL
        WHEN m.carries_over AND l.used - whole.total > 0 AND l.used - whole.total >= asked.quantity THEN l.starts_at
        WHEN crossing.hour IS NOT NULL THEN greatest(crossing.hour, l.starts_at) END
    FROM unnest(%s::bigint[], %s::numeric[]) AS asked (limit_id, quantity)
    JOIN metering_limit l ON l.id = asked.limit_id
    JOIN metering_meter m ON m.id = l.meter_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(total), 0) AS total FROM metering_hourlyrollup r
        WHERE r.account_id = l.account_id AND r.meter_id = l.meter_id
            AND hour >= date_trunc('hour', l.starts_at, 'UTC') AND hour < l.ends_at
    ) AS whole
    LEFT JOIN LATERAL (
        SELECT hour FROM (
            SELECT hour, l.used - coalesce(sum(total) OVER later, 0) AS cumulated
            FROM metering_hourlyrollup r
            WHERE r.account_id = l.account_id AND r.meter_id = l.meter_id
                AND hour >= date_trunc('hour', l.starts_at, 'UTC') AND hour < l.ends_at
            WINDOW later AS (ORDER BY hour ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
        ) AS hours
        WHERE cumulated > 0 AND cumulated >= asked.quantity ORDER BY hour LIMIT 1
    ) AS crossing ON true
    WHERE m.aggregation IN ('count', 'sum')
"""


# A window that was cut goes on in another one, or under a plan without one; else its customer has left.
FIND_GOING_ON: LiteralString = """
    SELECT l.id FROM metering_limit l WHERE l.id = ANY(%s::bigint[]) AND (
        EXISTS (SELECT FROM metering_limit n
            WHERE (n.account_id, n.meter_id, n.starts_at) = (l.account_id, l.meter_id, l.ends_at))
        OR EXISTS (SELECT FROM metering_limitchange c
            WHERE (c.account_id, c.meter_id, c.at) = (l.account_id, l.meter_id, l.ends_at)))
"""


@dataclass(frozen=True, slots=True)
class Whole:
    """What was used until the old ends of windows that were cut: when it reached what, and the total, by limit.

    `moot` are windows whose customers left: what was not reached by then nobody can say any more.
    """

    reached: dict[Stake, datetime | None]
    totals: dict[int, Decimal]
    moot: frozenset[int]


def find_stakes(limits: Collection[Limit]) -> list[Stake]:
    """Every quantity at stake in these windows: their own, and those that ungraded alerts and forecasts saw."""
    rows = run_statement(FIND_STAKES, [bigint_array(list_ids(limits))])
    return [(limit_id, quantity) for limit_id, quantity in rows]


def find_reached_at(limits: Collection[Limit], stakes: Sequence[Stake]) -> dict[Stake, datetime | None]:
    """When each was reached, None where it was not. Any use reaches a quantity of zero."""
    if not stakes:
        return {}
    ids, quantities = zip(*stakes, strict=True)
    amounts = plain_array([f"{quantity:f}" for quantity in quantities])
    reached = {(row[0], row[1]): row[2] for row in run_statement(FIND_HOURS, [bigint_array(ids), amounts])}
    windows = {limit.pk: limit for limit in limits}
    others = [stake for stake in stakes if stake not in reached]
    levels = [state_level(windows[limit_id], quantity, end=windows[limit_id].ends_at) for limit_id, quantity in others]
    return reached | dict(zip(others, find_reached(levels), strict=True))


def find_whole(limits: Collection[Limit], reached: Mapping[Stake, datetime | None]) -> Whole:
    """Of what windows that were cut had not reached by then, whether they would have by their old end."""
    cut = {limit.pk: limit for limit in limits if limit.was_to_end_at is not None}
    if not cut:
        return Whole({}, {}, frozenset())
    going_on = {limit_id for (limit_id,) in run_statement(FIND_GOING_ON, [bigint_array(list(cut))])}
    open_stakes = [stake for stake, moment in reached.items() if stake[0] in going_on and moment is None]
    levels = [state_level(cut[limit_id], quantity, end=find_end(cut[limit_id])) for limit_id, quantity in open_stakes]
    windows = {
        pk: Window(cut[pk].account_id, cut[pk].meter_id, cut[pk].starts_at, find_end(cut[pk])) for pk in going_on
    }
    return Whole(
        reached=dict(zip(open_stakes, find_reached(levels), strict=True)),
        totals=read_windows(windows) if windows else {},
        moot=frozenset(cut.keys() - going_on),
    )


def state_level(limit: Limit, quantity: Decimal, *, end: datetime) -> Level:
    return Level(limit.account_id, limit.meter_id, limit.starts_at, end, max(quantity, STEP))


def find_end(limit: Limit) -> datetime:
    """Until when it was to run."""
    return limit.was_to_end_at or limit.ends_at


def list_ids(limits: Collection[Limit]) -> list[int]:
    return [limit.pk for limit in limits]
