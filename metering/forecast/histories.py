"""What was used hour by hour before now, of many limits at once, as plain numbers for the maths.

One statement for all that counts or adds up, one for all levels, one for distinct values and percentiles; those that
nothing asks for are not sent. Each reads one range of an index for each limit, and nothing of any event.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from metering.calendars import HOUR
from metering.statements import bigint_array, plain_array, run_statement, time_array

Floats = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)


class Asked(NamedTuple):
    """Hours of one account and meter, from one full hour to another. Its limit's window begins at `window_start`."""

    account_id: int
    meter_id: int
    aggregation: str
    start: datetime
    end: datetime
    window_start: datetime
    window_end: datetime


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """`values[i]` is what was found of the hour that begins `i` hours after `start`; NaN of an hour without any.

    A count, a sum: what the hour added. Distinct values: how many were new in it, to its window or, where they carry
    over, at all. A weighted sum: by what the level changed; `weights` has the same times the seconds since the hour
    began. Else what the hour alone reads. `first` is the first hour that the account ever had of the meter, None where
    there is none; `before` is the latest value before `start`, None of all but latest values.
    """

    first: datetime | None
    start: datetime
    values: Floats
    weights: Floats
    before: float | None = None

    @property
    def end(self) -> datetime:
        return self.start + len(self.values) * HOUR


# Hours and numbers come as the bytes that the network has of them, since a thousand of them are then read at once.
STATEMENT: LiteralString = """
    SELECT s.place, known.first, found.* FROM (
        SELECT s.*, m.aggregation, m.percentile, m.carries_over
        FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
            %s::timestamptz[]) AS s (place, account_id, meter_id, starts_at, ends_at, window_start, window_end)
        JOIN metering_meter m ON m.id = s.meter_id
    ) AS s CROSS JOIN LATERAL (
        SELECT min(r.hour) AS first FROM metering_hourlyrollup r
        WHERE r.account_id = s.account_id AND r.meter_id = s.meter_id
    ) AS known CROSS JOIN LATERAL (
        SELECT string_agg(int4send((extract(epoch FROM h.hour - s.starts_at) / 3600)::int), '' ORDER BY h.hour),
            string_agg(float8send(h.amount::float8), '' ORDER BY h.hour),
            string_agg(float8send(h.weight::float8), '' ORDER BY h.hour), {before}
        FROM ({hours}) AS h WHERE h.amount IS NOT NULL
    ) AS found
"""

WITHIN: LiteralString = """
    r.account_id = s.account_id AND r.meter_id = s.meter_id AND r.hour >= s.starts_at AND r.hour < s.ends_at
"""

FLOWS: LiteralString = f"""
    SELECT r.hour, sum(r.total) AS amount, NULL::numeric AS weight FROM metering_hourlyrollup r
    WHERE {WITHIN} GROUP BY r.hour
"""  # noqa: S608 (constants alone)

LEVELS: LiteralString = f"""
    SELECT r.hour, CASE s.aggregation
            WHEN 'min' THEN min(r.minimum) WHEN 'max' THEN max(r.maximum)
            WHEN 'avg' THEN sum(r.total) / nullif(sum(r.event_count), 0)
            WHEN 'latest' THEN (max(ARRAY[extract(epoch FROM r.latest_at), r.latest])
                FILTER (WHERE r.latest_at IS NOT NULL))[2]
            ELSE sum(r.total) END AS amount,
        CASE s.aggregation WHEN 'weighted_sum' THEN coalesce(sum(r.moment), 0) END AS weight
    FROM metering_hourlyrollup r WHERE {WITHIN} GROUP BY r.hour
"""  # noqa: S608

LATEST_BEFORE: LiteralString = """(
            SELECT r.latest::float8 FROM metering_hourlyrollup r
            WHERE r.account_id = s.account_id AND r.meter_id = s.meter_id AND r.hour < s.starts_at
                AND s.aggregation = 'latest' AND r.latest_at IS NOT NULL
            ORDER BY r.hour DESC, r.latest_at DESC, r.latest DESC LIMIT 1
        )"""

# Windows before the present one are taken to be as long as it is.
VALUES: LiteralString = f"""
    SELECT h.hour, count(*) AS amount, NULL::numeric AS weight FROM (
        SELECT min(r.hour) AS hour FROM metering_valuerollup r
        WHERE r.account_id = s.account_id AND r.meter_id = s.meter_id AND r.hour < s.ends_at
            AND (s.carries_over OR r.hour >= s.starts_at) AND s.aggregation = 'unique'
        GROUP BY r.value, CASE WHEN NOT s.carries_over THEN ceil(
            extract(epoch FROM s.window_start - r.hour) / extract(epoch FROM s.window_end - s.window_start)) END
    ) AS h WHERE h.hour >= s.starts_at GROUP BY h.hour
    UNION ALL
    SELECT hour, min(number) FILTER (WHERE running * 100 >= whole * s.percentile), NULL FROM (
        SELECT hour, number, sum(event_count) OVER (PARTITION BY hour ORDER BY number) AS running,
            sum(event_count) OVER (PARTITION BY hour) AS whole
        FROM (
            SELECT r.hour, r.event_count, CASE s.aggregation WHEN 'percentile' THEN r.value::numeric END AS number
            FROM metering_valuerollup r WHERE {WITHIN} AND s.aggregation = 'percentile'
        ) AS numbered
    ) AS ranked GROUP BY hour
"""  # noqa: S608

READ_FLOWS: LiteralString = STATEMENT.replace("{hours}", FLOWS).replace("{before}", "NULL::float8")
READ_LEVELS: LiteralString = STATEMENT.replace("{hours}", LEVELS).replace("{before}", LATEST_BEFORE)
READ_VALUES: LiteralString = STATEMENT.replace("{hours}", VALUES).replace("{before}", "NULL::float8")

STATEMENTS = {"count": READ_FLOWS, "sum": READ_FLOWS, "unique": READ_VALUES, "percentile": READ_VALUES}


def read_histories(asked: Mapping[Key, Asked]) -> dict[Key, History]:
    """key → its hours. At most three statements; what a level is where nothing happened is for the reader to say."""
    found: dict[Key, History] = {}
    for statement in (READ_FLOWS, READ_LEVELS, READ_VALUES):
        own = {key: each for key, each in asked.items() if STATEMENTS.get(each.aggregation, READ_LEVELS) is statement}
        if own:
            found.update(run_histories(statement, own))
    return found


def run_histories(statement: LiteralString, asked: Mapping[Key, Asked]) -> Iterator[tuple[Key, History]]:
    keys = list(asked)
    columns: Sequence[Sequence[Any]] = list(zip(*asked.values(), strict=True))
    accounts, meters, _, *moments = columns
    params: list[Any] = [plain_array(range(len(keys))), bigint_array(accounts), bigint_array(meters)]
    params += map(time_array, moments)
    for place, first, hours, amounts, weights, before in run_statement(statement, params):
        each = asked[keys[place]]
        values = np.full((each.end - each.start) // HOUR, np.nan)
        weighed = np.zeros(len(values))
        if hours is not None:
            places = np.frombuffer(hours, dtype=">i4")
            values[places] = np.frombuffer(amounts, dtype=">f8")
            if weights is not None:
                weighed[places] = np.frombuffer(weights, dtype=">f8")
        yield keys[place], History(first, each.start, values, weighed, before)
