"""What an account used of a meter. Read from hourly rollups: the cost is bound by hours, never by events.

Windows are `[start, end)`. Where a boundary falls inside an hour (a time zone at half an hour, a change at 10:17), the
events of that hour alone are read, by their time; on hour boundaries no statement names the events' table.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection

from metering.catalogue import UnknownMeter, read_catalogue
from metering.events import floor_hour
from metering.quantities import EXACT
from metering.stored import read_countable

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOTHING = Decimal(0)

Bucket = Literal["hour", "day"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one account used of one meter over [start, end)."""

    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    quantity: Decimal
    event_count: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Point:
    """What was used from `start` to the start of the next point, or to the end of the series."""

    start: datetime
    quantity: Decimal


class UnknownTimeZone(ValueError):
    """No time zone has this name."""


def read_usage(*, account_id: int, meter_key: str, start: datetime, end: datetime) -> Reading:
    """One meter of one account over [start, end), in one query. Raises UnknownMeter."""
    readings = read_readings([account_id], meter_key=meter_key, start=start, end=end)[account_id]
    if not readings:
        raise UnknownMeter(f"No meter is called {meter_key!r}.")
    return readings[0]


def read_totals(*, account_id: int, start: datetime, end: datetime) -> list[Reading]:
    """Every meter of one account over [start, end), by key and with those that count nothing, in one query."""
    return read_totals_of([account_id], start=start, end=end)[account_id]


def read_totals_of(account_ids: Collection[int], *, start: datetime, end: datetime) -> dict[int, list[Reading]]:
    """account id → what read_totals says of it, for many accounts in one query."""
    return read_readings(account_ids, meter_key=None, start=start, end=end)


def read_series(
    *, account_id: int, meter_key: str, start: datetime, end: datetime, bucket: Bucket, time_zone: str = "UTC"
) -> list[Point]:
    """One meter over [start, end) by UTC hour or by calendar day of `time_zone`, zero-filled, in one query.

    The first and the last bucket are cut at the window's bounds. Raises UnknownMeter, UnknownTimeZone.
    """
    starts = list(split_hours(start, end) if bucket == "hour" else split_days(start, end, find_time_zone(time_zone)))
    rows = sum_buckets([account_id], meter_key=meter_key, bounds=[*starts, end])
    if not rows:
        raise UnknownMeter(f"No meter is called {meter_key!r}.")
    sums = {row.bucket: row.total for row in rows}
    return [Point(start=moment, quantity=sums.get(position, NOTHING)) for position, moment in enumerate(starts, 1)]


def read_readings(
    account_ids: Collection[int], *, meter_key: str | None, start: datetime, end: datetime
) -> dict[int, list[Reading]]:
    readings: dict[int, list[Reading]] = {account_id: [] for account_id in account_ids}
    for row in sum_buckets(account_ids, meter_key=meter_key, bounds=[start, end]):
        reading = Reading(
            meter_id=row.meter_id,
            meter_key=row.meter_key,
            meter_name=row.meter_name,
            unit=row.unit,
            quantity=row.total,
            event_count=row.event_count,
            start=start,
            end=end,
        )
        readings[row.account_id].append(reading)
    return readings


class Window(NamedTuple):
    """What one account used of one meter is asked for over [start, end)."""

    account_id: int
    meter_id: int
    start: datetime
    end: datetime


def read_windows(windows: Mapping[int, Window]) -> dict[int, Decimal]:
    """key → the quantity of its window, not rounded by its meter, in one query, and one more where hours are split."""
    totals = {}
    for key, window in windows.items():
        bounds = [window.start, window.end]
        rows = sum_buckets([window.account_id], meter_key=None, bounds=bounds)
        totals[key] = next((row.total for row in rows if row.meter_id == window.meter_id), NOTHING)
    return totals


class BucketSum(NamedTuple):
    """`bucket` counts from one in the order of the bounds; it is zero for a meter that counted nothing."""

    account_id: int
    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    bucket: int
    total: Decimal
    event_count: int


def sum_buckets(account_ids: Collection[int], *, meter_key: str | None, bounds: Sequence[datetime]) -> list[BucketSum]:
    """Sum between each bound and the next, for one meter or for all; a meter that counted nothing has one row of zero.

    Bounds ascend; a single one encloses nothing. Raises ValueError when the first bound is after the last.
    """
    if bounds[0] > bounds[-1]:
        raise ValueError("a window cannot end before it starts")
    split = sorted({floor_hour(bound) for bound in bounds if floor_hour(bound) != bound})
    values = {
        "accounts": list(account_ids),
        "meter": meter_key,
        "bounds": list(bounds),
        "first": floor_hour(bounds[0]),
        "end": bounds[-1],
        "split": split,
    }
    with connection.cursor() as cursor:
        cursor.execute(SUM_BUCKETS, values)
        sums = [BucketSum(*row) for row in cursor.fetchall()]
    return add_split_hours(sums, account_ids, bounds, split) if split else sums


def add_split_hours(
    sums: Sequence[BucketSum], account_ids: Collection[int], bounds: Sequence[datetime], split: Sequence[datetime]
) -> list[BucketSum]:
    """The events of the hours that a bound falls in, each in its bucket, and only within the window."""
    catalogue = read_catalogue()
    names = {row.meter_id: row for row in sums}
    found = {(row.account_id, row.meter_id, row.bucket): row for row in sums}
    for hour in split:
        start, end = max(hour, bounds[0]), min(hour + HOUR, bounds[-1])
        for account_id, at, measures in read_countable(catalogue, account_ids=account_ids, start=start, end=end):
            for measure in measures:
                if account_id is None or measure.meter_id not in names or isinstance(measure.value, str):
                    continue
                key = (account_id, measure.meter_id, bisect_right(bounds, at))
                row = found.get(key) or names[measure.meter_id]._replace(
                    account_id=account_id, bucket=key[2], total=NOTHING, event_count=0
                )
                total = EXACT.add(row.total, Decimal(measure.value))
                found[key] = row._replace(total=total, event_count=row.event_count + 1)
    filled = {(row.account_id, row.meter_id) for row in found.values() if row.bucket}
    rows = [row for row in found.values() if row.bucket or (row.account_id, row.meter_id) not in filled]
    return sorted(rows, key=lambda row: (row.account_id, row.meter_key, row.bucket))


SUM_BUCKETS = """
    SELECT a.id, m.id, m.key, m.name, m.unit,
        coalesce(part.bucket, 0), coalesce(sum(part.total), 0), coalesce(sum(part.event_count), 0)::bigint
    FROM unnest(%(accounts)s::bigint[]) AS a (id) CROSS JOIN metering_meter AS m
        LEFT JOIN LATERAL (
            SELECT width_bucket(r.hour, %(bounds)s::timestamptz[]) AS bucket, r.total, r.event_count
            FROM metering_hourlyrollup AS r
            WHERE r.account_id = a.id AND r.meter_id = m.id
                AND r.hour >= %(first)s AND r.hour < %(end)s AND r.hour <> ALL(%(split)s::timestamptz[])
        ) AS part ON true
    WHERE %(meter)s::text IS NULL OR m.key = %(meter)s
    GROUP BY a.id, m.id, part.bucket
    ORDER BY a.id, m.key, part.bucket
"""


def split_hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """`start`, then every UTC hour before `end`."""
    moment = start
    while moment < end:
        yield moment
        moment = floor_hour(moment) + HOUR


def split_days(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """`start`, then every local midnight before `end`, in UTC. A day that was skipped is none.

    Days last 23 to 25 hours. Where midnight does not exist the day begins when the clock jumps; where it exists twice,
    at the first.
    """
    moment, day = start, start.astimezone(zone).date()
    while moment < end:
        yield moment
        day += DAY
        while (midnight := find_midnight(day, zone)) <= moment:
            day += DAY
        moment = midnight


def find_midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def find_time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a name like "../x" or that of a folder
        raise UnknownTimeZone(f"no time zone is called {name!r}") from error
