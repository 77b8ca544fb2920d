"""Meters: how events of one type become a quantity."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from metering.counting import count_history
from metering.models import Aggregation, Meter


@dataclass(frozen=True, slots=True)
class MeterRef:
    """A meter as other apps see it. `value_property` is empty exactly when the aggregation is `count`."""

    id: int
    key: str
    name: str
    event_type: str
    aggregation: str
    value_property: str
    unit: str


class UnknownMeter(LookupError):
    """No meter has this key."""


class MeterConflict(ValueError):
    """A meter of this key exists and counts something else. A change is a new meter."""


class InvalidMeter(ValueError):
    """A meter cannot be made of these fields; the message says which and why."""


@transaction.atomic
def create_meter(
    *,
    key: str,
    name: str,
    event_type: str,
    aggregation: str = Aggregation.COUNT,
    value_property: str = "",
    unit: str,
    at: datetime,
) -> MeterRef:
    """Make a meter, and count for it what is already stored of its event type.

    Idempotent on the key: a second call returns the meter that is there. Raises MeterConflict when that one counts
    something else, InvalidMeter when a field cannot be.
    """
    hold_meters_for_change()
    wanted = Meter(
        key=key,
        name=name,
        event_type=event_type,
        aggregation=aggregation,
        value_property=value_property,
        unit=unit,
        created_at=at,
    )
    found = Meter.objects.filter(key=key).first()
    if found is not None:
        require_same(found, wanted)
        return state_meter(found)
    save_meter(wanted)
    return state_meter(wanted)


def save_meter(meter: Meter) -> None:
    """Store a new meter and count its past; the caller is in a transaction. Raises InvalidMeter."""
    hold_meters_for_change()
    try:
        meter.full_clean()
    except ValidationError as error:
        raise InvalidMeter("; ".join(error.messages)) from error
    meter.save(force_insert=True)
    count_history(meter.pk)


def require_same(found: Meter, wanted: Meter) -> None:
    for field in ("event_type", "aggregation", "value_property", "unit"):
        if getattr(found, field) != getattr(wanted, field):
            raise MeterConflict(
                f"Meter {found.key} exists with {field} {getattr(found, field)!r}, not {getattr(wanted, field)!r}."
            )


def hold_meters_for_change() -> None:
    """Wait until no transaction counts by the meters as they were, and keep others from starting until ours ends."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE metering_meter IN EXCLUSIVE MODE")


def list_meters() -> list[MeterRef]:
    """Every meter, by key."""
    return [state_meter(meter) for meter in Meter.objects.order_by("key")]


def find_meter(key: str) -> MeterRef:
    """Raises UnknownMeter."""
    meter = Meter.objects.filter(key=key).first()
    if meter is None:
        raise UnknownMeter(f"No meter is called {key!r}.")
    return state_meter(meter)


def state_meter(meter: Meter) -> MeterRef:
    return MeterRef(
        id=meter.pk,
        key=meter.key,
        name=meter.name,
        event_type=meter.event_type,
        aggregation=meter.aggregation,
        value_property=meter.value_property,
        unit=meter.unit,
    )
