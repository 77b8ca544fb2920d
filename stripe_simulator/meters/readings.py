"""What a meter says of one customer: its events sorted by time, and running sums by hour. Pure; no clock, no HTTP."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from operator import attrgetter

HOUR = 3600
WINDOWS = {"hour": HOUR, "day": 24 * HOUR}
EXACT = Context(prec=90)  # values have 15 digits each, anywhere around the point
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """One accepted meter event. Sorted by its time, then by the order in which it came."""

    timestamp: int
    number: int
    value: Decimal = field(compare=False)
    visible_at: int = field(compare=False)


at_time = attrgetter("timestamp")


class Series:
    """The readings of one meter and customer. A reading counts once its aggregation lag has passed."""

    __slots__ = ("formula", "hours", "readings", "waiting", "window")

    def __init__(self, formula: str, event_time_window: str | None) -> None:
        self.formula = formula
        self.window = WINDOWS.get(event_time_window or "")
        self.readings: list[Reading] = []
        self.hours: dict[int, tuple[Decimal, int]] = {}  # sum and count by hour of the epoch
        self.waiting: deque[Reading] = deque()

    def add(self, reading: Reading) -> None:
        self.waiting.append(reading)

    def settle(self, at: int) -> None:
        """Let in what has become visible by `at`."""
        while self.waiting and self.waiting[0].visible_at <= at:
            reading = self.waiting.popleft()
            if not self.readings or self.readings[-1] < reading:
                self.readings.append(reading)
            else:
                insort(self.readings, reading)
            self._count(reading, 1)

    def remove(self, reading: Reading) -> None:
        """Take a cancelled event out again."""
        if reading in self.waiting:
            self.waiting.remove(reading)
            return
        position = bisect_left(self.readings, reading)
        if position < len(self.readings) and self.readings[position] == reading:
            del self.readings[position]
            self._count(reading, -1)

    def _count(self, reading: Reading, sign: int) -> None:
        hour = reading.timestamp // HOUR
        total, count = self.hours.get(hour, (ZERO, 0))
        self.hours[hour] = (EXACT.add(total, reading.value * sign), count + sign)

    def aggregate(self, start: int, end: int) -> Decimal:
        """The meter's figure over [start, end), in unix seconds; zero where nothing happened."""
        first = bisect_left(self.readings, start, key=at_time)
        last = bisect_left(self.readings, end, key=at_time)
        if first == last:
            return ZERO
        if self.formula == "last":
            return self.readings[last - 1].value
        if self.window:
            kept = keep_newest(self.readings[first:last], self.window)
            return Decimal(len(kept)) if self.formula == "count" else add_up(reading.value for reading in kept)
        if self.formula == "count":
            return Decimal(last - first)
        return self._sum(first, last, start, end)

    def count(self, start: int, end: int) -> int:
        """How many events lie in [start, end), whatever the formula."""
        return bisect_left(self.readings, end, key=at_time) - bisect_left(self.readings, start, key=at_time)

    def _sum(self, first: int, last: int, start: int, end: int) -> Decimal:
        """Whole hours from the running sums, the ragged ends from the readings."""
        start, end = max(start, self.readings[first].timestamp), min(end, self.readings[last - 1].timestamp + 1)
        first_hour, end_hour = -(-start // HOUR), end // HOUR
        if first_hour >= end_hour:
            return add_up(reading.value for reading in self.readings[first:last])
        head = bisect_left(self.readings, first_hour * HOUR, key=at_time)
        tail = bisect_left(self.readings, end_hour * HOUR, key=at_time)
        ragged = (reading.value for part in ((first, head), (tail, last)) for reading in self.readings[slice(*part)])
        whole = (self.hours[hour][0] for hour in range(first_hour, end_hour) if hour in self.hours)
        return EXACT.add(add_up(ragged), add_up(whole))


def keep_newest(readings: list[Reading], window: int) -> list[Reading]:
    """Of events that were aggregated before they were sent, the newest of each window stands for the window."""
    return list({reading.timestamp // window: reading for reading in readings}.values())


def add_up(values: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total
