"""The past of a meter that is made later: counted at once where it is short, else span by span, by a chain of jobs.

Each job counts one span anew in one transaction and promises the next, so that ingestion waits for moments only; done
twice, or killed, it changes nothing. Until an hour's turn comes it holds what was sent since the meter was made.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from django.db import connection, transaction

from jobs.queue import enqueue
from metering.events import floor_hour
from metering.history import find_kept_from
from metering.locks import hold_names_and_meters
from metering.models import AdjustmentCause, Backfill, MeterVersion
from metering.recounting import ceil_hour, recount_hours

KIND = "metering.backfill"
AT_ONCE = 10_000  # events that are counted when the meter is made
SPAN_EVENTS = 20_000  # of one job, or one hour's
SPAN = timedelta(days=1)

# Where a type had no other meter its events were refused, and there is no past.
FIND_PAST: LiteralString = """
    SELECT min(happened_at), max(happened_at), count(*) FROM metering_event
    WHERE type = ANY(%(types)s) AND (%(kept_from)s::timestamptz IS NULL OR happened_at >= %(kept_from)s)
        AND (SELECT count(DISTINCT meter_id) FROM metering_meterversion WHERE event_type = ANY(%(types)s)) > 1
"""

FIND_HOURS: LiteralString = """
    SELECT date_trunc('hour', happened_at, 'UTC'), count(*) FROM metering_event
    WHERE type = ANY(%s) AND happened_at >= %s AND happened_at < %s GROUP BY 1 ORDER BY 1
"""

FIND_NEXT: LiteralString = """
    SELECT min(happened_at) FROM metering_event WHERE type = ANY(%s) AND happened_at >= %s AND happened_at < %s
"""


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far the past of a meter is counted. `done` of about `total` events; never more than all."""

    done: int
    total: int
    done_until: datetime
    is_finished: bool

    @property
    def percent(self) -> int:
        return 100 if self.is_finished else min(99, self.done * 100 // max(self.total, 1))


def count_past(meter_id: int, *, at: datetime) -> None:
    """Count for a new meter the events of its type that are stored. The caller holds the meters for change."""
    types, kept_from = list_types(meter_id), find_kept_from()
    with connection.cursor() as cursor:
        cursor.execute(FIND_PAST, {"types": types, "kept_from": kept_from})
        first, last, event_count = cursor.fetchone()
    if first is None:
        return
    start, end = floor_hour(first), ceil_hour(last + timedelta(microseconds=1))
    if event_count <= AT_ONCE:
        recount_meter(meter_id, start=start, end=end, at=at)
        return
    Backfill.objects.create(
        meter_id=meter_id, starts_at=start, ends_at=end, done_until=start, event_estimate=event_count, created_at=at
    )
    promise_span(meter_id, start=start, at=at)


def promise_span(meter_id: int, *, start: datetime, at: datetime) -> None:
    moment = start.astimezone(UTC).isoformat()
    enqueue(KIND, f"meter {meter_id} from {moment}", {"meter": meter_id, "from": moment}, at=at)


@transaction.atomic
def count_span(meter_id: int, *, start: datetime, at: datetime) -> None:
    """Count the span that begins at `start` and promise the next. Quiet when that was done, or the meter is gone."""
    hold_names_and_meters()
    unfinished = Backfill.objects.filter(meter_id=meter_id, finished_at=None, done_until=start)
    backfill = unfinished.select_for_update().first()
    if backfill is None:
        return
    kept_from = find_kept_from()
    if kept_from is not None and kept_from > start:  # pruned meanwhile: these hours stay as they are
        end, event_count = min(kept_from, backfill.ends_at), 0
    else:
        end, event_count = find_span(list_types(meter_id), start=start, limit=backfill.ends_at)
        recount_meter(meter_id, start=start, end=end, at=at)
    backfill.done_until, backfill.events_done = end, backfill.events_done + event_count
    backfill.finished_at = at if end >= backfill.ends_at else None
    backfill.save(update_fields=["done_until", "events_done", "finished_at"])
    if backfill.finished_at is None:
        promise_span(meter_id, start=end, at=at)


def find_span(types: list[str], *, start: datetime, limit: datetime) -> tuple[datetime, int]:
    """The end of a span from `start` that one job can count, and its number of events. Empty time is passed over."""
    until = min(start + SPAN, limit)
    with connection.cursor() as cursor:
        cursor.execute(FIND_HOURS, [types, start, until])
        hours = cursor.fetchall()
        if not hours:
            cursor.execute(FIND_NEXT, [types, until, limit])
            [(following,)] = cursor.fetchall()
            return (limit if following is None else floor_hour(following)), 0
    total = 0
    for hour, count in hours:
        if total and total + count > SPAN_EVENTS:
            return floor_hour(hour), total
        total += count
    return until, total


def recount_meter(meter_id: int, *, start: datetime, end: datetime, at: datetime) -> None:
    recount_hours(meter_ids=[meter_id], account_ids=None, start=start, end=end, cause=AdjustmentCause.BACKFILL, at=at)


def list_types(meter_id: int) -> list[str]:
    return list(MeterVersion.objects.filter(meter_id=meter_id).values_list("event_type", flat=True).distinct())


def find_progress(meter_id: int) -> BackfillProgress | None:
    """None when its past, if it had one, was counted at once."""
    backfill = Backfill.objects.filter(meter_id=meter_id).first()
    return None if backfill is None else state_backfill(backfill)


def state_backfill(backfill: Backfill) -> BackfillProgress:
    return BackfillProgress(
        done=min(backfill.events_done, backfill.event_estimate),
        total=backfill.event_estimate,
        done_until=backfill.done_until,
        is_finished=backfill.finished_at is not None,
    )


def list_unfinished() -> dict[int, tuple[datetime, datetime]]:
    """meter id → the hours [start, end) that are yet to be counted."""
    rows = Backfill.objects.filter(finished_at=None).values_list("meter_id", "done_until", "ends_at")
    return {meter_id: (start, end) for meter_id, start, end in rows}
