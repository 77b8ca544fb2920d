"""One statement over the rollups: what accounts used of meters between each bound and the next.

A span is one account and one meter with its bounds, and reads one range of the rollups' primary key. Its cost follows
its hours (times what they are broken down by), never the events. Hours that a bound falls in come from `fragments`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, LiteralString, NamedTuple

from metering.breakdowns import Breakdown
from metering.fragments import find_split_hours, read_fragments
from metering.statements import plain_array, run_statement, text_array, time_array


class Terms(NamedTuple):
    """What a meter's quantity is."""

    meter_id: int
    key: str
    name: str
    unit: str
    aggregation: str
    rounding: str
    rounding_places: int
    carries_over: bool


# Bucket, group, number of events, amount, change. Buckets count from one; zero is what was before the first bound, of
# a meter that carries over. The amount is what the aggregation needs: a sum, a smallest value, a number of distinct
# values that were not there before, the sum of a level's changes times the seconds they were there; the change is by
# what a level changed. Plain tuples: there is one for every hour of a month.
Part = tuple[int, str, int, Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """`position` counts from one in the list that was asked for; zero where every account has every meter.

    `digests`, where they were asked for, are the sums of the seals of each bucket's events (`metering.seals`): None
    where some were counted without a seal. A bucket without events has none.
    """

    position: int
    account_id: int
    terms: Terms
    parts: list[Part] = field(default_factory=list)
    digests: dict[int, Decimal | None] = field(default_factory=dict)


class Span(NamedTuple):
    """Bounds ascend; a single one encloses nothing."""

    account_id: int
    meter_id: int
    bounds: Sequence[datetime]


def read_spans(
    spans: Sequence[Span], *, breakdown: Breakdown | None = None, is_sealed: bool = False
) -> list[FoundSpan]:
    """What was found of each span, in their order. One statement; one or two more where bounds split hours."""
    if not spans:
        return []
    bounds = [bound for span in spans for bound in span.bounds]
    highs: list[int] = []
    for span in spans:
        highs.append((highs[-1] if highs else 0) + len(span.bounds))
    lows = [1, *(high + 1 for high in highs[:-1])]
    params: dict[str, str | None] = {
        "accounts": plain_array([span.account_id for span in spans]),
        "meters": plain_array([span.meter_id for span in spans]),
        "lows": plain_array(lows),
        "highs": plain_array(highs),
    }
    accounts = {span.account_id for span in spans}
    found = run_spans(LISTED, params, bounds=bounds, account_ids=accounts, breakdown=breakdown, is_sealed=is_sealed)
    found.sort(key=lambda span: span.position)
    return found


def read_every(
    account_ids: Collection[int],
    *,
    meter_keys: Collection[str] | None,
    bounds: Sequence[datetime],
    breakdown: Breakdown | None = None,
    is_sealed: bool = False,
) -> list[FoundSpan]:
    """The same for each of these accounts with each of these meters (None: with all), by account and meter key."""
    params = {
        "accounts": plain_array(list(account_ids)),
        "meters": None if meter_keys is None else text_array(list(meter_keys)),
    }
    found = run_spans(EVERY, params, bounds=bounds, account_ids=account_ids, breakdown=breakdown, is_sealed=is_sealed)
    found.sort(key=lambda span: (span.account_id, span.terms.key))
    return found


def run_spans(
    spans: LiteralString,
    params: dict[str, str | None],
    *,
    bounds: Sequence[datetime],
    account_ids: Collection[int],
    breakdown: Breakdown | None,
    is_sealed: bool,
) -> list[FoundSpan]:
    split = find_split_hours(bounds)
    params["bounds"] = time_array(bounds)
    if split:
        params["split"] = time_array(split)
        params["fragments"] = read_fragments(split, bounds, account_ids, is_sealed=is_sealed).decode()
    if breakdown is not None:
        params["versions"], params["sieve"] = breakdown.versions, breakdown.sieve
    rows = run_statement(write_statement(spans, bool(split), breakdown is not None, is_sealed), params)
    found = gather_spans(rows)
    if is_sealed:
        gather_digests(rows, found)
    return found


def gather_spans(rows: Sequence[tuple[Any, ...]]) -> list[FoundSpan]:
    """Of each span one row says what it is, and the others hold its parts."""
    names = [row[1] for row in rows if row[1] is not None]
    found = [FoundSpan(int(position), int(account_id), state_terms(*terms)) for position, account_id, *terms in names]
    places = {row[0]: each.parts for row, each in zip((row for row in rows if row[1] is not None), found, strict=True)}
    for row in rows:
        if row[1] is None:
            places[row[0]].append(row[2:7])
    return found


def gather_digests(rows: Sequence[tuple[Any, ...]], found: Sequence[FoundSpan]) -> None:
    """Of a question that is not broken down, a bucket has one row with the number of its events and their seals."""
    numbers = [row[0] for row in rows if row[1] is not None]
    places = {number: each.digests for number, each in zip(numbers, found, strict=True)}
    for number, terms, bucket, _, event_count, _, _, digest in rows:
        if terms is None and event_count:
            places[number][bucket] = digest


def state_terms(
    meter_id: str, key: str, name: str, unit: str, aggregation: str, rounding: str, places: str, carries_over: str
) -> Terms:
    return Terms(int(meter_id), key, name, unit, aggregation, rounding, int(places), carries_over == "true")


LISTED: LiteralString = """
    SELECT s.position, s.account_id, m.*, (%(bounds)s::timestamptz[])[s.low:s.high] AS bounds
    FROM unnest(%(accounts)s::bigint[], %(meters)s::bigint[], %(lows)s::int[], %(highs)s::int[]) WITH ORDINALITY
        AS s (account_id, meter_id, low, high, position) JOIN metering_meter m ON m.id = s.meter_id
"""

EVERY: LiteralString = """
    SELECT 0::bigint AS position, a.id AS account_id, m.*, %(bounds)s::timestamptz[] AS bounds
    FROM unnest(%(accounts)s::bigint[]) AS a (id) CROSS JOIN metering_meter m
    WHERE %(meters)s::text[] IS NULL OR m.key = ANY(%(meters)s::text[])
"""

# Of a meter that carries over the whole past is bucket 0; of a latest value its last hour is enough.
LAST_HOUR: LiteralString = """WHEN aggregation = 'latest' THEN coalesce((
            SELECT max(r.hour) FROM metering_hourlyrollup r
            WHERE r.account_id = w.account_id AND r.meter_id = w.id AND r.hour < bounds[1] {without_split}
        ), bounds[1])"""

# What `state_terms` takes.
TERMS: LiteralString = """
    ARRAY[m.id::text, m.key, m.name, m.unit, m.aggregation, m.rounding, m.rounding_places::text, m.carries_over::text]
"""

# The first row of a span says what its meter is. A level's change weighs the seconds until its bucket ends.
STATEMENT: LiteralString = """
    WITH wanted AS ({spans}), spans AS MATERIALIZED (
        SELECT w.*, row_number() OVER () AS number, bounds[cardinality(bounds)] AS until,
            CASE WHEN NOT carries_over THEN bounds[1] {last_hour} ELSE '-infinity' END AS first
        FROM wanted w
    )
    SELECT s.number, CASE WHEN p.bucket IS NULL THEN ARRAY[s.position::text, s.account_id::text] || {terms} END, p.*
    FROM spans s CROSS JOIN LATERAL (
        SELECT NULL::int AS bucket, '' AS grouping, NULL::bigint AS event_count, NULL::numeric, NULL::numeric{no_digest}
        UNION ALL
        SELECT width_bucket(c.at, s.bounds), {grouping}, sum(c.event_count)::bigint, sum(c.total), NULL{digest}
        FROM ({cells}) AS c {versions} WHERE s.aggregation IN ('count', 'sum', 'avg', 'unique', 'percentile')
        GROUP BY 1, 2
        UNION ALL
        SELECT bucket, grouping, sum(event_count)::bigint, CASE s.aggregation
                WHEN 'min' THEN min(minimum) WHEN 'max' THEN max(maximum)
                WHEN 'latest' THEN (max(ARRAY[extract(epoch FROM latest_at), latest])
                    FILTER (WHERE latest_at IS NOT NULL))[2]
                ELSE sum(total * extract(epoch FROM s.bounds[bucket + 1] - hour) - moment)
                    FILTER (WHERE moment IS NOT NULL) END,
            CASE s.aggregation WHEN 'weighted_sum' THEN sum(total) END{digest}
        FROM (
            SELECT width_bucket(c.at, s.bounds) AS bucket, {grouping} AS grouping, c.* FROM ({cells}) AS c {versions}
            WHERE s.aggregation IN ('min', 'max', 'latest', 'weighted_sum')
        ) AS c GROUP BY 1, 2
        UNION ALL
        SELECT bucket, grouping, 0, count(*), NULL{no_digest} FROM (
            SELECT min(width_bucket(c.at, s.bounds)) AS bucket, {grouping} AS grouping FROM ({values}) AS c {versions}
            GROUP BY 2, c.value, CASE WHEN s.carries_over THEN 0 ELSE width_bucket(c.at, s.bounds) END
        ) AS c WHERE s.aggregation = 'unique' GROUP BY 1, 2
        UNION ALL
        SELECT bucket, grouping, 0, min(number) FILTER (WHERE running * 100 >= whole * s.percentile), NULL{no_digest}
        FROM (
            SELECT bucket, grouping, number, sum(event_count) OVER (PARTITION BY bucket, grouping ORDER BY number)
                AS running, sum(event_count) OVER (PARTITION BY bucket, grouping) AS whole
            FROM (
                SELECT width_bucket(c.at, s.bounds) AS bucket, {grouping} AS grouping, c.value::numeric AS number,
                    c.event_count FROM ({values}) AS c {versions}
                WHERE s.aggregation = 'percentile'
            ) AS c
        ) AS c WHERE s.aggregation = 'percentile' GROUP BY 1, 2
    ) AS p
"""

CELLS: LiteralString = """
    SELECT r.hour AS at, r.hour, r.dimensions, r.event_count, r.total, r.digest, r.moment, r.minimum, r.maximum,
        r.latest, r.latest_at
    FROM metering_hourlyrollup r
    WHERE r.account_id = s.account_id AND r.meter_id = s.id AND r.hour >= s.first AND r.hour < s.until {without_split}
"""

VALUES: LiteralString = """
    SELECT r.hour AS at, r.hour, r.dimensions, r.event_count, r.value FROM metering_valuerollup r
    WHERE r.account_id = s.account_id AND r.meter_id = s.id AND r.hour >= s.first AND r.hour < s.until {without_split}
        AND s.aggregation IN ('unique', 'percentile')
"""

WITHOUT_SPLIT: LiteralString = "AND r.hour <> ALL(%(split)s::timestamptz[])"

CELL_FRAGMENTS: LiteralString = """
    UNION ALL
    SELECT f.at, date_trunc('hour', f.at, 'UTC'), f.dimensions, f.event_count, f.total, f.digest, f.moment, f.minimum,
        f.maximum, f.latest, f.latest_at
    FROM jsonb_to_recordset(%(fragments)s::jsonb -> (s.account_id || '/' || s.id)) AS f (at timestamptz,
        dimensions text, event_count bigint, total numeric, digest numeric, moment numeric, minimum numeric,
        maximum numeric, latest numeric, latest_at timestamptz)
    WHERE f.at < s.until AND (s.carries_over OR f.at >= s.bounds[1])
"""

VALUE_FRAGMENTS: LiteralString = """
    UNION ALL
    SELECT f.at, date_trunc('hour', f.at, 'UTC'), f.dimensions, v.event_count::bigint, v.value
    FROM jsonb_to_recordset(%(fragments)s::jsonb -> (s.account_id || '/' || s.id)) AS f (at timestamptz,
        dimensions text, "values" jsonb) CROSS JOIN LATERAL jsonb_each_text(f."values") AS v (value, event_count)
    WHERE f.at < s.until AND (s.carries_over OR f.at >= s.bounds[1])
"""

# Null as a whole where one part is.
DIGEST: LiteralString = ", CASE WHEN count(c.digest) = count(*) THEN sum(c.digest) END"
NO_DIGEST: LiteralString = ", NULL::numeric"

# The version whose hour it is says where a dimension stands in the list of values; what is not there is null.
GROUPING: LiteralString = """'[' || (
                SELECT coalesce(string_agg(coalesce((nullif(c.dimensions, '')::json -> place)::text, 'null'), ','
                    ORDER BY position), '') FROM unnest(v.places) WITH ORDINALITY AS g (place, position)
            ) || ']'"""

VERSIONS: LiteralString = """JOIN LATERAL (
            SELECT v.places FROM jsonb_to_recordset(%(versions)s::jsonb -> s.id::text)
                AS v (starts_at timestamptz, ends_at timestamptz, places int[], sieve int[])
            WHERE c.hour >= v.starts_at AND c.hour < v.ends_at AND NOT EXISTS (
                SELECT FROM unnest(v.sieve) WITH ORDINALITY AS f (place, position)
                WHERE (%(sieve)s::jsonb -> (f.position::int - 1)
                    ? coalesce(nullif(c.dimensions, '')::json ->> f.place, 'null')) IS NOT TRUE
            )
        ) AS v ON true"""


@cache
def write_statement(
    spans: LiteralString, is_split: bool, is_broken_down: bool, is_sealed: bool = False
) -> LiteralString:
    """Only what this question needs: the shorter, the less there is to plan and to parse."""
    statement = (
        STATEMENT.replace("{spans}", spans)
        .replace("{terms}", TERMS.replace("m.", "s."))
        .replace("{last_hour}", "" if is_broken_down else LAST_HOUR)
        .replace("{cells}", CELLS + (CELL_FRAGMENTS if is_split else ""))
        .replace("{values}", VALUES + (VALUE_FRAGMENTS if is_split else ""))
        .replace("{without_split}", WITHOUT_SPLIT if is_split else "")
        .replace("{grouping}", GROUPING if is_broken_down else "''")
        .replace("{digest}", DIGEST if is_sealed else "")
        .replace("{no_digest}", NO_DIGEST if is_sealed else "")
        .replace("{versions}", VERSIONS if is_broken_down else "")
    )
    return " ".join(statement.split())  # the driver keeps what it made of a short text
