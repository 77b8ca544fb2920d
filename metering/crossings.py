"""When a window's reading reached a level, where it does not add up: the time of the event with which it did.

Readings by the hours' ends come from the rollups in one statement, then the events of the hour in which the level was
reached are read, in another; one more says what was pruned, and one reads hours that a window's bound falls in. However
many levels are asked for, and however long their windows are, there are no more statements.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, LiteralString, NamedTuple

from metering.aggregations import DEFAULT_PERCENTILE, Sample
from metering.calendars import HOUR
from metering.catalogue import Catalogue
from metering.events import floor_hour
from metering.fragments import ask_meters, find_split_hours, read_fragments, read_measures
from metering.history import find_kept_from
from metering.progress import HourPart, Progress, find_moment, find_part
from metering.spans import CELL_FRAGMENTS, CELLS, VALUE_FRAGMENTS, VALUES, WITHOUT_SPLIT
from metering.statements import plain_array, run_statement, time_array

MANY = 100_000  # events are not read in all: ingestion asks while it holds the account


class Level(NamedTuple):
    """A reading that was reached, above zero: `quantity` of one meter by one account within [start, end)."""

    account_id: int
    meter_id: int
    start: datetime
    end: datetime
    quantity: Decimal


class FoundHour(NamedTuple):
    """The level is reached in this hour; `progress` is what its reading is made of before."""

    hour: datetime
    progress: Progress
    names: Sequence[str]


# What each hour brings, that of no hour is carried in. Of distinct values an hour names those which are new in it where
# their number reaches the level.
STATEMENT: LiteralString = """
    WITH spans AS MATERIALIZED (
        SELECT v.position, v.account_id, v.quantity, m.id, m.aggregation, m.percentile, m.carries_over, v.until,
            ARRAY[v.start, v.until] AS bounds, CASE WHEN m.carries_over THEN '-infinity' ELSE v.start END AS first
        FROM unnest(%(accounts)s::bigint[], %(meters)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
            %(quantities)s::numeric[]) WITH ORDINALITY AS v (account_id, meter_id, start, until, quantity, position)
        JOIN metering_meter m ON m.id = v.meter_id
    )
    SELECT s.position, s.aggregation, s.percentile, p.*
    FROM spans s CROSS JOIN LATERAL (
        SELECT CASE WHEN c.at >= s.bounds[1] THEN c.hour END AS hour, sum(c.event_count)::bigint, sum(c.total),
            sum(c.moment), min(c.minimum), max(c.maximum), (max(ARRAY[extract(epoch FROM c.latest_at), c.latest])
                FILTER (WHERE c.latest_at IS NOT NULL))[2], 0::bigint, 0::bigint, '{}'::text[]
        FROM ({cells}) AS c WHERE s.aggregation NOT IN ('unique', 'percentile') GROUP BY 1
        UNION ALL
        SELECT nullif(hour, '-infinity'), 0, NULL, NULL, NULL, NULL, NULL, fresh, 0,
            CASE WHEN running >= s.quantity AND running - fresh < s.quantity THEN names ELSE '{}' END
        FROM (
            SELECT hour, count(*) AS fresh, array_agg(value) AS names, sum(count(*)) OVER (ORDER BY hour) AS running
            FROM (
                SELECT c.value, min(CASE WHEN c.at >= s.bounds[1] THEN c.hour ELSE '-infinity' END) AS hour
                FROM ({values}) AS c GROUP BY c.value
            ) AS first GROUP BY hour
        ) AS counted WHERE s.aggregation = 'unique'
        UNION ALL
        SELECT c.hour, sum(c.event_count)::bigint, NULL, NULL, NULL, NULL, NULL, 0,
            coalesce(sum(c.event_count) FILTER (WHERE c.value::numeric < s.quantity), 0)::bigint, '{}'
        FROM (SELECT * FROM ({values}) AS v WHERE s.aggregation = 'percentile') AS c GROUP BY 1
    ) AS p
    ORDER BY s.position, p.hour NULLS FIRST
"""


def find_crossings(levels: Sequence[Level]) -> list[datetime]:
    """As `find_reached`, and the window's start where nothing that can be read reached it."""
    return [moment or level.start for moment, level in zip(find_reached(levels), levels, strict=True)]


def find_reached(levels: Sequence[Level]) -> list[datetime | None]:
    """For each the time of the first event with which the reading of the window had reached it; None if it never had.

    The first hour by whose end it had is found, and the event in there; a peak that was gone again when its hour ended
    is passed over. Where the events of the hour were pruned or are too MANY it is the hour's start; where what was
    carried in had reached it already, the window's.
    """
    if not levels:
        return []
    kept_from = find_kept_from()
    found, carried_in = find_hours(levels, kept_from)
    moments = {position: levels[position].start for position in carried_in}
    moments |= {position: max(each.hour, levels[position].start) for position, each in found.items()}
    readable = {position: each for position, each in found.items() if kept_from is None or each.hour >= kept_from}
    samples = read_samples(levels, readable)
    for position, events in samples.items():
        each = found[position]
        moments[position] = find_moment(each.progress, events, names=each.names) or moments[position]
    return [moments.get(position) for position in range(len(levels))]


def find_hours(levels: Sequence[Level], kept_from: datetime | None) -> tuple[dict[int, FoundHour], set[int]]:
    """By position of the level the hour that reached it; and the positions of what was carried in over theirs."""
    rows = read_parts([narrow_level(level, kept_from) for level in levels])
    found, carried_in = {}, set()
    for position, group in groupby(rows, key=itemgetter(0)):
        level = levels[position - 1]
        [*each] = group
        _, aggregation, percentile, *_ = each[0]
        percentile = DEFAULT_PERCENTILE if percentile is None else percentile
        progress = Progress(aggregation, level.quantity, level.start, level.end, percentile)
        reached = find_part(progress, (HourPart(*row[3:]) for row in each))
        if reached is None:
            continue
        before, part = reached
        if part.hour is None:
            carried_in.add(position - 1)
        else:
            found[position - 1] = FoundHour(part.hour, before, part.names)
    return found, carried_in


def narrow_level(level: Level, kept_from: datetime | None) -> Level:
    """Without the hours that a bound falls in, where their events were pruned: what of them is within nobody knows."""
    split = find_split_hours([level.start, level.end])
    if kept_from is None or not split or split[0] >= kept_from:
        return level
    start = level.start if floor_hour(level.start) == level.start else floor_hour(level.start) + HOUR
    end = level.end if floor_hour(level.end) >= kept_from else floor_hour(level.end)
    return level._replace(start=start, end=end)


def read_parts(levels: Sequence[Level]) -> list[tuple[Any, ...]]:
    bounds = [bound for level in levels for bound in (level.start, level.end)]
    params: dict[str, str | None] = {
        "accounts": plain_array([level.account_id for level in levels]),
        "meters": plain_array([level.meter_id for level in levels]),
        "starts": time_array([level.start for level in levels]),
        "ends": time_array([level.end for level in levels]),
        "quantities": plain_array([f"{level.quantity:f}" for level in levels]),
    }
    split = find_split_hours(bounds)
    if split:
        params["split"] = time_array(split)
        params["fragments"] = read_fragments(split, bounds, {level.account_id for level in levels}).decode()
    return run_statement(write_statement(bool(split)), params)


def read_samples(levels: Sequence[Level], found: Mapping[int, FoundHour]) -> dict[int, list[Sample]]:
    """The events of the hour, within the window, by position of the level. None where they are too many in all."""
    if not found:
        return {}
    places: dict[tuple[int, int, datetime], list[int]] = {}
    for position, each in found.items():
        level = levels[position]
        places.setdefault((level.account_id, level.meter_id, each.hour), []).append(position)
    hours = sorted({hour for _, _, hour in places})
    accounts = {account_id for account_id, _, _ in places}

    def gather(catalogue: Catalogue) -> dict[int, list[Sample]]:
        samples: dict[int, list[Sample]] = {position: [] for position in found}
        for count, (account_id, at, measure, _) in enumerate(read_measures(hours, accounts, catalogue)):
            if count == MANY:
                return {}
            for position in places.get((account_id, measure.meter_id, floor_hour(at)), ()):
                if levels[position].start <= at < levels[position].end:
                    samples[position].append((at, measure.value))
        return samples

    return ask_meters(gather)


@cache
def write_statement(is_split: bool) -> LiteralString:
    statement = (
        STATEMENT.replace("{cells}", CELLS + (CELL_FRAGMENTS if is_split else ""))
        .replace("{values}", VALUES + (VALUE_FRAGMENTS if is_split else ""))
        .replace("{without_split}", WITHOUT_SPLIT if is_split else "")
    )
    return " ".join(statement.split())  # the driver keeps what it made of a short text
