"""Credit that comes back: when, and what becomes of the rest. Pure. No Django here."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count

from billing.periods import Cycle, Interval, find_boundary, find_zone

ZERO = Decimal(0)


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

    Raises UnknownTimeZone.
    """
    return find_boundary(number, Cycle(interval, anchor), find_zone(time_zone))
