"""What the events of one batch add to each hour of each account and meter. Exact, and no database here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import msgspec

from metering.events import CheckedEvent, Measure
from metering.numbers import EXACT

EPOCH_DAY = date(1970, 1, 1).toordinal()
HOUR = 3_600_000_000  # microseconds

PLAIN = frozenset({"count", "sum", "avg"})  # need a number of events and a sum, nothing else

Key = tuple[int, int, int, str]  # account, meter, hours since the epoch, dimensions


class Tally(msgspec.Struct, gc=False):
    """Some events of one hour: their number, their sum and the sum of their seals."""

    event_count: int = 0
    total: int | Decimal = 0
    digest: int = 0

    def add(self, value: int | Decimal) -> None:
        self.event_count += 1
        if type(value) is int and type(self.total) is int:
            self.total += value
        else:
            self.total = EXACT.add(Decimal(self.total), Decimal(value))


class DetailedTally(Tally, gc=False):
    """And what the other aggregations need of them: null what this one does not."""

    moment: Decimal | None = None
    minimum: int | Decimal | None = None
    maximum: int | Decimal | None = None
    latest: int | Decimal | None = None
    latest_at: datetime | None = None
    values: dict[str, int] = {}  # a new one for each tally

    def add_measure(self, aggregation: str, value: int | Decimal | str, at: datetime) -> None:
        if isinstance(value, str):  # distinct values and percentiles
            self.event_count += 1
            self.values[value] = self.values.get(value, 0) + 1
            return
        self.add(value)
        match aggregation:
            case "min":
                self.minimum = value if self.minimum is None else min(self.minimum, value)
            case "max":
                self.maximum = value if self.maximum is None else max(self.maximum, value)
            case "latest":
                if self.latest_at is None or self.latest is None or (at, value) > (self.latest_at, self.latest):
                    self.latest_at, self.latest = at, value
            case "weighted_sum":
                weight = EXACT.multiply(Decimal(value), seconds_into_hour(at))
                self.moment = weight if self.moment is None else EXACT.add(self.moment, weight)


@dataclass(frozen=True, slots=True)
class Tallies:
    """By key, in its order: the rows of one account and meter lie beside each other."""

    plain: dict[Key, Tally]
    detailed: dict[Key, DetailedTally]

    def __bool__(self) -> bool:
        return bool(self.plain or self.detailed)


@dataclass(frozen=True, slots=True)
class MovedWindow:
    """A limit's window that events were counted in. Its total does not add up where it `needs_reading`."""

    limit_id: int
    account_id: int
    meter_id: int
    start: datetime
    end: datetime
    is_crossed: bool
    is_closed: bool
    needs_reading: bool


def tally_events(
    rows: Iterable[tuple[int | None, datetime, Sequence[Measure], int]], aggregations: Mapping[int, str]
) -> Tallies:
    """What events, each with account, UTC time, measures and seal, come to. Those without an account are left out."""
    plain: dict[Key, Tally] = {}
    detailed: dict[Key, DetailedTally] = {}
    find_plain = plain.get
    for account_id, at, measures, seal in rows:
        if account_id is None:
            continue
        hour = (at.toordinal() - EPOCH_DAY) * 24 + at.hour
        for measure in measures:
            meter_id, value = measure.meter_id, measure.value
            key = (account_id, meter_id, hour, measure.dimensions)
            tally = find_plain(key)
            if tally is not None:
                if type(value) is int and type(tally.total) is int:  # as `add` does, without the call
                    tally.event_count += 1
                    tally.total += value
                else:
                    tally.add(value)  # type: ignore[arg-type]  # a text is of distinct values alone
                tally.digest += seal
            elif (aggregation := aggregations[meter_id]) in PLAIN:
                plain[key] = Tally(1, value, seal)  # type: ignore[arg-type]
            else:
                details = detailed.setdefault(key, DetailedTally())
                details.add_measure(aggregation, value, at)
                details.digest += seal
    return Tallies({key: plain[key] for key in sorted(plain)}, {key: detailed[key] for key in sorted(detailed)})


def seconds_into_hour(at: datetime) -> Decimal:
    """Exact, to the microsecond."""
    microseconds = (at.minute * 60 + at.second) * 1_000_000 + at.microsecond
    return Decimal(microseconds).scaleb(-6)


def find_late(rows: Iterable[tuple[int | None, CheckedEvent]], windows: Sequence[MovedWindow]) -> set[bytes]:
    """Of (account, event), the claims of the events that lie in a window which is closed."""
    closed: dict[tuple[int | None, int], list[MovedWindow]] = {}
    for window in windows:
        if window.is_closed:
            closed.setdefault((window.account_id, window.meter_id), []).append(window)
    if not closed:
        return set()
    return {
        row.claim
        for account_id, row in rows
        for measure in row.measures
        for window in closed.get((account_id, measure.meter_id), ())
        if window.start <= row.happened_at < window.end
    }
