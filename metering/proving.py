"""Readings made anew from the events themselves: the same quantity as rollups tell, by another road."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from metering.aggregations import DEFAULT_PERCENTILE, NOTHING, Cell, read_cells, round_quantity
from metering.events import Measure, floor_hour
from metering.evidence import CountedEvent, Evidence
from metering.meters import MeterTerms, VersionTerms
from metering.numbers import PLACES, round_number
from metering.parts import PartReading, write_value
from metering.seals import reduce_digest
from metering.tallies import DetailedTally
from metering.usage import Reading


@dataclass(slots=True)
class Recount:
    """What the events of one meter come to within [start, end), and what was there before where it carries over.

    It grows with hours, dimension values and distinct values; with the events only where each value is wanted.
    """

    meter_id: int
    terms: MeterTerms
    start: datetime
    end: datetime
    keeps_values: bool = False
    event_count: int = 0
    seals: int = 0
    inside: dict[tuple[datetime, str], DetailedTally] = field(default_factory=dict)  # by hour and dimensions
    before: dict[str, DetailedTally] = field(default_factory=dict)  # by dimensions
    values: list[tuple[datetime, Decimal]] = field(default_factory=list)

    def add(self, event: CountedEvent, measure: Measure) -> None:
        at, value = event.happened_at, measure.value
        if at < self.start:
            tally = self.before.setdefault(measure.dimensions, DetailedTally())
            tally.add_measure(self.terms.aggregation, value, at)
            return
        self.event_count += 1
        self.seals += event.seal
        tally = self.inside.setdefault((floor_hour(at), measure.dimensions), DetailedTally())
        tally.add_measure(self.terms.aggregation, value, at)
        if self.keeps_values and not isinstance(value, str):
            self.values.append((at, round_number(value, PLACES)))

    def state_reading(self) -> Reading:
        return Reading(
            meter_id=self.meter_id,
            meter_key=self.terms.key,
            meter_name=self.terms.name,
            unit=self.terms.unit,
            quantity=self.measure(
                [state_cell(hour, tally) for (hour, _), tally in self.inside.items()],
                [state_cell(self.start, tally) for tally in self.before.values()],
            ),
            event_count=self.event_count,
            start=self.start,
            end=self.end,
            aggregation=self.terms.aggregation,
            digest=reduce_digest(self.seals),
        )

    def list_parts(self, dimensions: Sequence[str]) -> list[PartReading]:
        """The same by these dimensions, each part rounded as the meter says."""
        groups: dict[tuple[str, ...], tuple[list[Cell], list[Cell], int]] = {}
        for (hour, text), tally in self.inside.items():
            values = self.read_values(text, dimensions, hour)
            cells, carried, count = groups.get(values, ([], [], 0))
            groups[values] = ([*cells, state_cell(hour, tally)], carried, count + tally.event_count)
        return [
            PartReading(dict(zip(dimensions, values, strict=True)), self.measure(cells, carried), count)
            for values, (cells, carried, count) in sorted(groups.items())
        ]

    def list_values(self) -> list[Decimal]:
        """What each event was worth, in the order in which they happened; those of one moment by their worth."""
        return [value for _, value in sorted(self.values)]

    def measure(self, cells: Sequence[Cell], carried: Sequence[Cell]) -> Decimal:
        terms = self.terms
        quantity = read_cells(
            terms.aggregation,
            cells,
            start=self.start,
            end=self.end,
            carried=carried,
            percentile=DEFAULT_PERCENTILE if terms.percentile is None else terms.percentile,
        )
        return round_quantity(quantity, terms.rounding, terms.rounding_places) if terms.rounding else quantity

    def read_values(self, text: str, dimensions: Sequence[str], moment: datetime) -> tuple[str, ...]:
        """Of the dimensions that the meter's version of the time has."""
        names = find_version(self.terms, moment).dimensions
        found = dict(zip(names, json.loads(text, parse_float=Decimal) if text else (), strict=False))
        return tuple(write_value(found.get(name)) for name in dimensions)


def recount_events(evidence: Evidence, *, valued: Collection[int] = ()) -> dict[int, Recount]:
    """meter id → what its events come to. Of the `valued` meters each event's worth is kept."""
    recounts = {
        meter_id: Recount(meter_id, terms, evidence.start, evidence.end, keeps_values=meter_id in valued)
        for meter_id, terms in evidence.meters.items()
    }
    for event in evidence:
        for measure in event.measures:
            recounts[measure.meter_id].add(event, measure)
    return recounts


def find_version(terms: MeterTerms, moment: datetime) -> VersionTerms:
    return next(each for each in reversed(terms.versions) if each.starts_at is None or each.starts_at <= moment)


def state_cell(hour: datetime, tally: DetailedTally) -> Cell:
    return Cell(
        hour=hour,
        event_count=tally.event_count,
        total=Decimal(tally.total),
        moment=NOTHING if tally.moment is None else tally.moment,
        minimum=None if tally.minimum is None else Decimal(tally.minimum),
        maximum=None if tally.maximum is None else Decimal(tally.maximum),
        latest=None if tally.latest is None else Decimal(tally.latest),
        latest_at=tally.latest_at,
        values=tally.values,
    )
