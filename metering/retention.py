"""Raw events that are old enough are dropped, a whole month of them at once, and next month's place is made ahead.

What they came to stays: rollups, totals of limits, invoices. Their claims stay too, so that one of them sent again is a
duplicate, or a conflict, for ever. What can no longer be done with their hours is to count them again.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import LiteralString

from django.db import OperationalError, connection, transaction
from psycopg import sql

from metering.models import Pruning

MONTHS_MIN = 2  # events may come 35 days late, and a period is closed after its end
ATTEMPTS = 10
PATIENCE = "2s"  # ingestion waits behind us while we wait for the lock
LOCK_NOT_AVAILABLE = "55P03"

NAME = re.compile(r"metering_event_(\d{4})_(\d{2})")

LIST_PARTITIONS: LiteralString = """
    SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
    WHERE inhparent = 'metering_event'::regclass ORDER BY relname
"""
MEASURE: LiteralString = """
    SELECT count(*), count(*) FILTER (WHERE account_id IS NULL), max(happened_at) FROM {}
"""


@dataclass(frozen=True, slots=True)
class PrunableMonth:
    """The events that were received in one month of UTC; `unmatched_count` of them never found their account.

    `kept_after` is the latest time at which one of them happened, None when there is none.
    """

    month: date
    event_count: int
    unmatched_count: int
    kept_after: datetime | None


class RetentionTooShort(ValueError):
    """Events are kept for two months at least."""


class EventsBusy(RuntimeError):
    """The events were in use all the time; nothing more was dropped. Try again later."""


def list_prunable(*, months: int, at: datetime) -> list[PrunableMonth]:
    """The stored months that ended `months` months before `at` or earlier, oldest first. Raises RetentionTooShort."""
    if months < MONTHS_MIN:
        raise RetentionTooShort(f"Events are kept for {MONTHS_MIN} months at least.")
    return [measure_month(name, month) for name, month in list_partitions() if is_over(month, months=months, at=at)]


def prune_events(*, months: int, at: datetime) -> list[PrunableMonth]:
    """Drop those months, each in a transaction of its own, and return what was dropped. A second call drops nothing.

    Raises RetentionTooShort, EventsBusy.
    """
    found = list_prunable(months=months, at=at)
    for month in found:
        for attempt in range(1, ATTEMPTS + 1):
            if drop_month(month, at=at):
                break
            if attempt == ATTEMPTS:
                raise EventsBusy(f"The events of {month.month:%Y-%m} are in use; nothing of them was dropped.")
            time.sleep(0.2 * attempt)
    return found


def is_over(month: date, *, months: int, at: datetime) -> bool:
    now = at.astimezone(UTC)
    return month.year * 12 + month.month + 1 <= now.year * 12 + now.month - months


def list_partitions() -> Iterator[tuple[str, date]]:
    with connection.cursor() as cursor:
        cursor.execute(LIST_PARTITIONS)
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        if match := NAME.fullmatch(name):
            yield name, date(int(match[1]), int(match[2]), 1)


def measure_month(name: str, month: date) -> PrunableMonth:
    """Nothing is added to a month that is over, so this holds until it is dropped."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(MEASURE).format(sql.Identifier(name)))
        event_count, unmatched_count, kept_after = cursor.fetchone()
    return PrunableMonth(month, event_count, unmatched_count, kept_after)


def drop_month(month: PrunableMonth, *, at: datetime) -> bool:
    """False when the lock was not to be had. Whoever counts anew holds the months, and waits for us or we for him."""
    name = f"metering_event_{month.month:%Y_%m}"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
            cursor.execute("LOCK TABLE metering_event IN ACCESS EXCLUSIVE MODE")
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
            Pruning.objects.get_or_create(
                month=month.month,
                defaults={
                    "event_count": month.event_count,
                    "unmatched_count": month.unmatched_count,
                    "kept_after": month.kept_after,
                    "pruned_at": at,
                },
            )
            cursor.execute("SELECT set_config('lock_timeout', '0', true)")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def open_months(*, at: datetime) -> None:
    """Make the place of this month's and the next month's events. Ingestion makes it too, but then all wait for one."""
    now = at.astimezone(UTC)
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    with connection.cursor() as cursor:
        for moment in (now, following):
            cursor.execute("SELECT metering_open_month(%s)", [moment])
