"""Counting anew from the raw events: the rollups of some hours, and the totals of the limits that they are part of.

New events are added to what is there; whatever cannot be added (a correction, the past of a new meter) is counted anew
here, hour by hour. Under the limits' lock every event that is committed has been counted and no other has, so what is
written is exact, and a second call changes nothing.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from metering.catalogue import read_catalogue
from metering.counting import add_rollups, read_totals_anew
from metering.events import floor_hour
from metering.locks import hold_limits_for_opening
from metering.models import HourlyRollup, Limit, Meter, Pruning, ValueRollup
from metering.stored import read_chunks, read_countable
from metering.tallies import MovedWindow, Tallies, tally_events

HOUR = timedelta(hours=1)


class HistoryPruned(ValueError):
    """The raw events of these hours were dropped: what they came to can be read, but not be counted again."""


@transaction.atomic
def recount_hours(
    *,
    meter_ids: Collection[int],
    account_ids: Collection[int] | None,
    start: datetime,
    end: datetime,
    cause: str,
    at: datetime,
) -> None:
    """Count the meters anew for the accounts (None: for all) over the UTC hours that touch [start, end).

    What that changes in a window which is closed goes on record as an adjustment under `cause`. Ingestion waits
    until the caller's transaction ends, so keep the span short. Raises HistoryPruned.
    """
    start, end = floor_hour(start), ceil_hour(end)
    require_history(start)
    hold_limits_for_opening()
    catalogue = read_catalogue()
    touched = delete_rollups(meter_ids, account_ids, start=start, end=end)
    for rows in read_chunks(read_countable(catalogue, account_ids=account_ids, start=start, end=end)):
        tallies = keep_meters(tally_events(rows, catalogue.aggregations), set(meter_ids))
        add_rollups(tallies, catalogue)
        touched |= {(account_id, meter_id) for account_id, meter_id, _, _ in [*tallies.plain, *tallies.detailed]}
    windows = lock_windows(touched, start=start, end=end)
    if windows:
        read_totals_anew(windows, cause=cause, at=at)


def ceil_hour(moment: datetime) -> datetime:
    hour = floor_hour(moment)
    return hour if hour == moment else hour + HOUR


def require_history(start: datetime) -> None:
    pruned = Pruning.objects.filter(kept_after__gte=start).order_by("-kept_after").first()
    if pruned is not None:
        raise HistoryPruned(
            f"Raw events up to {pruned.kept_after:%Y-%m-%d %H:%M} UTC were pruned; the hours up to then stay."
        )


def delete_rollups(
    meter_ids: Collection[int], account_ids: Collection[int] | None, *, start: datetime, end: datetime
) -> set[tuple[int, int]]:
    """Returns the (account, meter) pairs that had something."""
    hours = {"meter_id__in": meter_ids, "hour__gte": start, "hour__lt": end}
    if account_ids is not None:
        hours["account_id__in"] = account_ids
    rollups = HourlyRollup.objects.filter(**hours)
    touched = set(rollups.values_list("account_id", "meter_id").distinct())
    rollups._raw_delete(rollups.db)
    values = ValueRollup.objects.filter(**hours)
    values._raw_delete(values.db)
    return touched


def keep_meters(tallies: Tallies, meter_ids: set[int]) -> Tallies:
    return Tallies(
        {key: tally for key, tally in tallies.plain.items() if key[1] in meter_ids},
        {key: tally for key, tally in tallies.detailed.items() if key[1] in meter_ids},
    )


def lock_windows(touched: Collection[tuple[int, int]], *, start: datetime, end: datetime) -> list[MovedWindow]:
    """The windows of these (account, meter) pairs that hours of [start, end) are part of, locked in their order."""
    accounts, meters = {account_id for account_id, _ in touched}, {meter_id for _, meter_id in touched}
    carrying = set(Meter.objects.filter(pk__in=meters, carries_over=True).values_list("pk", flat=True))
    limits = Limit.objects.filter(account_id__in=accounts, meter_id__in=meters, ends_at__gt=start).order_by("pk")
    return [
        MovedWindow(
            limit.pk, limit.account_id, limit.meter_id, limit.starts_at, limit.ends_at,
            is_crossed=False, is_closed=limit.closed_at is not None, needs_reading=True,
        )
        for limit in limits.select_for_update(of=("self",))
        if (limit.account_id, limit.meter_id) in touched and (limit.meter_id in carrying or limit.starts_at < end)
    ]  # fmt: skip
