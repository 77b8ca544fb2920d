"""Counting anew from the raw events: the rollups of some hours, and the totals of the limits that they are part of.

New events are added to what is there; whatever cannot be added (a correction, the past of a new meter) is counted anew
here, hour by hour. Under the limits' lock every event that is committed has been counted and no other has, so what is
written is exact, and a second call changes nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import LiteralString, NamedTuple

from django.db import transaction

from metering.calendars import HOUR
from metering.catalogue import Catalogue, read_catalogue
from metering.counting import add_rollups, read_totals_anew
from metering.events import EPOCH, floor_hour
from metering.history import HistoryPruned, require_history
from metering.locks import hold_limits_for_opening
from metering.models import HourlyRollup, Limit, Meter, ValueRollup
from metering.statements import plain_array, run_statement, time_array
from metering.stored import read_chunks, read_countable
from metering.tallies import MovedWindow, Tallies, tally_events

__all__ = ["HistoryPruned", "RollupCell", "recount_cells", "recount_hours", "require_history"]

DELETE_ROLLUPS: LiteralString = """
    DELETE FROM metering_hourlyrollup r
    USING unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS c (account_id, meter_id, hour)
    WHERE r.account_id = c.account_id AND r.meter_id = c.meter_id AND r.hour = c.hour
"""

DELETE_VALUES: LiteralString = """
    DELETE FROM metering_valuerollup r
    USING unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS c (account_id, meter_id, hour)
    WHERE r.account_id = c.account_id AND r.meter_id = c.meter_id AND r.hour = c.hour
"""


class RollupCell(NamedTuple):
    """What one account used of one meter in one UTC hour, whatever its dimensions."""

    account_id: int
    meter_id: int
    hour: datetime


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
    hold_limits_for_opening()
    require_history(start)
    catalogue = read_catalogue().narrow(meter_ids)
    touched = delete_rollups(meter_ids, account_ids, start=start, end=end)
    for rows in read_chunks(read_countable(catalogue, account_ids=account_ids, start=start, end=end)):
        tallies = tally_events(rows, catalogue.aggregations)
        add_rollups(tallies)
        touched |= {(account_id, meter_id) for account_id, meter_id, _, _ in [*tallies.plain, *tallies.detailed]}
    windows = lock_windows(touched, start=start, end=end)
    if windows:
        read_totals_anew(windows, cause=cause, at=at)


@transaction.atomic
def recount_cells(cells: Collection[RollupCell], *, cause: str, at: datetime) -> list[int]:
    """The same for single hours of single accounts, which may lie far apart: each day that has some is read once.

    Returns the limits whose total passed its next level. Raises HistoryPruned.
    """
    if not cells:
        return []
    hold_limits_for_opening()
    require_history(min(cell.hour for cell in cells))
    catalogue = read_catalogue().narrow({cell.meter_id for cell in cells})
    delete_cells(cells)
    for _, of_day in groupby(sorted(cells, key=hour_of), key=lambda cell: cell.hour.date()):
        count_cells(list(of_day), catalogue)
    touched: dict[tuple[int, int], list[datetime]] = {}
    for cell in cells:
        touched.setdefault((cell.account_id, cell.meter_id), []).append(cell.hour)
    first, last = min(map(hour_of, cells)), max(map(hour_of, cells))
    windows = [
        window
        for window in lock_windows(touched, start=first, end=last + HOUR)
        if holds_hour(window, touched[window.account_id, window.meter_id], catalogue)
    ]
    return read_totals_anew(windows, cause=cause, at=at) if windows else []


def hour_of(cell: RollupCell) -> datetime:
    return cell.hour


def holds_hour(window: MovedWindow, hours: Iterable[datetime], catalogue: Catalogue) -> bool:
    """Whether one of the hours is part of the window, as all that came before are where the level carries over."""
    carries_over = window.meter_id in catalogue.carrying
    return any(hour < window.end and (carries_over or hour + HOUR > window.start) for hour in hours)


def delete_cells(cells: Collection[RollupCell]) -> None:
    columns = [plain_array([cell.account_id for cell in cells]), plain_array([cell.meter_id for cell in cells])]
    for statement in (DELETE_ROLLUPS, DELETE_VALUES):
        run_statement(statement, [*columns, time_array([cell.hour for cell in cells])])


def count_cells(cells: Sequence[RollupCell], catalogue: Catalogue) -> None:
    """Add what the events of these cells, which were emptied, come to."""
    wanted = {(cell.account_id, cell.meter_id, (cell.hour - EPOCH) // HOUR) for cell in cells}
    accounts = {cell.account_id for cell in cells}
    start, end = min(map(hour_of, cells)), max(map(hour_of, cells)) + HOUR
    for rows in read_chunks(read_countable(catalogue, account_ids=accounts, start=start, end=end)):
        tallies = tally_events(rows, catalogue.aggregations)
        plain = {key: tally for key, tally in tallies.plain.items() if key[:3] in wanted}
        detailed = {key: tally for key, tally in tallies.detailed.items() if key[:3] in wanted}
        add_rollups(Tallies(plain, detailed))


def ceil_hour(moment: datetime) -> datetime:
    hour = floor_hour(moment)
    return hour if hour == moment else hour + HOUR


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
