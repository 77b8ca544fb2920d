from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import (
    CALENDAR_MONTH,
    Cycle,
    Interval,
    UnknownTimeZone,
    count_days,
    find_period,
    find_zone,
    follow_periods,
    known_time_zones,
    list_periods,
    next_period,
)


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
    assert find_period(read(at), CALENDAR_MONTH, zone) == (read(start), read(end))


def test_where_the_clock_jumps_over_midnight_the_month_begins_at_the_jump():
    """In Asunción the clocks went from 00:00 to 01:00 on 1 October 2017."""
    at = datetime(2017, 10, 10, tzinfo=UTC)
    assert find_period(at, CALENDAR_MONTH, "America/Asuncion")[0] == datetime(2017, 10, 1, 4, tzinfo=UTC)
    before = find_period(datetime(2017, 10, 1, 3, 59, tzinfo=UTC), CALENDAR_MONTH, "America/Asuncion")
    assert before[1] == datetime(2017, 10, 1, 4, tzinfo=UTC)


def test_where_midnight_comes_twice_the_month_begins_at_the_first():
    """In Havana the clocks went from 01:00 back to 00:00 on 1 November 2020."""
    start = datetime(2020, 11, 1, 4, tzinfo=UTC)
    assert find_period(start, CALENDAR_MONTH, "America/Havana")[0] == start
    assert find_period(start + timedelta(minutes=90), CALENDAR_MONTH, "America/Havana")[0] == start


def test_after_a_move_the_next_period_begins_where_the_last_ended():
    start, end = next_period(
        read("2022-01-31T15:00:00+00:00"), CALENDAR_MONTH, "America/Los_Angeles"
    )  # ended as Tokyo's January
    assert (start, end) == (read("2022-01-31T15:00:00+00:00"), read("2022-03-01T08:00:00+00:00"))
    start, end = next_period(read("2022-02-01T08:00:00+00:00"), CALENDAR_MONTH, "Asia/Tokyo")
    assert (start, end) == (read("2022-02-01T08:00:00+00:00"), read("2022-02-28T15:00:00+00:00"))


def test_the_first_period_is_partial_and_the_rest_are_whole_months():
    started = datetime(2026, 1, 15, 12, tzinfo=UTC)
    periods = list_periods(started, CALENDAR_MONTH, until=datetime(2026, 3, 1, tzinfo=UTC), time_zone="UTC")
    assert list(periods) == [
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


def starts(anchor, interval, count, zone="UTC"):
    """The local dates on which the first periods of an anniversary begin."""
    moment = datetime.fromisoformat(anchor)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    far = moment + timedelta(days=count * 366)
    periods = list_periods(moment, Cycle(interval, moment), until=far, time_zone=zone)
    return [f"{next(periods)[0].astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for _ in range(count)]


@pytest.mark.parametrize(
    ("anchor", "interval", "expected"),
    [
        ("2026-01-31", Interval.MONTH, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2024-01-31", Interval.MONTH, ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("2023-12-29", Interval.MONTH, ["2023-12-29", "2024-01-29", "2024-02-29", "2024-03-29"]),
        ("2024-11-30", Interval.QUARTER, ["2024-11-30", "2025-02-28", "2025-05-30", "2025-08-30", "2025-11-30"]),
        ("2023-08-31", Interval.HALF_YEAR, ["2023-08-31", "2024-02-29", "2024-08-31", "2025-02-28"]),
        (
            "2024-02-29",
            Interval.YEAR,
            ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        ("2024-02-26", Interval.WEEK, ["2024-02-26", "2024-03-04", "2024-03-11"]),
        ("2024-02-28", Interval.DAY, ["2024-02-28", "2024-02-29", "2024-03-01"]),
    ],
)
def test_an_anchor_is_clamped_by_a_short_month_and_returns_to_its_day(anchor, interval, expected):
    assert starts(anchor, interval, len(expected)) == [f"{day} 00:00" for day in expected]


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        (Interval.DAY, "2026-05-14", "2026-05-15"),
        (Interval.WEEK, "2026-05-11", "2026-05-18"),
        (Interval.MONTH, "2026-05-01", "2026-06-01"),
        (Interval.QUARTER, "2026-04-01", "2026-07-01"),
        (Interval.HALF_YEAR, "2026-01-01", "2026-07-01"),
        (Interval.YEAR, "2026-01-01", "2027-01-01"),
    ],
)
def test_without_an_anchor_periods_are_those_of_the_calendar(interval, start, end):
    """14 May 2026 is a Thursday."""
    at = datetime(2026, 5, 14, 23, tzinfo=ZoneInfo("Asia/Tokyo"))
    bounds = tuple(datetime.fromisoformat(f"{day}T00:00+09:00") for day in (start, end))
    assert find_period(at, Cycle(interval), "Asia/Tokyo") == bounds


def test_a_period_keeps_the_time_of_day_of_its_anchor_through_a_change_of_the_clocks():
    assert starts("2026-02-15T09:30", Interval.MONTH, 3, "Europe/Paris") == [
        "2026-02-15 09:30",
        "2026-03-15 09:30",
        "2026-04-15 09:30",
    ]
    start, end = find_period(
        read("2026-04-01T00:00:00+00:00"), Cycle(Interval.MONTH, read("2026-02-15T08:30:00+00:00")), "Europe/Paris"
    )
    assert (start, end) == (read("2026-03-15T08:30:00+00:00"), read("2026-04-15T07:30:00+00:00"))


def test_a_time_of_day_that_the_clocks_leave_out_comes_as_much_later_as_they_were_put_forward():
    """In New York the clocks went from 02:00 to 03:00 on 10 March 2024."""
    assert starts("2024-02-10T02:30", Interval.MONTH, 3, "America/New_York") == [
        "2024-02-10 02:30",
        "2024-03-10 03:30",
        "2024-04-10 02:30",
    ]


def test_of_a_time_of_day_that_comes_twice_the_first_counts():
    """In New York the clocks went from 02:00 back to 01:00 on 3 November 2024."""
    anchor = datetime(2024, 10, 3, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    start, _ = find_period(datetime(2024, 11, 4, tzinfo=UTC), Cycle(Interval.MONTH, anchor), "America/New_York")
    assert start == datetime(2024, 11, 3, 5, 30, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_belongs_to_no_period():
    """Samoa went from the end of 29 December 2011 to the start of the 31st."""
    apia = "Pacific/Apia"
    before = find_period(datetime(2011, 12, 30, 9, tzinfo=UTC), Cycle(Interval.DAY), apia)
    after = find_period(datetime(2011, 12, 30, 10, tzinfo=UTC), Cycle(Interval.DAY), apia)
    assert [f"{each[0].astimezone(ZoneInfo(apia)):%d}" for each in (before, after)] == ["29", "31"]
    assert before[1] == after[0]


def test_a_time_before_the_anchor_has_a_period_too():
    cycle = Cycle(Interval.MONTH, datetime(2026, 3, 31, 15, tzinfo=UTC))
    assert find_period(datetime(2026, 2, 10, tzinfo=UTC), cycle, "UTC") == (
        datetime(2026, 1, 31, 15, tzinfo=UTC),
        datetime(2026, 2, 28, 15, tzinfo=UTC),
    )


def test_nothing_follows_until_a_period_has_ended():
    end = datetime(2026, 2, 1, tzinfo=UTC)
    assert list(follow_periods(end, CALENDAR_MONTH, until=end - timedelta(seconds=1), time_zone="UTC")) == []
    assert list(follow_periods(end, CALENDAR_MONTH, until=end, time_zone="UTC")) == [
        (end, datetime(2026, 3, 1, tzinfo=UTC))
    ]


@pytest.mark.parametrize(
    ("start", "end", "zone", "days"),
    [
        ("2024-03-09T00:00:00-05:00", "2024-03-11T00:00:00-04:00", "America/New_York", 2),
        ("2024-11-02T00:00:00-04:00", "2024-11-04T00:00:00-05:00", "America/New_York", 2),
        ("2024-07-15T12:30:00+00:00", "2024-07-16T08:15:00+00:00", "UTC", 1),
        ("2024-05-01T08:00:00+02:00", "2024-05-01T17:00:00+02:00", "Europe/Berlin", 0),
        ("2024-05-01T08:00:00+02:00", "2024-05-01T17:00:00+02:00", "Asia/Tokyo", 1),
    ],
)
def test_days_are_those_of_the_calendar_however_long_they_are(start, end, zone, days):
    assert count_days(read(start), read(end), zone) == days


ZONES = st.sampled_from(sorted(known_time_zones()))
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
INTERVALS = st.sampled_from(Interval)
CYCLES = st.builds(Cycle, INTERVALS, st.none() | MOMENTS)
LENGTHS = {  # days of the shortest and the longest
    Interval.DAY: (1, 1),
    Interval.WEEK: (7, 7),
    Interval.MONTH: (28, 31),
    Interval.QUARTER: (89, 92),
    Interval.HALF_YEAR: (181, 184),
    Interval.YEAR: (365, 366),
}
CLOCKS = timedelta(days=1, hours=2)  # zones have left out or repeated a day


@given(MOMENTS, CYCLES, ZONES)
def test_a_period_holds_its_moment_and_meets_its_neighbours(at, cycle, zone):
    start, end = find_period(at, cycle, zone)
    shortest, longest = LENGTHS[cycle.interval]
    assert start <= at < end
    assert timedelta(days=shortest) - CLOCKS < end - start < timedelta(days=longest) + CLOCKS
    assert find_period(end, cycle, zone)[0] == end
    assert find_period(start - timedelta(microseconds=1), cycle, zone)[1] == start


@given(MOMENTS, INTERVALS, ZONES)
def test_an_anchor_begins_a_period(anchor, interval, zone):
    assert find_period(anchor, Cycle(interval, anchor), zone)[0] == anchor


@given(MOMENTS, st.sampled_from([each for each in Interval if each.months]), st.integers(1, 60))
def test_an_anchor_keeps_its_day_wherever_the_month_has_it(anchor, interval, months):
    """Never one day shorter for the short months that were passed on the way."""
    start, _ = find_period(anchor + timedelta(days=31 * months), Cycle(interval, anchor), "UTC")
    is_last_of_month = (start + timedelta(days=1)).month != start.month
    assert start.time() == anchor.time()
    assert start.day == anchor.day or (start.day < anchor.day and is_last_of_month)


@given(MOMENTS, CYCLES, st.lists(ZONES, min_size=1, max_size=6))
def test_periods_are_the_time_line_however_often_the_customer_moves(started_at, cycle, zones):
    periods = list(list_periods(started_at, cycle, until=started_at, time_zone=zones[0]))
    for zone in zones:
        for _ in range(2):
            periods.append(next_period(periods[-1][1], cycle, zone))
    assert periods[0][0] == started_at
    assert all(start < end for start, end in periods)
    assert all(end == start for (_, end), (start, _) in pairwise(periods))
    shortest, longest = LENGTHS[cycle.interval]
    for start, end in periods[1:]:
        assert min(timedelta(days=shortest) / 2, timedelta(days=shortest - 3)) - CLOCKS < end - start
        assert end - start < timedelta(days=longest + 3) + CLOCKS


@given(MOMENTS, CYCLES, ZONES)
def test_periods_without_a_move_are_those_that_hold_their_start(started_at, cycle, zone):
    until = started_at + timedelta(days=400 if cycle.interval.months else 20)
    for start, end in list(list_periods(started_at, cycle, until=until, time_zone=zone))[1:]:
        assert find_period(start, cycle, zone) == (start, end)
