import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection

from metering.ingest import ingest_events
from metering.meters import UnknownMeter
from metering.usage import Point, UnknownTimeZone, read_series, read_totals, read_totals_between, read_usage
from tests.metering.makers import make_account, make_event, make_events, make_meter

pytestmark = pytest.mark.django_db


def utc(day: int, hour: int = 0, minute: int = 0, second: int = 0, *, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def account_id() -> int:
    make_meter("requests")
    return make_account("acme").id


def send_at(*moments: datetime, subject: str = "acme") -> None:
    """One request at each moment, each with an id of its own."""
    for moment in moments:
        make_events(1, subject=subject, time=moment, source=f"at {moment.isoformat()}")


def overwrite_rollup(hour: datetime, *, total: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_hourlyrollup SET total = %s WHERE hour = %s", [total, hour])
        assert cursor.rowcount == 1


def test_a_window_holds_its_start_and_not_its_end(account_id):
    send_at(utc(10, 9, 59, 59), utc(10, 10), utc(10, 11, 59, 59), utc(10, 12))
    reading = read_usage(account_id=account_id, meter_key="requests", start=utc(10, 10), end=utc(10, 12))
    assert (reading.quantity, reading.event_count) == (Decimal(2), 2)
    assert (reading.meter_key, reading.unit, reading.start, reading.end) == (
        "requests",
        "request",
        utc(10, 10),
        utc(10, 12),
    )


def test_totals_name_every_meter_also_those_that_counted_nothing(account_id):
    make_meter("bandwidth", value="bytes", unit="byte")
    make_meter("seats", event_type="seat")
    ingest_events([make_event(time=utc(10, 10), bytes=Decimal("1500.25"))], at=utc(10, 10))
    totals = read_totals(account_id=account_id, start=utc(1), end=utc(11))
    assert [(each.meter_key, each.quantity, each.event_count) for each in totals] == [
        ("bandwidth", Decimal("1500.25"), 1),
        ("requests", Decimal(1), 1),
        ("seats", Decimal(0), 0),
    ]


def test_each_account_is_read_between_bounds_of_its_own(account_id):
    other_id = make_account("other").id
    send_at(utc(1, 10), utc(1, 10, 20), utc(2, 10), utc(3, 10))
    send_at(utc(2, 11), subject="other")
    asked = {
        "whole": (account_id, [utc(1), utc(2), utc(4)]),
        "split": (account_id, [utc(1, 10, 15), utc(2, 10, 1), utc(3)]),
        "other": (other_id, [utc(1), utc(3)]),
        "empty": (other_id, []),
    }
    found = read_totals_between(asked, meter_keys=["requests", "unheard-of"])
    quantities = {key: [[reading.quantity for reading in bucket] for bucket in found[key]] for key in asked}
    assert quantities == {"whole": [[2], [2]], "split": [[2], [0]], "other": [[1]], "empty": []}
    whole = found["whole"]
    assert [(each.meter_key, each.start, each.end) for bucket in whole for each in bucket] == [
        ("requests", utc(1), utc(2)),
        ("requests", utc(2), utc(4)),
    ]
    for key, (id_, bounds) in asked.items():
        for bucket, (start, end) in zip(found[key], pairwise(bounds), strict=True):
            alone = read_totals(account_id=id_, start=start, end=end)
            assert bucket == [reading for reading in alone if reading.meter_key == "requests"]


def test_another_account_is_not_counted(account_id):
    make_account("other")
    send_at(utc(10, 10), subject="other")
    assert read_usage(account_id=account_id, meter_key="requests", start=utc(10), end=utc(11)).quantity == 0


@pytest.mark.parametrize("meters", [1, 4])
def test_a_reading_on_hours_is_one_query_that_names_no_event(account_id, django_assert_num_queries, meters):
    for number in range(1, meters):
        make_meter(f"meter-{number}")
    send_at(utc(10, 10), utc(10, 11))
    with django_assert_num_queries(3) as captured:
        read_totals(account_id=account_id, start=utc(1), end=utc(12))
        read_usage(account_id=account_id, meter_key="requests", start=utc(1), end=utc(12))
        read_series(account_id=account_id, meter_key="requests", start=utc(1), end=utc(12), bucket="day")
    assert not any("metering_event" in query["sql"] for query in captured)


def test_only_the_hours_that_a_boundary_splits_are_read_from_events(account_id):
    send_at(utc(10, 10, 10), utc(10, 10, 20), utc(10, 11), utc(10, 12, 5), utc(10, 12, 50))
    for hour in (10, 11, 12):
        overwrite_rollup(utc(10, hour), total=1_000 * hour)
    reading = read_usage(account_id=account_id, meter_key="requests", start=utc(10, 10, 17), end=utc(10, 12, 30))
    assert reading.quantity == 1 + 11_000 + 1  # the hour in between comes from its rollup, whatever that says


def test_a_window_within_one_hour_is_read_to_the_second(account_id):
    send_at(utc(10, 10, 16, 59), utc(10, 10, 17), utc(10, 10, 41), utc(10, 10, 42))
    reading = read_usage(account_id=account_id, meter_key="requests", start=utc(10, 10, 17), end=utc(10, 10, 42))
    assert (reading.quantity, reading.event_count) == (2, 2)


def test_an_empty_window_holds_nothing(account_id):
    send_at(utc(10, 10))
    assert read_usage(account_id=account_id, meter_key="requests", start=utc(10, 10), end=utc(10, 10)).quantity == 0


def test_a_window_cannot_end_before_it_starts(account_id):
    with pytest.raises(ValueError, match="before it starts"):
        read_usage(account_id=account_id, meter_key="requests", start=utc(10, 10), end=utc(10, 9))


def test_sums_are_exact_from_the_greatest_to_the_smallest(account_id):
    make_meter("bandwidth", value="bytes", unit="byte")
    sizes = ["9999999999999999999999999.999999999999", "0.000000000001", "-0.000000000002"]
    events = [make_event(str(n), time=utc(10, 10), bytes=Decimal(size)) for n, size in enumerate(sizes)]
    ingest_events(events, at=utc(10, 10))
    reading = read_usage(account_id=account_id, meter_key="bandwidth", start=utc(10), end=utc(11))
    assert str(reading.quantity) == "9999999999999999999999999.999999999998"


def test_any_window_equals_the_sum_of_its_events(account_id):
    make_meter("bandwidth", value="bytes", unit="byte")
    chance = random.Random(20261110)  # noqa: S311
    sent = [
        (utc(10) + timedelta(seconds=chance.randrange(86_400)), Decimal(chance.randrange(10**9)) / 1000)
        for _ in range(400)
    ]
    events = [make_event(str(n), time=moment, bytes=size) for n, (moment, size) in enumerate(sent)]
    ingest_events(events, at=utc(11))
    for _ in range(40):
        start, end = sorted(utc(10) + timedelta(seconds=chance.randrange(86_400)) for _ in range(2))
        reading = read_usage(account_id=account_id, meter_key="bandwidth", start=start, end=end)
        inside = [size for moment, size in sent if start <= moment < end]
        assert (reading.quantity, reading.event_count) == (sum(inside), len(inside))
        for bucket in ("hour", "day"):
            points = read_series(account_id=account_id, meter_key="bandwidth", start=start, end=end, bucket=bucket)
            assert sum(point.quantity for point in points) == reading.quantity


def test_an_unknown_meter_is_named(account_id):
    with pytest.raises(UnknownMeter, match="seats"):
        read_usage(account_id=account_id, meter_key="seats", start=utc(10), end=utc(11))
    with pytest.raises(UnknownMeter, match="seats"):
        read_series(account_id=account_id, meter_key="seats", start=utc(10), end=utc(11), bucket="day")


def read_days(account_id: int, start: datetime, end: datetime, time_zone: str) -> list[Point]:
    return read_series(
        account_id=account_id, meter_key="requests", start=start, end=end, bucket="day", time_zone=time_zone
    )


def test_hours_are_filled_with_zeros_and_cut_at_the_bounds(account_id):
    send_at(utc(10, 10, 10), utc(10, 10, 40), utc(10, 12, 5), utc(10, 12, 50))
    points = read_series(
        account_id=account_id, meter_key="requests", start=utc(10, 10, 30), end=utc(10, 12, 30), bucket="hour"
    )
    assert points == [
        Point(utc(10, 10, 30), Decimal(1)),
        Point(utc(10, 11), Decimal(0)),
        Point(utc(10, 12), Decimal(1)),
    ]


def test_days_follow_the_clock_of_the_time_zone(account_id):
    """Paris leaves summer time on 25 October 2026: that day has 25 hours."""
    send_at(utc(24, 21, 59, month=10), utc(24, 22, month=10), utc(25, 22, 59, month=10), utc(25, 23, month=10))
    points = read_days(account_id, utc(23, 22, month=10), utc(26, 23, month=10), "Europe/Paris")
    assert points == [
        Point(utc(23, 22, month=10), Decimal(1)),
        Point(utc(24, 22, month=10), Decimal(2)),
        Point(utc(25, 23, month=10), Decimal(1)),
    ]


def test_a_day_may_have_23_hours(account_id):
    points = read_days(account_id, utc(28, 23, month=3), utc(30, 22, month=3), "Europe/Paris")
    assert [point.start for point in points] == [utc(28, 23, month=3), utc(29, 22, month=3)]


def test_days_begin_within_an_hour_in_a_zone_at_half_an_hour(account_id):
    """Midnight in Kolkata is 18:30 UTC."""
    send_at(utc(9, 18, 29, 59), utc(9, 18, 30), utc(10, 12), utc(10, 18, 29), utc(10, 18, 45))
    points = read_days(account_id, utc(8, 18, 30), utc(11, 18, 30), "Asia/Kolkata")
    assert points == [
        Point(utc(8, 18, 30), Decimal(1)),
        Point(utc(9, 18, 30), Decimal(3)),
        Point(utc(10, 18, 30), Decimal(1)),
    ]


def test_days_in_a_zone_at_three_quarters_of_an_hour(account_id):
    """Midnight in Kathmandu is 18:15 UTC."""
    send_at(utc(9, 18, 14), utc(9, 18, 15))
    points = read_days(account_id, utc(8, 18, 15), utc(10, 18, 15), "Asia/Kathmandu")
    assert [point.quantity for point in points] == [1, 1]


def test_a_window_that_begins_within_a_day_cuts_it(account_id):
    points = read_days(account_id, utc(10, 15), utc(12, 1), "UTC")
    assert [point.start for point in points] == [utc(10, 15), utc(11), utc(12)]


@pytest.mark.parametrize(
    ("time_zone", "start", "end", "starts"),
    [
        # Cairo's clocks jump from 00:00 to 01:00 on 24 April 2026: the day begins at the jump.
        ("Africa/Cairo", utc(22, 22, month=4), utc(24, 21, month=4), [utc(22, 22, month=4), utc(23, 22, month=4)]),
        # Havana's fall back from 01:00 to 00:00 on 1 November 2026: the day begins at the first midnight.
        ("America/Havana", utc(31, 4, month=10), utc(2, 5), [utc(31, 4, month=10), utc(1, 4)]),
        # Apia had no 30 December 2011: it went across the date line.
        (
            "Pacific/Apia",
            utc(29, 10, month=12, year=2011),
            utc(31, 10, month=12, year=2011),
            [utc(29, 10, month=12, year=2011), utc(30, 10, month=12, year=2011)],
        ),
    ],
)
def test_days_whose_midnight_is_odd(account_id, time_zone, start, end, starts):
    assert [point.start for point in read_days(account_id, start, end, time_zone)] == starts


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", "Europe", ""])
def test_an_unknown_time_zone_is_named(account_id, name):
    with pytest.raises(UnknownTimeZone):
        read_days(account_id, utc(10), utc(11), name)
