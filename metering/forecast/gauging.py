"""Where a level stands hour by hour, and what a window reads if it moves on: for what does not add up. No database.

A reading is taken to follow the level along a straight line, `anchor + gain × (level at close - level now)`, which is
exact for what is read as it stands (a latest value, what carries over). A mean is what was so far and what is to come,
each by its time. Of a weighted sum the running total holds already what the present level brings until the window
ends, so that half of a change counts, on a straight way there, for the share of the window that is left.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from metering.calendars import HOUR
from metering.forecast.histories import Floats, History

AS_IT_STANDS = frozenset({"latest", "sum", "unique", "max", "min"})
MEANS = frozenset({"avg", "percentile"})


@dataclass(frozen=True, slots=True, eq=False)
class Gauge:
    """`levels` are those by the end of each hour, the running one the last. `now` is the last of them."""

    levels: Floats
    anchor: float
    gain: float

    @property
    def now(self) -> float:
        return float(self.levels[-1])

    def read(self, level: float) -> float:
        """What the window reads at its close if the level is then `level`."""
        return self.anchor + self.gain * (level - self.now)

    def find_level(self, reading: float) -> float | None:
        """The level at close that makes the reading; None where the level no longer moves it."""
        return self.now + (reading - self.anchor) / self.gain if self.gain > 0 else None


def read_gauge(
    history: History, *, aggregation: str, carries_over: bool, used: float, start: datetime, end: datetime
) -> Gauge | None:
    """None where there is no level yet. [start, end) is the limit's window, `used` what it reads so far."""
    levels = find_levels(history, aggregation=aggregation, carries_over=carries_over, used=used, start=start, end=end)
    if not len(levels):
        return None
    now, length = max(history.end - HOUR, start), (end - start).total_seconds()
    left = min(max((end - now).total_seconds() / length, 0.0), 1.0)
    if aggregation == "weighted_sum":
        return Gauge(levels, used, left / 2)
    if aggregation in MEANS:
        return Gauge(levels, (1 - left) * used + left * float(levels[-1]), left)
    return Gauge(levels, float(levels[-1]), 1.0)


def find_levels(
    history: History, *, aggregation: str, carries_over: bool, used: float, start: datetime, end: datetime
) -> Floats:
    """From the first hour of which the level is known."""
    if history.first is None:
        return history.values[:0]
    if aggregation in ("sum", "unique"):
        return trim(go_back(used, history.values), start=history.start, first=history.first)
    if aggregation == "weighted_sum":
        window = max(0, -((history.start - start) // HOUR))  # the hour in which it begins, as a place
        begun = find_level_at_start(history, window, used=used, start=start, end=end) if carries_over else 0.0
        levels = go_back(begun + float(np.nansum(history.values[window:])), history.values)
        return trim(levels, start=history.start, first=history.first) if carries_over else levels[window:]
    return fill_forward(history.values, history.before)


def go_back(now: float, changes: Floats) -> Floats:
    """The level by the end of each hour, from that of now and what each hour changed."""
    later = np.cumsum(np.nan_to_num(changes)[::-1])[::-1]
    return now - np.concatenate((later[1:], [0.0]))


def find_level_at_start(history: History, window: int, *, used: float, start: datetime, end: datetime) -> float:
    """Of a mean over the whole window, in which each change counts until the end: what it had before any of them."""
    changes, moments = np.nan_to_num(history.values[window:]), history.weights[window:]
    hours = history.start + window * HOUR
    seconds = (end - hours).total_seconds() - 3600.0 * np.arange(len(changes))
    weighed = float((changes * seconds - moments).sum())
    return used - weighed / (end - start).total_seconds()


def fill_forward(values: Floats, before: float | None) -> Floats:
    known = values.copy()
    if before is not None and len(known) and np.isnan(known[0]):
        known[0] = before
    places = np.where(np.isnan(known), -1, np.arange(len(known)))
    places = np.maximum.accumulate(places)
    return np.asarray(known[places[places >= 0]])


def trim(levels: Floats, *, start: datetime, first: datetime) -> Floats:
    """Without the hours before the account's first."""
    return levels[max(0, (first - start) // HOUR) :]
