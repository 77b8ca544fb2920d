"""One account and one meter whose quantity is a count, a sum or a mean: the reading that is asked most, and most often.

The same as `spans` finds, in a third of the time for a total and half of it by hour. It is for bounds on hours.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from metering.calendars import HOUR
from metering.fragments import find_split_hours
from metering.spans import TERMS, FoundSpan, Part, read_every, state_terms
from metering.statements import run_statement, time_array
from metering.tallies import PLAIN

# The first row says what the meter is, the others are buckets.
STATEMENT: LiteralString = """
    SELECT {terms} AS terms, NULL::int, NULL::bigint, NULL::numeric FROM metering_meter m WHERE m.key = %(meter)s
    UNION ALL
    SELECT NULL, {bucket}, sum(r.event_count)::bigint, sum(r.total)
    FROM metering_meter m JOIN metering_hourlyrollup r ON r.meter_id = m.id
    WHERE m.key = %(meter)s AND m.aggregation IN ('count', 'sum', 'avg') AND NOT m.carries_over
        AND r.account_id = %(account)s::bigint AND r.hour >= %(start)s::timestamptz AND r.hour < %(end)s::timestamptz
    GROUP BY {group}
"""

TOTAL: LiteralString = (
    STATEMENT.replace("{terms}", TERMS).replace("{bucket}", "1").replace("GROUP BY {group}", "HAVING count(*) > 0")
)
BY_HOUR: LiteralString = (
    STATEMENT.replace("{terms}", TERMS)
    .replace("{bucket}", "(extract(epoch FROM r.hour - %(start)s::timestamptz) / 3600)::int + 1")
    .replace("{group}", "r.hour")
)
BY_BOUNDS: LiteralString = (
    STATEMENT.replace("{terms}", TERMS)
    .replace("{bucket}", "width_bucket(r.hour, %(bounds)s::timestamptz[])")
    .replace("{group}", "2")
)

others: set[str] = set()  # keys of meters found to be of another kind, which a meter that has counted never changes


def read_one(account_id: int, meter_key: str, bounds: Sequence[datetime]) -> FoundSpan | None:
    """None for an unknown meter. One statement; where hours are split two, and two when a meter is met first."""
    if meter_key not in others and len(bounds) > 1 and not find_split_hours(bounds):
        rows = run_statement(*write_question(account_id, meter_key, bounds))
        span = gather_span(account_id, rows)
        if span is None or (span.terms.aggregation in PLAIN and not span.terms.carries_over):
            return span
        others.add(meter_key)
    return next(iter(read_every([account_id], meter_keys=[meter_key], bounds=bounds)), None)


def write_question(account_id: int, meter_key: str, bounds: Sequence[datetime]) -> tuple[str, dict[str, Any]]:
    start, end = bounds[0], bounds[-1]
    params: dict[str, Any] = {"account": account_id, "meter": meter_key, "start": start, "end": end}
    if len(bounds) == 2:
        return TOTAL, params
    if end - start == (len(bounds) - 1) * HOUR:  # as they ascend and lie on hours, they are every hour
        return BY_HOUR, params
    return BY_BOUNDS, params | {"bounds": time_array(bounds)}


def gather_span(account_id: int, rows: Sequence[tuple[Any, ...]]) -> FoundSpan | None:
    terms = next((row[0] for row in rows if row[0] is not None), None)
    if terms is None:
        return None
    parts: list[Part] = [
        (bucket, "", event_count, total, None) for name, bucket, event_count, total in rows if name is None
    ]
    return FoundSpan(0, account_id, state_terms(*terms), parts)
