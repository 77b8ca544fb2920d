"""What a correction changes, for people: quantities before and after, by account, meter and window."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from metering.calendars import HOUR
from metering.models import Account, Limit, Meter
from metering.recounting import RollupCell
from metering.usage import Window, read_windows

SHOWN = 100


@dataclass(frozen=True, slots=True)
class TouchedWindow:
    """The window of a limit, or the span of the touched hours that lie in none. `is_closed`: its period is final."""

    account_id: int
    meter_id: int
    start: datetime
    end: datetime
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Quantities are not rounded by their meter."""

    account_key: str
    meter_key: str
    unit: str
    start: datetime
    end: datetime
    before: Decimal
    after: Decimal
    is_closed: bool


def list_touched_windows(cells: Collection[RollupCell]) -> tuple[list[TouchedWindow], bool]:
    """At most a hundred, by account, meter and time, and whether there are more. Two queries."""
    hours: dict[tuple[int, int], list[datetime]] = {}
    for cell in sorted(cells):
        hours.setdefault((cell.account_id, cell.meter_id), []).append(cell.hour)
    accounts, meters = {key[0] for key in hours}, {key[1] for key in hours}
    limits = Limit.objects.filter(account_id__in=accounts, meter_id__in=meters).order_by("starts_at")
    of_pair: dict[tuple[int, int], list[Limit]] = {}
    for limit in limits:
        of_pair.setdefault((limit.account_id, limit.meter_id), []).append(limit)
    windows: list[TouchedWindow] = []
    for key, touched in hours.items():
        if len(windows) > SHOWN:
            break
        windows += list_of_pair(key, touched, of_pair.get(key, []))
    return windows[:SHOWN], len(windows) > SHOWN


def list_of_pair(key: tuple[int, int], hours: Sequence[datetime], limits: Sequence[Limit]) -> list[TouchedWindow]:
    found = [
        TouchedWindow(*key, limit.starts_at, limit.ends_at, limit.closed_at is not None)
        for limit in limits
        if any(hour < limit.ends_at and hour + HOUR > limit.starts_at for hour in hours)
    ]
    bare = [hour for hour in hours if not any(each.start < hour + HOUR and hour < each.end for each in found)]
    if bare:
        found.append(TouchedWindow(*key, min(bare), max(bare) + HOUR, is_closed=False))
    return found


def read_quantities(windows: Sequence[TouchedWindow]) -> dict[int, Decimal]:
    """By the window's place in the list."""
    if not windows:
        return {}
    return read_windows(
        {place: Window(each.account_id, each.meter_id, each.start, each.end) for place, each in enumerate(windows)}
    )


def state_changes(
    windows: Sequence[TouchedWindow], before: dict[int, Decimal], after: dict[int, Decimal]
) -> tuple[Change, ...]:
    accounts = Account.objects.in_bulk({window.account_id for window in windows})
    meters = Meter.objects.in_bulk({window.meter_id for window in windows})
    return tuple(
        Change(
            account_key=accounts[window.account_id].key,
            meter_key=meters[window.meter_id].key,
            unit=meters[window.meter_id].unit,
            start=window.start,
            end=window.end,
            before=before[place],
            after=after[place],
            is_closed=window.is_closed,
        )
        for place, window in enumerate(windows)
        if before[place] != after[place]
    )
