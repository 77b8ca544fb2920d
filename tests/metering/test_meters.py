from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from metering.invariants import check
from metering.meters import (
    InvalidMeter,
    MeterConflict,
    UnknownMeter,
    change_meter,
    create_meter,
    find_meter,
    list_meters,
)
from metering.models import Alert, Event, HourlyRollup, Limit, Meter
from tests.metering.makers import NOON, make_account, make_events, make_meter

pytestmark = pytest.mark.django_db


def test_making_a_meter_twice_returns_the_first():
    meter = make_meter("bytes", event_type="request", value="bytes")
    assert make_meter("bytes", event_type="request", value="bytes", name="Other name") == meter
    assert find_meter("bytes") == meter
    assert (meter.aggregation, meter.value, meter.unit) == ("sum", "bytes", "byte")


def test_another_meter_of_the_same_key_is_a_conflict():
    make_meter("bytes", value="bytes")
    with pytest.raises(MeterConflict, match="value"):
        make_meter("bytes", value="octets")


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "a b"},
        {"key": ""},
        {"unit": ""},
        {"event_type": "x" * 121},
        {"aggregation": "median"},
        {"aggregation": "sum"},
        {"value": "bytes"},
    ],
)
def test_a_meter_that_cannot_be_is_refused(fields):
    good = {"key": "good", "name": "Good", "event_type": "good", "aggregation": "count", "unit": "good", "at": NOON}
    with pytest.raises(InvalidMeter), transaction.atomic():
        create_meter(**good | fields)
    assert list_meters() == []


def test_a_version_that_starts_before_what_is_counted_is_refused():
    """`at` is the caller's, and lies behind the events."""
    make_account()
    make_meter("bytes", event_type="request", value="bytes")
    make_events(1, time=NOON, bytes=7)
    terms = {"event_type": "request", "value": "bytes * 2", "at": NOON - timedelta(days=2)}
    with pytest.raises(InvalidMeter, match="are counted already") as refused:
        change_meter("bytes", starts_at=NOON, **terms)
    assert refused.value.field == "starts_at"
    assert find_meter("bytes").version == 1
    assert change_meter("bytes", starts_at=NOON + timedelta(hours=1), **terms).version == 2


def test_a_percentile_is_the_ninety_fifth_unless_it_says_another():
    terms = {"name": "Ms", "event_type": "call", "aggregation": "percentile", "value": "ms", "unit": "ms", "at": NOON}
    assert create_meter(key="ms", **terms).percentile == 95
    assert create_meter(key="ms", **terms) == create_meter(key="ms", percentile=Decimal(95), **terms)
    with pytest.raises(InvalidMeter):
        create_meter(key="other", percentile=Decimal(101), **terms)


def test_meters_are_listed_by_key_and_an_unknown_one_is_told():
    make_meter("b"), make_meter("a", event_type="other")
    assert [meter.key for meter in list_meters()] == ["a", "b"]
    with pytest.raises(UnknownMeter, match="nothing"):
        find_meter("nothing")


def test_a_meter_counts_the_past_of_its_type_where_there_is_a_number():
    make_account(), make_meter()
    make_events(3, bytes=5)
    make_events(2, first=10)
    make_meter("bytes", event_type="request", value="bytes")
    make_events(1, first=20, bytes=1)
    rollup = HourlyRollup.objects.get(meter__key="bytes")
    assert (rollup.total, rollup.event_count) == (16, 4)
    assert HourlyRollup.objects.get(meter__key="requests").total == 6
    assert list(check()) == []


@pytest.mark.parametrize("change", [{"key": "x"}, {"aggregation": "sum"}, {"unit": "x"}])
def test_a_meter_that_has_counted_is_frozen_for_everybody(change):
    make_account(), make_meter()
    Meter.objects.update(**change)
    Meter.objects.update(key="requests", aggregation="count", unit="request")
    make_events(1)
    with pytest.raises(IntegrityError, match="frozen"), transaction.atomic():
        Meter.objects.update(**change)
    with pytest.raises(IntegrityError, match="frozen"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM metering_meter")
    Meter.objects.update(name="A better name")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE metering_event SET data = '{}'",
        "UPDATE metering_event SET account_id = NULL",
        "UPDATE metering_event SET account_id = account_id + 1",
        "UPDATE metering_event SET happened_at = now()",
        "DELETE FROM metering_event",
        "TRUNCATE metering_event",
        "UPDATE metering_event SET account_id = 1, subject = 'x' WHERE account_id IS NULL",
    ],
)
def test_events_are_append_only_for_everybody(sql):
    make_account(), make_meter()
    make_events(1, bytes=1)
    make_events(1, first=2, subject="nobody")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert Event.objects.filter(subject="acme", data={"bytes": 1}).count() == 1


@pytest.mark.parametrize(
    ("sql", "is_allowed"),
    [
        ("UPDATE metering_alert SET claimed_at = now()", True),
        ("UPDATE metering_alert SET claimed_at = now(), level = 5", False),
        ("UPDATE metering_alert SET used = 2", False),
        ("DELETE FROM metering_alert", False),
        ("TRUNCATE metering_alert CASCADE", False),
    ],
)
def test_an_alert_never_changes_but_to_be_claimed_once(sql, is_allowed):
    account, meter = make_account(), make_meter()
    window = {"starts_at": datetime(2026, 11, 1, tzinfo=UTC), "ends_at": datetime(2026, 12, 1, tzinfo=UTC)}
    owner = {"account_id": account.id, "meter_id": meter.id}
    limit = Limit.objects.create(**owner, **window, quantity=1)
    Alert.objects.create(
        **owner, **window, limit=limit, epoch=1, level=100, used=1, quantity=1, crossed_at=NOON, detected_at=NOON
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if is_allowed:
            cursor.execute(sql)
            sql = "UPDATE metering_alert SET claimed_at = now() + interval '1 hour'"
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            cursor.execute(sql)
