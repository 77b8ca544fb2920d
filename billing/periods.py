"""Billing periods as half-open windows of UTC, cut where a calendar says so in a customer's time zone. No Django here.

A period ends where the next one begins, so together they are the time line, whatever the clocks and the customer do.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

# Zone files that name no place: `Factory` means "not set" and `localtime` is whatever the machine has.
NOT_A_ZONE = {"Factory", "localtime"}
FIRST_DAY = date(2001, 1, 1)  # the first of a year, a half-year, a quarter, a month, and a Monday
# Zones lie at most 26 hours apart, and in a short month two of them may clamp an anchor to days that lie further apart.
SAME_BOUNDARY = timedelta(days=3)


class UnknownTimeZone(ValueError):
    """The name is not in the IANA time zone database."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not a time zone; use a name such as UTC or Europe/Paris.")


class Interval(StrEnum):
    """How long a period is. Months are of the calendar, whatever days they have."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"

    @property
    def months(self) -> int:
        """0 where the interval is counted in days."""
        return MONTHS.get(self, 0)

    @property
    def days(self) -> int:
        """0 where the interval is counted in months."""
        return DAYS.get(self, 0)


MONTHS = {Interval.MONTH: 1, Interval.QUARTER: 3, Interval.HALF_YEAR: 6, Interval.YEAR: 12}
DAYS = {Interval.DAY: 1, Interval.WEEK: 7}


class Anchoring(StrEnum):
    """What periods begin with: the calendar's, or what recurs of a subscription's own anchor."""

    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"


@dataclass(frozen=True, slots=True)
class Cycle:
    """Where periods begin: with the calendar (weeks on Monday), or every interval from the moment of an anchor on.

    An anchor (aware) recurs with the day and the time of day that it has on the clocks of the time zone: one on the
    31st falls on the last day of shorter months and on the 31st again where there is one.
    """

    interval: Interval = Interval.MONTH
    anchor: datetime | None = None


CALENDAR_MONTH = Cycle()


@cache
def known_time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_A_ZONE)


def find_zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises UnknownTimeZone."""
    if name not in known_time_zones():
        raise UnknownTimeZone(name)
    return ZoneInfo(name)


def find_period(at: datetime, cycle: Cycle, time_zone: str) -> tuple[datetime, datetime]:
    """The whole period [start, end) in UTC that holds `at` (aware), also one before the anchor. Raises UnknownTimeZone.

    A boundary that the clocks leave out comes by as much later as they were put forward, so a missing midnight comes at
    the change itself; of one that comes twice the first counts (as in RFC 5545, 3.3.5).
    """
    zone = find_zone(time_zone)
    number = guess_number(at.astimezone(zone).date(), cycle, zone)
    while find_boundary(number, cycle, zone) > at:
        number -= 1
    # Where a zone leaves out a whole day, two boundaries are one: the later number begins the period.
    while (end := find_boundary(number + 1, cycle, zone)) <= at:
        number += 1
    return find_boundary(number, cycle, zone), end


def next_period(previous_end: datetime, cycle: Cycle, time_zone: str) -> tuple[datetime, datetime]:
    """The period that follows one of the same cycle: no gap, no overlap, even after a move to another time zone.

    After a move the boundary that the last period ended with may be hours away on the new clocks. It has been passed
    then, or is passed over: the period ends with the one after it.
    """
    interval = cycle.interval
    margin = SAME_BOUNDARY if interval is not Interval.DAY else timedelta(hours=12)
    _, end = find_period(previous_end + margin, cycle, time_zone)
    return previous_end.astimezone(UTC), end


def list_periods(
    started_at: datetime, cycle: Cycle, *, until: datetime, time_zone: str
) -> Iterator[tuple[datetime, datetime]]:
    """The periods of a subscription from its first, which may be partial, to the one that holds `until`.

    `until` may not lie before `started_at`.
    """
    start, end = started_at.astimezone(UTC), find_period(started_at, cycle, time_zone)[1]
    yield start, end
    yield from follow_periods(end, cycle, until=until, time_zone=time_zone)


def follow_periods(
    end: datetime, cycle: Cycle, *, until: datetime, time_zone: str
) -> Iterator[tuple[datetime, datetime]]:
    """The periods after one that ended at `end`, to the one that holds `until`; none when that has not been reached."""
    while end <= until:
        start, end = next_period(end, cycle, time_zone)
        yield start, end


def count_days(start: datetime, end: datetime, time_zone: str) -> int:
    """How often midnight passes from `start` to `end` on the zone's clocks: calendar days, however long each is."""
    zone = find_zone(time_zone)
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days


def guess_number(day: date, cycle: Cycle, zone: ZoneInfo) -> int:
    """The number, from the anchor's 0 on, of a boundary on or near that day."""
    first = cycle.anchor.astimezone(zone).date() if cycle.anchor else FIRST_DAY
    if cycle.interval.months:
        return ((day.year - first.year) * 12 + day.month - first.month) // cycle.interval.months
    return (day - first).days // cycle.interval.days


def find_boundary(number: int, cycle: Cycle, zone: ZoneInfo) -> datetime:
    """The moment in UTC when the period of that number begins; boundaries never fall behind those before them."""
    if cycle.anchor is None:
        first = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=zone)
    elif number == 0:
        return cycle.anchor.astimezone(UTC)
    else:
        first = cycle.anchor.astimezone(zone)
    day = step(first.date(), number, cycle.interval)
    return first.replace(year=day.year, month=day.month, day=day.day, fold=0).astimezone(UTC)


def step(first: date, count: int, interval: Interval) -> date:
    """So many intervals after the first day, always counted from that one, so that a short month shortens no other."""
    if interval.days:
        return first + timedelta(days=count * interval.days)
    year, month = divmod(first.year * 12 + first.month - 1 + count * interval.months, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
