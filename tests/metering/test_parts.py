from datetime import timedelta
from decimal import Decimal

import pytest

from metering import corrections
from metering.ingest import ingest_events
from metering.meters import create_meter
from metering.parts import PartReading, UnknownDimension, UnknownMeter, read_parts, read_values
from tests.metering.makers import NOON, make_account, make_event

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def make_traffic():
    create_meter(
        key="traffic",
        name="Traffic",
        event_type="request",
        aggregation="sum",
        value="bytes",
        unit="byte",
        dimensions=("host", "status"),
        at=NOON,
    )
    return make_account("acme"), make_account("other")


def send(subject, *rows):
    events = [
        make_event(f"{subject} {number}", subject=subject, time=NOON + offset, **data)
        for number, (offset, data) in enumerate(rows)
    ]
    ingest_events(events, at=NOON + HOUR)


def test_a_quantity_is_told_by_the_values_of_its_dimensions():
    acme, other = make_traffic()
    now = timedelta(0)
    send("acme", (now, {"bytes": 3, "host": "a", "status": 200}), (now, {"bytes": 4.5, "host": "a", "status": 404}))
    send("acme2", (now, {"bytes": 9, "host": "z"}))
    send("other", (now, {"bytes": 1}))
    found = read_parts([acme.id, other.id], meter_key="traffic", dimensions=["host"], start=NOON, end=NOON + HOUR)
    assert found == {
        acme.id: [PartReading({"host": "a"}, Decimal("7.5"), 2)],
        other.id: [PartReading({"host": ""}, Decimal(1), 1)],
    }
    by_status = read_parts([acme.id], meter_key="traffic", dimensions=["status"], start=NOON, end=NOON + HOUR)
    assert [part.values for part in by_status[acme.id]] == [{"status": "200"}, {"status": "404"}]


def test_parts_are_those_of_the_window():
    acme, _ = make_traffic()
    send("acme", (timedelta(0), {"bytes": 3, "host": "a"}), (HOUR / 2, {"bytes": 5, "host": "a"}))
    found = read_parts([acme.id], meter_key="traffic", dimensions=["host"], start=NOON + HOUR / 2, end=NOON + HOUR)
    assert [part.quantity for part in found[acme.id]] == [5]
    found = read_parts([acme.id], meter_key="traffic", dimensions=["host"], start=NOON - HOUR, end=NOON)
    assert found == {acme.id: []}


def test_single_values_come_in_the_order_in_which_they_happened():
    acme, other = make_traffic()
    minute = timedelta(minutes=1)
    send("acme", (2 * minute, {"bytes": 3}), (minute, {"bytes": 8}), (2 * minute, {"bytes": 1}), (minute, {}))
    send("other", (HOUR, {"bytes": 7}))
    found = read_values([acme.id, other.id], meter_key="traffic", start=NOON, end=NOON + HOUR)
    assert found == {acme.id: [8, 1, 3], other.id: []}


def test_a_retracted_event_has_no_value():
    acme, _ = make_traffic()
    send("acme", (timedelta(0), {"bytes": 3}), (timedelta(0), {"bytes": 4}))
    event = make_event("acme 0")
    corrections.retract_event(event.source, event.id, reason="twice", made_by="ops", at=NOON + HOUR)
    assert read_values([acme.id], meter_key="traffic", start=NOON, end=NOON + HOUR) == {acme.id: [4]}


def test_what_is_not_there_cannot_be_asked_for():
    acme, _ = make_traffic()
    window = {"start": NOON, "end": NOON + HOUR}
    with pytest.raises(UnknownMeter):
        read_parts([acme.id], meter_key="seats", dimensions=["host"], **window)
    with pytest.raises(UnknownMeter):
        read_values([acme.id], meter_key="seats", **window)
    with pytest.raises(UnknownDimension):
        read_parts([acme.id], meter_key="traffic", dimensions=["planet"], **window)
