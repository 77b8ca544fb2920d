"""How far a window's reading has come, hour by hour and event by event, where it does not add up. No Django here.

The reading is that of the whole window, from what happened so far: of a weighted sum a level counts until the window
ends, as the running total has it. `metering.aggregations` says what each reading is; this is the same, one step a time.
"""

from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from metering.aggregations import DEFAULT_PERCENTILE, NOTHING, Sample, add_up, divide, find_seconds, multiply
from metering.numbers import round_number


class HourPart(NamedTuple):
    """What the events of one hour bring to a window; of None, what a level was before it begins.

    Each aggregation needs only its own of these. `moment` is the sum of value × seconds since the hour began, `fresh`
    how many values were not there before, `below` how many events are less than what is asked for; `names` are the
    fresh values of the hour that may decide.
    """

    hour: datetime | None
    event_count: int = 0
    total: Decimal | None = None
    moment: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    latest: Decimal | None = None
    fresh: int = 0
    below: int = 0
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class Progress:
    """What the reading of [start, end) is made of so far, and whether it has reached `quantity`, which is positive."""

    aggregation: str
    quantity: Decimal
    start: datetime
    end: datetime
    percentile: Decimal | int = DEFAULT_PERCENTILE
    event_count: int = 0
    total: Decimal = NOTHING
    weighed: Decimal = NOTHING
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    latest: Decimal = NOTHING
    fresh: int = 0
    below: int = 0
    names: set[str] = field(default_factory=set)

    def add_part(self, part: HourPart) -> None:
        total = part.total or NOTHING
        self.event_count += part.event_count
        self.total = add_up([self.total, total])
        since = self.start if part.hour is None else part.hour
        weight = multiply(total, find_seconds(self.end - since))
        inside = NOTHING if part.hour is None else part.moment or NOTHING
        self.weighed = add_up([self.weighed, weight, inside.copy_negate()])
        self.see(part.minimum, part.maximum, part.latest)
        self.fresh += part.fresh
        self.below += part.below

    def add_event(self, at: datetime, value: Decimal | int | str) -> None:
        """Of several at one time the greatest comes last."""
        self.event_count += 1
        if self.aggregation == "unique":
            self.fresh += value in self.names
            self.names.discard(str(value))
            return
        number = Decimal(value)
        self.total = add_up([self.total, number])
        self.weighed = add_up([self.weighed, multiply(number, find_seconds(self.end - at))])
        self.see(number, number, number)
        self.below += number < self.quantity

    def see(self, minimum: Decimal | None, maximum: Decimal | None, latest: Decimal | None) -> None:
        if minimum is not None:
            self.minimum = minimum if self.minimum is None else min(self.minimum, minimum)
        if maximum is not None:
            self.maximum = maximum if self.maximum is None else max(self.maximum, maximum)
        if latest is not None:
            self.latest = latest

    def read(self) -> Decimal | None:
        """What the window reads so far; None where nothing was, and of a percentile, which no sums say."""
        match self.aggregation:
            case "count" | "sum":
                return self.total
            case "min":
                return self.minimum
            case "max":
                return self.maximum
            case "avg":
                return divide(self.total, Decimal(self.event_count)) if self.event_count else None
            case "latest":
                return self.latest
            case "unique":
                return Decimal(self.fresh)
            case "weighted_sum":
                return divide(self.weighed, find_seconds(self.end - self.start))
        return None

    def is_reached(self) -> bool:
        match self.aggregation:
            case "count" | "sum":
                return self.total >= self.quantity
            case "min":
                return self.minimum is not None and self.minimum >= self.quantity
            case "max":
                return self.maximum is not None and self.maximum >= self.quantity
            case "avg":
                return divide(self.total, Decimal(self.event_count)) >= self.quantity
            case "latest":
                return self.latest >= self.quantity
            case "unique":
                return self.fresh >= self.quantity
            case "weighted_sum":
                return divide(self.weighed, find_seconds(self.end - self.start)) >= self.quantity
            case "percentile":  # nearest rank: the value there is one of those that are not below
                return self.below < round_number(Fraction(self.percentile) * self.event_count / 100, 0, "ceil")
        raise ValueError(f"there is no aggregation {self.aggregation!r}")


def find_part(progress: Progress, parts: Iterable[HourPart]) -> tuple[Progress, HourPart] | None:
    """The first of ascending parts by whose end the reading has reached it, and what it was made of before that.

    None when it never has. A peak that is gone again when its hour ends is passed over.
    """
    for part in parts:
        before = copy(progress)
        progress.add_part(part)
        if progress.is_reached():
            return before, part
    return None


def find_moment(progress: Progress, samples: Iterable[Sample], *, names: Collection[str] = ()) -> datetime | None:
    """The first time at which the reading, up to and with the events of that time, has reached it; None for never.

    `names` are the distinct values among the samples that were not there before.
    """
    progress.names = set(names)
    at: datetime
    for at, at_once in groupby(sorted(samples), key=itemgetter(0)):
        for _, value in at_once:
            progress.add_event(at, value)
        if progress.is_reached():
            return at
    return None
