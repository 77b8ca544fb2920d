"""The past of a meter that is made later."""

from datetime import datetime, timedelta

from django.db import connection

from metering.models import AdjustmentCause, MeterVersion
from metering.recounting import recount_hours


def count_past(meter_id: int, *, at: datetime) -> None:
    """Count for a new meter the events of its type that are stored. The caller holds the meters for change."""
    types = list(MeterVersion.objects.filter(meter_id=meter_id).values_list("event_type", flat=True))
    first, last = find_past(types)
    if first is not None and last is not None:
        recount_meter(meter_id, start=first, end=last, at=at)


def find_past(types: list[str]) -> tuple[datetime | None, datetime | None]:
    """The times that the stored events of these types lie between.

    Where a type had no other meter its events were refused, and there is no past.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT min(happened_at), max(happened_at) FROM metering_event
            WHERE type = ANY(%s)
                AND (SELECT count(DISTINCT meter_id) FROM metering_meterversion WHERE event_type = ANY(%s)) > 1
            """,
            [types, types],
        )
        first, last = cursor.fetchone() or (None, None)
    return first, last


def recount_meter(meter_id: int, *, start: datetime, end: datetime, at: datetime) -> None:
    recount_hours(
        meter_ids=[meter_id],
        account_ids=None,
        start=start,
        end=end + timedelta(microseconds=1),
        cause=AdjustmentCause.BACKFILL,
        at=at,
    )
