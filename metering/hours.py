"""Hours in which something was counted, for many windows at once: what stands still costs nothing."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple, TypeVar

from metering.statements import bigint_array, plain_array, run_statement, time_array

READ_HOURS: LiteralString = """
    SELECT s.place, t.* FROM unnest(
        %s::int[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[]
    ) AS s (place, account_id, meter_id, starts_at, ends_at) CROSS JOIN LATERAL (
        SELECT r.hour, sum(r.total) FROM metering_hourlyrollup r
        WHERE r.account_id = s.account_id AND r.meter_id = s.meter_id AND r.hour >= s.starts_at AND r.hour < s.ends_at
        GROUP BY r.hour
    ) AS t ORDER BY 1, 2
"""

Key = TypeVar("Key", bound=Hashable)


class HourSpan(NamedTuple):
    """Hours of one account and meter, from one full hour to another."""

    account_id: int
    meter_id: int
    start: datetime
    end: datetime


def read_hours(spans: Mapping[Key, HourSpan]) -> dict[Key, list[tuple[datetime, Decimal]]]:
    """key → each hour that counted something, with its count or sum, in order. One statement.

    For meters that count or add up alone; a quantity is not rounded by its meter.
    """
    found: dict[Key, list[tuple[datetime, Decimal]]] = {key: [] for key in spans}
    if not spans:
        return found
    keys = list(spans)
    accounts, meters, starts, ends = zip(*spans.values(), strict=True)
    params: list[Any] = [plain_array(range(len(keys))), bigint_array(accounts), bigint_array(meters)]
    for place, hour, total in run_statement(READ_HOURS, [*params, time_array(starts), time_array(ends)]):
        found[keys[place]].append((hour, total))
    return found
