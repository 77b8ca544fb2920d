"""Settling a reservation: the hold is given back in full, and in the same transaction what really happened counts.

The caller brings the events, or a quantity alone where it is plain what event says it. Usage above the limit counts as
well: it happened.
"""

import random
import time as clock
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Q

from metering.accounts import read_names
from metering.catalogue import ADDITIVE, find_catalogue
from metering.checking import data_text
from metering.events import EventFate, Fate, UsageEvent, decode_data, encode_data
from metering.expressions import compile_expression
from metering.ingest import ATTEMPTS, RETRYABLE, ingest_events
from metering.measuring import Measurer, VersionTerms
from metering.models import Aggregation, Meter, Reservation, ReservationState
from metering.paths import Path
from metering.quantities import EXACT
from metering.reservations import ReservationFact, end_reservation, lock_reservation, require_move, state_reservation

SOURCE = "urn:palier:reservation"  # of the event that says a quantity; its id is the reservation's
COUNTED = {Fate.ACCEPTED, Fate.DUPLICATE, Fate.LATE}

Count = Callable[[Reservation], Decimal | None]


class NotAQuantity(ValueError):
    """A quantity alone does not say what happened: the meter needs the events."""


class RefusedUsage(ValueError):
    """Not all of the events can be counted for this account. Nothing was, and the quantity is still held."""

    def __init__(self, refused: dict[int, EventFate]) -> None:
        super().__init__("The usage was refused; nothing of it counts, and the reservation stands as it was.")
        self.refused = refused  # by position


def settle_by_quantity(
    reservation_id: UUID,
    *,
    quantity: Decimal,
    at: datetime,
    time: datetime | None = None,
    data: dict[str, Any] | None = None,
    api_key_id: int | None = None,
) -> ReservationFact:
    """Count so much of the meter, at `time` (`at` when None), by an event that is written for it. Of zero none is.

    `data` is what the event says besides, for the meter's filter and dimensions. A second call changes nothing and
    gives the same answer. Raises UnknownReservation, ReservationConflict, NotAQuantity, RefusedUsage.
    """

    def count(reservation: Reservation) -> Decimal:
        event = build_event(reservation, quantity, time=time or at, data=data or {})
        if quantity:
            require_counted(ingest_events([event], at=at, api_key_id=api_key_id))
        return quantity

    return settle(reservation_id, count, at=at)


def settle_by_events(
    reservation_id: UUID, *, events: Sequence[UsageEvent | EventFate], at: datetime, api_key_id: int | None = None
) -> ReservationFact:
    """Count these events, all of them or none. Each must name the reservation's account. What is known already is fine.

    A second call changes nothing and gives the same answer. Raises UnknownReservation, ReservationConflict,
    RefusedUsage.
    """

    def count(reservation: Reservation) -> Decimal | None:
        own = keep_own(events, account_id=reservation.account_id)
        fates = ingest_events(own, at=at, api_key_id=api_key_id)
        require_counted(fates)
        new = [event for event, fate in zip(own, fates, strict=True) if fate.fate is not Fate.DUPLICATE]
        return add_up(reservation.meter, new, at=at)

    return settle(reservation_id, count, at=at)


def settle(reservation_id: UUID, count: Count, *, at: datetime) -> ReservationFact:
    """The reservation is locked first, then what ingestion locks. A deadlock is tried again, as there."""
    for attempt in range(1, ATTEMPTS):
        try:
            return settle_once(reservation_id, count, at=at)
        except OperationalError as error:
            if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", None) not in RETRYABLE:
                raise
            clock.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 (spreads retries, guards nothing)
    return settle_once(reservation_id, count, at=at)


@transaction.atomic
def settle_once(reservation_id: UUID, count: Count, *, at: datetime) -> ReservationFact:
    reservation = lock_reservation(reservation_id)
    if reservation.state == ReservationState.SETTLED:
        return state_reservation(reservation)
    require_move(reservation, ReservationState.SETTLED)
    settled_quantity = count(reservation)
    return end_reservation(reservation, ReservationState.SETTLED, at=at, settled_quantity=settled_quantity)


def keep_own(events: Sequence[UsageEvent | EventFate], *, account_id: int) -> list[UsageEvent]:
    """All of them, or RefusedUsage with those that are no events or another account's."""
    names = read_names({event.subject for event in events if isinstance(event, UsageEvent)})
    own: list[UsageEvent] = []
    refused: dict[int, EventFate] = {}
    for position, event in enumerate(events):
        if isinstance(event, EventFate):
            refused[position] = event
        elif names.get(event.subject) != account_id:
            message = "The subject does not name the account of the reservation."
            refused[position] = EventFate(event.source, event.id, Fate.REJECTED, "other_account", "subject", message)
        else:
            own.append(event)
    if refused:
        raise RefusedUsage(refused)
    return own


def require_counted(fates: Sequence[EventFate]) -> None:
    if refused := {position: fate for position, fate in enumerate(fates) if fate.fate not in COUNTED}:
        raise RefusedUsage(refused)


def add_up(meter: Meter, events: Sequence[UsageEvent], *, at: datetime) -> Decimal | None:
    """What events that were just ingested come to on the meter; None where what they are worth is nothing to add."""
    if meter.aggregation not in ADDITIVE:
        return None
    measurer, total = find_catalogue().measurer, Decimal(0)  # ingestion has just found it good, and keeps it so
    for event in events:
        properties = decode_data(data_text(event.data))
        measures, _skipped = measurer.measure(event.type, properties, event.time or at)
        for measure in measures:
            if measure.meter_id == meter.pk:
                total = EXACT.add(total, Decimal(measure.value))
    return total


def build_event(reservation: Reservation, quantity: Decimal, *, time: datetime, data: dict[str, Any]) -> UsageEvent:
    """The event that counts exactly this quantity of the meter at that time. Raises NotAQuantity: there is none."""
    meter: Meter = reservation.meter
    terms = find_terms(meter, at=time)
    if meter.aggregation == Aggregation.SUM:
        data = put_value(data, find_path(terms), quantity)
    elif meter.aggregation != Aggregation.COUNT:
        raise NotAQuantity(f"The meter {meter.key} is no sum: settle it by the events.")
    elif quantity not in (0, 1):
        raise NotAQuantity(f"The meter {meter.key} counts events: settle it at 1 or 0, or by the events.")
    if quantity:
        require_measured(terms, data, quantity, time=time)
    return UsageEvent(
        source=SOURCE,
        id=str(reservation.pk),
        type=terms.event_type,
        subject=reservation.account.key,
        time=time,
        data=encode_data(data),
    )


def find_terms(meter: Meter, *, at: datetime) -> VersionTerms:
    """Of the version of the meter that counts at this time."""
    versions = meter.versions.filter(Q(starts_at=None) | Q(starts_at__lte=at))
    version = versions.order_by("-number")[0]  # the first has always been
    return VersionTerms(
        meter_id=meter.pk,
        meter_key=meter.key,
        aggregation=meter.aggregation,
        event_type=version.event_type,
        value=version.value,
        filter=version.filter,
        dimensions=tuple(version.dimensions),
    )


def find_path(terms: VersionTerms) -> Path:
    path = compile_expression(terms.value).path
    if path is None:
        raise NotAQuantity(f"The meter {terms.meter_key} computes its value: settle it by the events.")
    return path


def put_value(data: dict[str, Any], path: Path, quantity: Decimal) -> dict[str, Any]:
    """A copy of `data` that says the quantity where the meter reads it."""
    name, *inner = path
    if not inner:
        return data | {name: quantity}
    within = data.get(name, {})
    if not isinstance(within, dict):
        raise NotAQuantity(f"data.{name} must be an object, for the quantity to stand in.")
    return data | {name: put_value(within, tuple(inner), quantity)}


def require_measured(terms: VersionTerms, data: dict[str, Any], quantity: Decimal, *, time: datetime) -> None:
    """The meter's filter and dimensions may look at more than its value."""
    measures, skipped = Measurer([terms]).measure(terms.event_type, data, time)
    if skipped:
        raise NotAQuantity(skipped[0].message)
    if [measure.value for measure in measures] != [quantity]:
        raise NotAQuantity(f"The meter {terms.meter_key} would not count this: its filter asks for more in `data`.")
