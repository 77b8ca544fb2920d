"""What the hours come to that a bound falls in: read from their events, cut at the bounds, in one statement.

Where every bound is on an hour, nothing here is asked.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeVar

import msgspec
from django.db import connection

from metering.catalogue import Catalogue, find_catalogue, read_catalogue
from metering.events import Measure, floor_hour
from metering.history import refuse_pruned
from metering.stored import Countable, measure_rows, seal_rows
from metering.tallies import DetailedTally

CHUNK = 5_000

# The events that count in some hours, each row with the token of the meters and how far history was pruned.
READ_EVENTS: LiteralString = """
    SELECT k.token::text, k.kept_after, e.account_id, e.happened_at, e.type, e.data{names}
    FROM (
        SELECT (SELECT token FROM metering_catalogue), (SELECT max(kept_after) FROM metering_pruning)
    ) AS k (token, kept_after) LEFT JOIN (
        SELECT found.* FROM unnest(%(hours)s::timestamptz[]) AS h (hour) CROSS JOIN LATERAL (
            SELECT e.account_id, e.happened_at, e.type, e.data::text{names} FROM metering_event e
            WHERE e.happened_at >= h.hour AND e.happened_at < h.hour + interval '1 hour'
                AND e.account_id = ANY(%(accounts)s::bigint[]) AND e.type = ANY(%(types)s::text[])
                AND NOT EXISTS (SELECT FROM metering_correction c WHERE c.source = e.source AND c.event_id = e.event_id)
            OFFSET 0
        ) AS found
    ) AS e ON true
"""
READ_MEASURED: LiteralString = READ_EVENTS.replace("{names}", "")
READ_SEALED: LiteralString = READ_EVENTS.replace("{names}", ", e.source, e.event_id, e.subject")

Key = tuple[int, int, datetime, str]  # account, meter, the bound or hour that it begins with, dimensions
Answer = TypeVar("Answer")


class MetersChanged(Exception):
    """The meters are not those of this catalogue any more."""


def find_split_hours(bounds: Iterable[datetime]) -> list[datetime]:
    """The UTC hours that a bound lies within."""
    return sorted(
        {
            floor_hour(bound)
            for bound in bounds
            if (bound.minute or bound.second or bound.microsecond or bound.tzinfo is not UTC)
            and floor_hour(bound) != bound
        }
    )


def read_fragments(
    hours: Sequence[datetime], bounds: Collection[datetime], account_ids: Collection[int], *, is_sealed: bool = False
) -> bytes:
    """JSON of what each account used of each meter within these hours, between one bound and the next.

    `{"account/meter": [{at, dimensions, event_count, total, moment, …, values}]}`; `at` is the bound, or the hour
    itself. Its digest is there where `is_sealed`, at a hash per event. One statement, two when a meter has changed
    since this process last looked. Raises HistoryPruned.
    """
    cuts = sorted({*hours, *bounds})
    return write_fragments(
        ask_meters(lambda catalogue: tally_fragments(hours, cuts, account_ids, catalogue, is_sealed=is_sealed)),
        is_sealed=is_sealed,
    )


def ask_meters(question: Callable[[Catalogue], Answer]) -> Answer:
    """Ask by the meters this process knows, and again by those of this moment when they have changed."""
    catalogue = find_catalogue()
    while True:
        try:
            return question(catalogue)
        except MetersChanged:
            catalogue = read_catalogue()


def tally_fragments(
    hours: Sequence[datetime],
    cuts: Sequence[datetime],
    account_ids: Collection[int],
    catalogue: Catalogue,
    *,
    is_sealed: bool,
) -> dict[Key, DetailedTally]:
    tallies: dict[Key, DetailedTally] = {}
    for account_id, at, measure, seal in read_measures(hours, account_ids, catalogue, is_sealed=is_sealed):
        aggregation = catalogue.aggregations[measure.meter_id]
        cut = cuts[bisect_right(cuts, at) - 1]
        key = (account_id, measure.meter_id, cut, measure.dimensions)
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = DetailedTally()
        tally.add_measure(aggregation, measure.value, at)
        tally.digest += seal
    return tallies


def read_measures(
    hours: Sequence[datetime], account_ids: Collection[int], catalogue: Catalogue, *, is_sealed: bool = False
) -> Iterator[tuple[int, datetime, Measure, int]]:
    """Account, time, worth and seal of what counts in these ascending hours; the seal is 0 where none is asked for.

    Raises MetersChanged, HistoryPruned.
    """
    values: dict[str, Any] = {
        "hours": list(hours),
        "accounts": list(account_ids),
        "types": list(catalogue.measurer.gauges),
    }
    with connection.chunked_cursor() as cursor:
        cursor.execute(READ_SEALED if is_sealed else READ_MEASURED, values)
        for token, kept_after, rows in read_chunks(cursor):
            if token != (None if catalogue.token is None else str(catalogue.token)):
                raise MetersChanged
            if kept_after is not None and kept_after >= hours[0]:
                refuse_pruned(kept_after)
            for account_id, at, measures, seal in list_countable(rows, catalogue, is_sealed=is_sealed):
                for measure in measures:
                    yield account_id or 0, at, measure, seal


def list_countable(rows: Iterable[Sequence[Any]], catalogue: Catalogue, *, is_sealed: bool) -> Iterator[Countable]:
    if is_sealed:
        return seal_rows(rows, catalogue)
    return ((account_id, at, measures, 0) for account_id, at, measures in measure_rows(rows, catalogue))


def read_chunks(cursor: Any) -> Iterator[tuple[str | None, datetime | None, list[tuple[Any, ...]]]]:
    """Token, how far history was pruned, and events."""
    while rows := cursor.fetchmany(CHUNK):
        token, kept_after = rows[0][:2]
        yield token, kept_after, [row[2:] for row in rows if row[2] is not None]


def write_fragments(tallies: dict[Key, DetailedTally], *, is_sealed: bool) -> bytes:
    pairs: dict[str, list[dict[str, Any]]] = {}
    for (account_id, meter_id, at, dimensions), tally in tallies.items():
        fragment = {
            "at": at,
            "dimensions": dimensions,
            "event_count": tally.event_count,
            "total": tally.total,
            "digest": str(tally.digest) if is_sealed else None,
            "moment": tally.moment,
            "minimum": tally.minimum,
            "maximum": tally.maximum,
            "latest": tally.latest,
            "latest_at": tally.latest_at,
            "values": tally.values,
        }
        pairs.setdefault(f"{account_id}/{meter_id}", []).append(fragment)
    return encode(pairs)


encode = msgspec.json.Encoder(decimal_format="string").encode
