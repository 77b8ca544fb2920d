"""Where the hours, days and months of a window begin, by the clocks of a time zone. No Django here."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from metering.events import floor_hour

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Bucket = Literal["hour", "day", "month"]


class UnknownTimeZone(ValueError):
    """No time zone has this name."""


def find_time_zone(name: str) -> ZoneInfo:
    """Raises UnknownTimeZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a name like "../x" or that of a folder
        raise UnknownTimeZone(f"no time zone is called {name!r}") from error


def split_window(bucket: Bucket, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """`start`, then the beginning of every local hour, day or month before `end`."""
    match bucket:
        case "hour":
            return split_hours(start, end) if zone.key == "UTC" else split_local_hours(start, end, zone)
        case "day":
            return split_days(start, end, zone)
    return split_months(start, end, zone)


def split_hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """`start`, then every UTC hour before `end`."""
    if start < end:
        yield start
    moment = floor_hour(start) + HOUR
    while moment < end:
        yield moment
        moment += HOUR


def split_local_hours(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """`start`, then every full hour of the zone's clocks before `end`, in UTC; some zones are half an hour off ours."""
    moment = start
    while moment < end:
        yield moment
        local = moment.astimezone(zone)
        into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        moment = moment.astimezone(UTC) + HOUR - into_hour


def split_days(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """`start`, then every local midnight before `end`, in UTC. A day that was skipped is none.

    Days last 23 to 25 hours. Where midnight does not exist the day begins when the clock jumps; where it exists twice,
    at the first.
    """
    return split_dates(start, end, zone, lambda day: day + DAY)


def split_months(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """`start`, then the first local midnight of every month before `end`, in UTC."""
    return split_dates(start, end, zone, lambda day: (day.replace(day=1) + 31 * DAY).replace(day=1))


def split_dates(start: datetime, end: datetime, zone: ZoneInfo, follow: Callable[[date], date]) -> Iterator[datetime]:
    moment, day = start, start.astimezone(zone).date()
    while moment < end:
        yield moment
        day = follow(day)
        while (midnight := find_midnight(day, zone)) <= moment:
            day = follow(day)
        moment = midnight


def find_midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
