"""Meters for what a file holds."""

from collections.abc import Collection, Iterable
from datetime import datetime

from metering.importers.access_log import EVENT_TYPE, METERS
from metering.importers.errors import ImportRefused
from metering.importers.formats import MeterTerms
from metering.meters import InvalidMeter, MeterConflict, UnknownMeter, create_meter, find_meter, list_meters
from metering.models import Aggregation


class CountedTypes:
    """The event types that some meter counts."""

    def __init__(self) -> None:
        self.types = {meter.event_type for meter in list_meters()}

    def list_missing(self, types: Iterable[str]) -> Collection[str]:
        """Those that none counts; looks again before it says so."""
        missing = set(types) - self.types
        if missing:
            self.types = {meter.event_type for meter in list_meters()}
        return missing - self.types


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
                    aggregation=Aggregation.SUM if each.value_property else Aggregation.COUNT,
                    value_property=each.value_property,
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
