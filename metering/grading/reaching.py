"""When windows that ended had reached a quantity, if they had: exact, and in a fixed number of statements.

Where usage adds up it is the hour, found in the rollups as alerts find theirs; elsewhere the event.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import LiteralString

from metering.alerts import STEP
from metering.crossings import Level, find_reached
from metering.models import Limit
from metering.statements import bigint_array, plain_array, run_statement

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
    levels = [state_level(windows[limit_id], quantity) for limit_id, quantity in others]
    return reached | dict(zip(others, find_reached(levels), strict=True))


def state_level(limit: Limit, quantity: Decimal) -> Level:
    return Level(limit.account_id, limit.meter_id, limit.starts_at, limit.ends_at, max(quantity, STEP))


def list_ids(limits: Collection[Limit]) -> list[int]:
    return [limit.pk for limit in limits]
