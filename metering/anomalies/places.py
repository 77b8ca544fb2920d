"""Which spans of the past an hour is compared with: the same weekday and hour, and the same place of the month."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, timedelta

from metering.anomalies.deviations import WEEKS

MONTHS = 2
NEAR = 3  # days from a month's start or end that belong to it
WEEK = timedelta(days=7)


def list_weeks(hour: datetime) -> list[datetime]:
    """The same hour of the weeks before, the last one first."""
    return [hour - week * WEEK for week in range(1, WEEKS + 1)]


def list_months(hour: datetime) -> list[datetime]:
    """The same hour at the same place of the months before, the last one first; none in mid-month.

    The first days are counted from the month's start, the last ones from its end: 28 February is where 31 January was.
    """
    last = monthrange(hour.year, hour.month)[1]
    if hour.day <= NEAR:
        return [start.replace(day=hour.day) for start in list_starts(hour)]
    if hour.day > last - NEAR:
        from_end = last - hour.day
        return [start.replace(day=monthrange(start.year, start.month)[1] - from_end) for start in list_starts(hour)]
    return []


def list_starts(hour: datetime) -> Iterator[datetime]:
    moment = hour.replace(day=1)
    for _ in range(MONTHS):
        moment = (moment - timedelta(days=1)).replace(day=1)
        yield moment


def find_week(hour: datetime) -> tuple[datetime, datetime]:
    """[Monday, the next Monday) in UTC: how long an anomaly is one and the same."""
    monday = (hour - timedelta(days=hour.weekday())).replace(hour=0)
    return monday, monday + WEEK
