"""The meters as ingestion knows them: compiled once, and good for as long as their token is the database's.

A token is never used twice and changes with every meter (by trigger), so whoever finds it unchanged, under a lock that
keeps meters from changing, need not read them again.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from metering.events import parse_number
from metering.measuring import Measurer, VersionTerms
from metering.statements import run_statement

ADDITIVE = frozenset({"count", "sum"})

READ_VERSIONS: LiteralString = """
    SELECT c.token, m.id, m.key, m.aggregation, v.event_type, v.value, v.filter::text, v.dimensions, v.starts_at,
        lead(v.starts_at) OVER (PARTITION BY m.id ORDER BY v.number), m.carries_over
    FROM metering_catalogue c
    LEFT JOIN (metering_meter m JOIN metering_meterversion v ON v.meter_id = m.id) ON true
    ORDER BY m.id, v.number
"""


class UnknownMeter(LookupError):
    """No meter has this key."""

    field = ""  # where a caller names what it was given


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every meter under one token; None where there never was a meter."""

    token: UUID | None
    measurer: Measurer
    aggregations: dict[int, str]  # by meter id
    additive: frozenset[int] = frozenset()  # meters whose total over a window is the sum of what its events are worth
    carrying: frozenset[int] = frozenset()  # meters whose level stays from one window to the next

    def narrow(self, meter_ids: Collection[int]) -> "Catalogue":
        """The same, but that it measures for these meters alone."""
        return replace(self, measurer=self.measurer.narrow(meter_ids))


EMPTY = Catalogue(None, Measurer([]), {})

latest = EMPTY


def find_catalogue() -> Catalogue:
    """The meters as this process last read them. Whoever counts by them must find their token unchanged, under lock."""
    return latest


def read_catalogue() -> Catalogue:
    """The meters of this moment, in one statement. Call it while no meter can change."""
    global latest
    rows = run_statement(READ_VERSIONS)
    if not rows or rows[0][0] is None:
        latest = EMPTY
        return EMPTY
    versions = [
        VersionTerms(
            meter_id,
            key,
            aggregation,
            event_type,
            value,
            None if filter_ is None else decode_json(filter_),
            tuple(dimensions),
            start,
            end,
        )
        for _, meter_id, key, aggregation, event_type, value, filter_, dimensions, start, end, _ in rows
        if meter_id is not None
    ]
    aggregations = {version.meter_id: version.aggregation for version in versions}
    carrying = frozenset(row[1] for row in rows if row[-1])
    additive = frozenset(key for key, kind in aggregations.items() if kind in ADDITIVE) - carrying
    latest = Catalogue(rows[0][0], Measurer(versions), aggregations, additive, carrying)
    return latest


decode_json = msgspec.json.Decoder(Any, float_hook=parse_number).decode
