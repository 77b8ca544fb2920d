"""Meters for what a file holds: every type in it is counted, or the import stops before its first line."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from metering.catalogue import read_catalogue
from metering.checking import Refusal
from metering.events import UsageEvent
from metering.importers.access_log import EVENT_TYPE, METERS
from metering.importers.batches import Batch
from metering.importers.errors import ImportRefused
from metering.importers.formats import LineParser, MeterTerms
from metering.meters import InvalidMeter, MeterConflict, UnknownMeter, create_meter, find_meter
from metering.models import Aggregation

SHOWN_TYPES = 20
TERMS_MAX = 20  # meters for one type
NEW_METERS_MAX = 500


class CountedTypes:
    """The event types that some meter counts. `made` are the keys of meters that were made for those of the file."""

    def __init__(self, *, create_meters: bool, reject_unknown: bool, at: datetime) -> None:
        self.create_meters, self.reject_unknown, self.at = create_meters, reject_unknown, at
        self.types: set[str] = set()
        self.made: list[str] = []

    def meet(self, batch: Batch, others: Iterator[Batch], parser: LineParser) -> None:
        """See to it that every type of the batch is counted; `others` are the batches behind it.

        Raises ImportRefused with all types that none counts.
        """
        found = group_by_type(batch)
        missing = self.find_missing(found)
        if not missing or self.reject_unknown:
            return
        if not self.create_meters:
            raise self.refuse(missing, others, first_number=batch.first_number)
        for each in sorted(missing):
            if len(self.made) >= NEW_METERS_MAX:
                raise ImportRefused(f"{len(self.made)} meters were made, and there are ever more types: is that so?")
            self.made += make_meters(each, suggest_meters(found[each], parser), at=self.at)

    def find_missing(self, types: Iterable[str]) -> set[str]:
        """Those that none counts; looks again before it says so."""
        missing = set(types) - self.types
        if missing:
            self.types = set(read_catalogue().measurer.gauges)
        return missing - self.types

    def refuse(self, missing: set[str], others: Iterator[Batch], *, first_number: int) -> ImportRefused:
        for other in others:
            if len(missing) >= SHOWN_TYPES:
                break
            missing |= self.find_missing(group_by_type(other))
        shown = ", ".join(sorted(missing)[:SHOWN_TYPES])
        return ImportRefused(
            f"No meter counts the type {shown}. Lines {first_number} and later were not imported. Make meters in the "
            "back-office, or let --create-meters make them, or let --reject-unknown-types refuse these lines."
        )


def group_by_type(batch: Batch) -> dict[str, list[UsageEvent]]:
    found: dict[str, list[UsageEvent]] = {}
    for _, _, event in batch.events:
        found.setdefault(event.type, []).append(event)
    return found


def suggest_meters(events: Iterable[UsageEvent], parser: LineParser) -> Iterable[MeterTerms]:
    """What the events of one type suggest together: one may leave out what another has."""
    terms: dict[str, MeterTerms] = {}
    for event in events:
        try:
            terms |= {each.key: each for each in parser.suggest_meters(event)}
        except Refusal:  # ingestion says it of the line
            continue
    return islice(terms.values(), TERMS_MAX)


def make_meters(event_type: str, terms: Iterable[MeterTerms], *, at: datetime) -> list[str]:
    """Make those meters of one event type that are not there; returns their keys.

    Raises ImportRefused when a key is that of a meter of other events, or no meter can be made of it.
    """
    made = []
    for each in terms:
        try:
            meter = find_meter(each.key)
        except UnknownMeter:
            try:
                meter = create_meter(
                    key=each.key,
                    name=each.name,
                    event_type=event_type,
                    aggregation=Aggregation.SUM if each.value else Aggregation.COUNT,
                    value=each.value,
                    unit=each.unit,
                    at=at,
                )
            except (InvalidMeter, MeterConflict) as error:
                raise ImportRefused(f"No meter {each.key} can be made for {event_type}: {error}") from error
            made.append(each.key)
        if meter.event_type != event_type:
            raise ImportRefused(f"The meter {each.key} counts events of type {meter.event_type}, not {event_type}.")
    return made


def create_missing_meters(*, at: datetime) -> list[str]:
    """Make the meters that an access log is counted by; returns the keys of those that were not there.

    Raises ImportRefused when one of their keys is that of a meter of other events.
    """
    return make_meters(EVENT_TYPE, METERS, at=at)
