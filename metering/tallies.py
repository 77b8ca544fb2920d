"""What the events of one batch add to each hour of each account and meter. Exact, and no database here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from metering.events import CheckedEvent
from metering.quantities import EXACT

EPOCH_DAY = date(1970, 1, 1).toordinal()

Key = tuple[int, int, int]  # account, meter, hours since the epoch


class Tally:
    """Sum and count of some events of one hour, and the times between which they lie."""

    __slots__ = ("earliest", "event_count", "latest", "total")

    def __init__(self, total: int | Decimal, at: datetime) -> None:
        self.event_count = 1
        self.total = total
        self.earliest = self.latest = at

    def add(self, value: int | Decimal, at: datetime) -> None:
        self.event_count += 1
        if type(value) is int and type(self.total) is int:
            self.total += value
        else:
            self.total = EXACT.add(Decimal(self.total), Decimal(value))
        if at < self.earliest:
            self.earliest = at
        elif at > self.latest:
            self.latest = at


@dataclass(frozen=True, slots=True)
class MovedWindow:
    """A limit's window that events were counted in."""

    limit_id: int
    account_id: int
    meter_id: int
    start: datetime
    end: datetime
    is_crossed: bool
    is_closed: bool


def tally_events(rows: Iterable[CheckedEvent], names: Mapping[str, int]) -> dict[Key, Tally]:
    """The tallies in the order of their keys. Events whose subject names no account are left out. Times are UTC."""
    tallies: dict[Key, Tally] = {}
    for row in rows:
        account_id = names.get(row.subject)
        if account_id is None:
            continue
        at = row.happened_at
        hour = (at.toordinal() - EPOCH_DAY) * 24 + at.hour
        for meter_id, value in row.values:
            key = (account_id, meter_id, hour)
            if key in tallies:
                tallies[key].add(value, at)
            else:
                tallies[key] = Tally(value, at)
    return dict(sorted(tallies.items()))


def find_late(rows: Iterable[CheckedEvent], names: Mapping[str, int], windows: Sequence[MovedWindow]) -> set[str]:
    """The claims of the events that lie in a window which is closed."""
    closed: dict[tuple[int | None, int], list[MovedWindow]] = {}
    for window in windows:
        if window.is_closed:
            closed.setdefault((window.account_id, window.meter_id), []).append(window)
    if not closed:
        return set()
    return {
        row.claim
        for row in rows
        for meter_id, _ in row.values
        for window in closed.get((names.get(row.subject), meter_id), ())
        if window.start <= row.happened_at < window.end
    }
