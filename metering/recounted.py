"""The stored events counted once more and held against what ingestion counted, a day at a time.

What is compared was read by one statement, or under the lock of its limit, so it may run beside ingestion.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, LiteralString

from django.db import connection, transaction

from metering.backfill import list_unfinished
from metering.calendars import DAY, HOUR
from metering.catalogue import Catalogue, read_catalogue
from metering.events import EPOCH
from metering.history import find_kept_from, is_readable
from metering.locks import hold_limits_for_opening
from metering.models import Limit
from metering.stored import seal_rows
from metering.tallies import Tally, tally_events
from metering.usage import Window, read_windows

LIMITS = 200  # locked at a time

FIND_DAYS: LiteralString = """
    SELECT DISTINCT date_trunc('day', happened_at, 'UTC') FROM metering_event
    UNION SELECT DISTINCT date_trunc('day', hour, 'UTC') FROM metering_hourlyrollup
    UNION SELECT DISTINCT date_trunc('day', hour, 'UTC') FROM metering_valuerollup
    ORDER BY 1
"""

# One statement, one snapshot: the events that count, and what was counted.
READ_DAY: LiteralString = """
    SELECT 'event', e.account_id, e.happened_at, e.type, e.data::text, e.source, e.event_id, e.subject,
        NULL::bigint, NULL::bigint, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
        NULL::timestamptz, NULL::numeric
    FROM metering_event e
    WHERE e.happened_at >= %(start)s AND e.happened_at < %(end)s AND e.account_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM metering_correction c WHERE c.source = e.source AND c.event_id = e.event_id)
    UNION ALL
    SELECT 'rollup', account_id, hour, dimensions, NULL, NULL, NULL, NULL, meter_id, event_count, total,
        moment, minimum, maximum, latest, latest_at, digest
    FROM metering_hourlyrollup WHERE hour >= %(start)s AND hour < %(end)s
    UNION ALL
    SELECT 'value', account_id, hour, dimensions, value, NULL, NULL, NULL, meter_id, event_count,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM metering_valuerollup WHERE hour >= %(start)s AND hour < %(end)s
"""

Sums = tuple[Any, ...]
Finding = tuple[str, str]


def find_wrong_rollups() -> Iterator[Finding]:
    """A subject and a detail for each rollup that is not what its hour's events come to."""
    kept_from, unfinished = find_kept_from(), list_unfinished()
    catalogue = read_catalogue()
    with connection.cursor() as cursor:
        cursor.execute(FIND_DAYS)
        days = [day.astimezone(UTC) for (day,) in cursor.fetchall()]
    for day in days:
        start = day if kept_from is None else max(day, kept_from)
        if start < day + DAY:
            yield from compare_day(catalogue, unfinished, start=start, end=day + DAY)


Hours = Mapping[int, tuple[datetime, datetime]]


def compare_day(catalogue: Catalogue, unfinished: Hours, *, start: datetime, end: datetime) -> Iterator[Finding]:
    """`unfinished`: meter id → hours whose past is yet to be counted."""
    with connection.cursor() as cursor:
        cursor.execute(READ_DAY, {"start": start, "end": end})
        rows = cursor.fetchall()
    events = seal_rows((row[1:8] for row in rows if row[0] == "event"), catalogue)
    tallies = tally_events(events, catalogue.aggregations)
    expected: dict[tuple[object, ...], Sums] = {}
    for key, tally in [*tallies.plain.items(), *tallies.detailed.items()]:
        expected[key] = list_sums(tally)
        for value, count in getattr(tally, "values", {}).items():
            expected[(*key, value)] = (count,)
    expected = {key: sums for key, sums in expected.items() if not is_awaited(unfinished, key[1], hour_at(key[2]))}
    for kind, account_id, hour, dimensions, value, _, _, _, meter_id, *sums in rows:
        if kind == "event" or is_awaited(unfinished, meter_id, hour):
            continue
        key = (account_id, meter_id, (hour - EPOCH) // HOUR, dimensions)
        found = tuple(sums) if kind == "rollup" else (sums[0],)
        wanted = expected.pop(key if kind == "rollup" else (*key, value), None)
        if wanted != found and not is_unsealed(wanted, found):
            yield (
                name_rollup(account_id, meter_id, hour, dimensions, value),
                f"holds {found}, stored {wanted or 'none'}",
            )
    for (account_id, meter_id, hours, dimensions, *value), wanted in expected.items():
        yield name_rollup(account_id, meter_id, hour_at(hours), dimensions, *value), f"no rollup, stored {wanted}"


def hour_at(hours: object) -> datetime:
    return EPOCH + int(str(hours)) * HOUR


def is_awaited(unfinished: Hours, meter_id: object, hour: datetime) -> bool:
    start, end = unfinished.get(int(str(meter_id)), (hour, hour))
    return start <= hour < end


def list_sums(tally: Tally) -> Sums:
    names = ("moment", "minimum", "maximum", "latest", "latest_at")
    return (tally.event_count, tally.total, *(getattr(tally, name, None) for name in names), tally.digest)


def is_unsealed(wanted: Sums | None, found: Sums) -> bool:
    """Whether all that is missing is a digest: the hour was counted before there were any."""
    return wanted is not None and found[-1] is None and wanted[:-1] == found[:-1]


def name_rollup(account_id: object, meter_id: object, hour: datetime, dimensions: object, value: object = None) -> str:
    extra = "".join(f", {each}" for each in (dimensions, value) if each)
    return f"account {account_id}, meter {meter_id}, hour {hour:%Y-%m-%d %H:00}{extra}"


def find_wrong_totals() -> Iterator[Finding]:
    """The same for each limit whose total is not the usage in its window. Holds counting up for moments."""
    last = 0
    while True:
        with transaction.atomic():
            hold_limits_for_opening()
            limits = Limit.objects.filter(pk__gt=last).order_by("pk")[:LIMITS]
            stored = {limit.pk: limit.used for limit in limits}
            windows = {
                limit.pk: Window(limit.account_id, limit.meter_id, limit.starts_at, limit.ends_at) for limit in limits
            }
            readable = {key: window for key, window in windows.items() if is_readable(window.start, window.end)}
            readings: dict[int, Decimal] = read_windows(readable) if readable else {}
        for limit_id, used in readings.items():
            if used != stored[limit_id]:
                yield f"limit {limit_id}", f"used {stored[limit_id]}, stored {used}"
        if not windows:
            return
        last = max(windows)
