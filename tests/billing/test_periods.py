from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import UnknownTimeZone, find_zone, known_time_zones, list_periods, month_period, next_period


def read(text):
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("at", "zone", "start", "end"),
    [
        ("2026-02-14T10:00:00+00:00", "UTC", "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"),
        ("2026-02-01T00:00:00+00:00", "UTC", "2026-02-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00"),
        ("2026-01-31T23:59:59.999999+00:00", "UTC", "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"),
        ("2026-12-31T23:30:00+00:00", "Europe/Paris", "2026-12-31T23:00:00+00:00", "2027-01-31T23:00:00+00:00"),
        ("2022-01-31T23:00:00-05:00", "America/New_York", "2022-01-01T05:00:00+00:00", "2022-02-01T05:00:00+00:00"),
        ("2026-03-15T00:00:00+00:00", "Europe/Paris", "2026-02-28T23:00:00+00:00", "2026-03-31T22:00:00+00:00"),
        ("2026-10-15T00:00:00+00:00", "Europe/Paris", "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"),
        ("2026-02-14T00:00:00+00:00", "Asia/Kolkata", "2026-01-31T18:30:00+00:00", "2026-02-28T18:30:00+00:00"),
        ("2024-02-29T12:00:00+00:00", "Pacific/Kiritimati", "2024-02-29T10:00:00+00:00", "2024-03-31T10:00:00+00:00"),
    ],
)
def test_a_month_is_the_one_that_the_zones_clocks_show(at, zone, start, end):
    assert month_period(read(at), zone) == (read(start), read(end))


def test_where_the_clock_jumps_over_midnight_the_month_begins_at_the_jump():
    """In Asunción the clocks went from 00:00 to 01:00 on 1 October 2017."""
    at = datetime(2017, 10, 10, tzinfo=UTC)
    assert month_period(at, "America/Asuncion")[0] == datetime(2017, 10, 1, 4, tzinfo=UTC)
    before = month_period(datetime(2017, 10, 1, 3, 59, tzinfo=UTC), "America/Asuncion")
    assert before[1] == datetime(2017, 10, 1, 4, tzinfo=UTC)


def test_where_midnight_comes_twice_the_month_begins_at_the_first():
    """In Havana the clocks went from 01:00 back to 00:00 on 1 November 2020."""
    start = datetime(2020, 11, 1, 4, tzinfo=UTC)
    assert month_period(start, "America/Havana")[0] == start
    assert month_period(start + timedelta(minutes=90), "America/Havana")[0] == start


def test_after_a_move_the_next_period_begins_where_the_last_ended():
    start, end = next_period(read("2022-01-31T15:00:00+00:00"), "America/Los_Angeles")  # ended as Tokyo's January
    assert (start, end) == (read("2022-01-31T15:00:00+00:00"), read("2022-03-01T08:00:00+00:00"))
    start, end = next_period(read("2022-02-01T08:00:00+00:00"), "Asia/Tokyo")
    assert (start, end) == (read("2022-02-01T08:00:00+00:00"), read("2022-02-28T15:00:00+00:00"))


def test_the_first_period_is_partial_and_the_rest_are_whole_months():
    started = datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert list(list_periods(started, until=datetime(2026, 3, 1, tzinfo=UTC), time_zone="UTC")) == [
        (started, datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "Factory", "localtime", "../etc/passwd", "Europe", "europe/paris"]
)
def test_a_name_that_is_no_zone_is_refused(name):
    with pytest.raises(UnknownTimeZone):
        find_zone(name)


ZONES = st.sampled_from(sorted(known_time_zones()))
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@given(MOMENTS, ZONES)
def test_a_month_holds_its_moment_and_meets_its_neighbours(at, zone):
    start, end = month_period(at, zone)
    assert start <= at < end
    assert timedelta(days=27) < end - start < timedelta(days=32)
    assert month_period(end, zone)[0] == end
    assert month_period(start - timedelta(microseconds=1), zone)[1] == start
    assert start.astimezone(ZoneInfo(zone)).day == 1


@given(MOMENTS, ZONES, ZONES)
def test_periods_leave_no_gap_even_when_the_customer_moves(started_at, old, new):
    periods = list(list_periods(started_at, until=started_at + timedelta(days=100), time_zone=old))
    for _ in range(3):
        periods.append(next_period(periods[-1][1], new))
    assert all(end == start for (_, end), (start, _) in pairwise(periods))
    assert all(timedelta(days=26) < end - start < timedelta(days=33) for start, end in periods[1:])
