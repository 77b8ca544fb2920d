"""Credit that comes back: when, and what becomes of the rest. Pure. No Django here."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import count

from billing.periods import find_zone

ZERO = Decimal(0)


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


DAYS = {Interval.DAY: 1, Interval.WEEK: 7}
MONTHS = {Interval.MONTH: 1, Interval.QUARTER: 3, Interval.HALF_YEAR: 6, Interval.YEAR: 12}


class InvalidRollover(ValueError):
    """Less than nothing, or a least that is more than the most."""


@dataclass(frozen=True, slots=True)
class Rollover:
    """How much of a balance lives on: at most `maximum`, and `minimum` even where less is left."""

    minimum: Decimal = ZERO
    maximum: Decimal = ZERO

    def __post_init__(self) -> None:
        if not ZERO <= self.minimum <= self.maximum:
            raise InvalidRollover(f"From {self.minimum} to {self.maximum} cannot roll over.")

    def keep(self, balance: Decimal) -> Decimal:
        return min(self.maximum, max(self.minimum, balance))


NOTHING = Rollover()


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A grant's amount anew at `anchor` and each `interval` after it, by the clocks of the time zone.

    What rolled over is added to the fresh amount. `carries_overage`: usage that found no credit takes from it.
    """

    interval: Interval
    anchor: datetime
    time_zone: str = "UTC"
    rollover: Rollover = NOTHING
    carries_overage: bool = True

    def refresh(self, amount: Decimal, balance: Decimal) -> Decimal:
        return amount + self.rollover.keep(balance)

    def list_moments(self, until: datetime) -> Iterator[datetime]:
        """From the anchor on, up to and including `until`."""
        for number in count():
            moment = find_occurrence(self.anchor, self.interval, number, time_zone=self.time_zone)
            if moment > until:
                return
            yield moment


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset leaves."""

    balance: Decimal
    overage: Decimal


def reset_grant(
    balance: Decimal, overage: Decimal, *, rollover: Rollover = NOTHING, preserve_overage: bool = False
) -> Reset:
    """Begin a new period of usage: a part of the balance rolls over; overage is forgiven, or takes from that part."""
    kept, due = rollover.keep(balance), overage if preserve_overage else ZERO
    taken = min(kept, due)
    return Reset(kept - taken, due - taken)


def find_occurrence(anchor: datetime, interval: Interval, number: int, *, time_zone: str) -> datetime:
    """The moment `number` intervals after the anchor, in UTC: 31 January, 28 February, 31 March.

    Counted from the anchor each time, so that a short month leaves no trace. Raises UnknownTimeZone.
    """
    zone = find_zone(time_zone)
    local = anchor.astimezone(zone).replace(tzinfo=None)
    moved = (
        local + timedelta(days=DAYS[interval] * number)
        if interval in DAYS
        else add_months(local, MONTHS[interval] * number)
    )
    return moved.replace(tzinfo=zone, fold=anchor.astimezone(zone).fold).astimezone(UTC)


def add_months(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    following, first = divmod(year * 12 + month + 1, 12)
    last_day = (datetime(following, first + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001 (a wall clock)
    return local.replace(year=year, month=month + 1, day=min(local.day, last_day))
