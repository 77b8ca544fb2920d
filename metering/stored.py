"""Stored events, measured and sealed as ingestion did it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

from django.db import connection

from metering.catalogue import Catalogue
from metering.events import Measure, decode_data, encode_canonical
from metering.seals import seal_content, write_content

CHUNK = 5_000

Countable = tuple[int | None, datetime, Sequence[Measure], int]  # account, time, measures, seal

# Events that count: with an account, and not corrected.
READ_EVENTS: LiteralString = """
    SELECT e.account_id, e.happened_at, e.type, e.data::text, e.source, e.event_id, e.subject FROM metering_event e
    WHERE e.happened_at >= %(start)s AND e.happened_at < %(end)s AND e.account_id IS NOT NULL
        AND (%(accounts)s::bigint[] IS NULL OR e.account_id = ANY(%(accounts)s)) AND e.type = ANY(%(types)s)
        AND NOT EXISTS (SELECT FROM metering_correction c WHERE c.source = e.source AND c.event_id = e.event_id)
"""


def read_countable(
    catalogue: Catalogue, *, account_ids: Collection[int] | None, start: datetime, end: datetime
) -> Iterator[Countable]:
    """What counts within [start, end), measured and sealed, in no order. Bounded memory."""
    values = {
        "start": start,
        "end": end,
        "accounts": None if account_ids is None else list(account_ids),
        "types": list(catalogue.measurer.gauges),
    }
    with connection.chunked_cursor() as cursor:
        cursor.execute(READ_EVENTS, values)
        while rows := cursor.fetchmany(CHUNK):
            yield from seal_rows(rows, catalogue)


def seal_rows(rows: Iterable[Sequence[Any]], catalogue: Catalogue) -> Iterator[Countable]:
    """(account, time, type, data as text, source, id, subject) → what is counted, by the meters of the catalogue."""
    measurer = catalogue.measurer
    for account_id, happened_at, type_, data, source, event_id, subject in rows:
        if type_ in measurer.gauges:
            properties = decode_data(data)
            measures, _ = measurer.measure(type_, properties, happened_at)
            canonical = encode_canonical(properties)
            content = write_content(source, event_id, happened_at.astimezone(UTC), type_, subject, canonical)
            yield account_id, happened_at, measures, seal_content(content)


def measure_rows(
    rows: Iterable[Sequence[Any]], catalogue: Catalogue
) -> Iterator[tuple[int | None, datetime, Sequence[Measure]]]:
    """(account, time, type, data as text) → (account, time, measures), by the meters of the catalogue."""
    measurer = catalogue.measurer
    for account_id, happened_at, type_, data in rows:
        if type_ in measurer.gauges:
            measures, _ = measurer.measure(type_, decode_data(data), happened_at)
            yield account_id, happened_at, measures


def read_chunks(rows: Iterator[Countable]) -> Iterator[list[Countable]]:
    chunk: list[Countable] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
