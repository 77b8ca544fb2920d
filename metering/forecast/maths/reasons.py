"""Why the forecast says what it says: a code and the numbers that a sentence needs. Words are found elsewhere."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metering.forecast.maths.series import DAY, Floats, Series
from metering.forecast.maths.tracing import TINY

Flags = NDArray[np.bool_]

Code = Literal[
    "already_reached",
    "batch",
    "intermittent",
    "learning",
    "steady",
    "step_down",
    "step_up",
    "trend_down",
    "trend_up",
    "unused",
    "weekday_down",
    "weekday_up",
    "weekend",
]

LOOKED_AT = 28  # days
BATCH_DAYS = 0.25  # of the days hold ...
BATCH_SHARE = 0.9  # ... this much of the usage
ACTIVE = 0.1  # of a mean day: below it a day counts as idle
IDLE_DAYS = 0.5  # of the days: above it usage is intermittent
SMALLEST_CHANGE = 0.15  # of the level
CERTAINTY = 4.0  # standard errors
EARLIEST_CHANGE = 3  # days on either side
WEEKEND_DIP = 0.8


@dataclass(frozen=True, slots=True)
class Reason:
    """`percent` is how much more (or less, negative) than before; `since` the first day that shows it, in UTC.

    `share` is the part of the usage, or of the days, that the code speaks of, 0 to 1.
    """

    code: Code
    percent: int | None = None
    since: date | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days in UTC, the oldest first."""

    first: date
    totals: Floats

    def weekdays(self) -> NDArray[np.int64]:
        """Monday is 0."""
        return np.asarray((self.first.weekday() + np.arange(len(self.totals))) % 7)

    def at(self, index: int) -> date:
        return self.first + timedelta(days=index)


def add_days(history: Series) -> Days:
    """The last four weeks' whole days."""
    start = history.start.astimezone(UTC)
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
    skipped = -((midnight - start) // history.step) if midnight == start else (midnight + DAY - start) // history.step
    per_day = max(1, DAY // history.step)
    values = history.values[skipped:]
    count = len(values) // per_day
    kept = min(count, LOOKED_AT)
    totals = values[: count * per_day].reshape(count, per_day).sum(axis=1)[count - kept :]
    return Days((start + skipped * history.step + (count - kept) * DAY).date(), totals)


def find_reason(history: Series, *, ahead: float | None = None) -> Reason:
    """What the days before now show. `ahead` is the forecast's mean day of the rest, where there is one."""
    days = add_days(history)
    mean = float(days.totals.mean()) if len(days.totals) else 0.0
    if mean <= 0.0:
        return Reason("unused")
    return find_pauses(days, mean) or find_change(days) or find_weekend(days, mean, ahead) or Reason("steady")


def find_pauses(days: Days, mean: float) -> Reason | None:
    """Usage that comes on few days."""
    ordered = np.sort(days.totals)[::-1]
    few = max(1, int(BATCH_DAYS * len(ordered)))
    share = float(ordered[:few].sum() / ordered.sum())
    idle = float((days.totals < ACTIVE * mean).mean())
    if idle < IDLE_DAYS:
        return None
    return Reason("batch", share=share) if share >= BATCH_SHARE else Reason("intermittent", share=1.0 - idle)


def find_change(days: Days) -> Reason | None:
    """The best single break in level, against a straight line; on weekdays alone where weekends did not move."""
    weekend = days.weekdays() >= 5
    flat = level_weekdays(days.totals, weekend)
    if len(flat) < 2 * EARLIEST_CHANGE + 1:
        return None
    cuts = np.arange(EARLIEST_CHANGE, len(flat) - EARLIEST_CHANGE + 1)
    left = np.array([squared_rest(flat[:cut]) + squared_rest(flat[cut:]) for cut in cuts])
    cut = int(cuts[np.argmin(left)])
    before, after = float(flat[:cut].mean()), float(flat[cut:].mean())
    spread = np.sqrt(left.min() / (len(flat) - 2) * (1 / cut + 1 / (len(flat) - cut)))
    if before <= 0 or abs(after / before - 1) < SMALLEST_CHANGE or abs(after - before) < CERTAINTY * spread:
        return None
    percent = compare_weekdays(days.totals, weekend, cut)
    line = np.polynomial.Polynomial.fit(np.arange(len(flat)), flat, 1)
    if float(((flat - line(np.arange(len(flat)))) ** 2).sum()) < float(left.min()):
        ends = float(line(0)), float(line(len(flat) - 1))
        grown = round(100 * (ends[1] / ends[0] - 1)) if ends[0] > 0 else percent
        return Reason("trend_up" if after > before else "trend_down", percent=grown, since=days.at(0))
    if weekdays_alone(days.totals, weekend, cut):
        first = cut + int(np.argmin(weekend[cut:]))  # a weekend shows nothing of it
        return Reason("weekday_up" if after > before else "weekday_down", percent=percent, since=days.at(first))
    return Reason("step_up" if after > before else "step_down", percent=percent, since=days.at(cut))


def level_weekdays(totals: Floats, weekend: Flags) -> Floats:
    """Weekends raised to the level of weekdays, so that a weekend is no change."""
    flat = totals.astype(np.float64)
    if weekend.any() and (~weekend).any() and totals[weekend].mean() > 0:
        flat = np.where(weekend, totals * (totals[~weekend].mean() / totals[weekend].mean()), totals)
    return flat


def compare_weekdays(totals: Floats, weekend: Flags, cut: int) -> int:
    """By how many per cent the days from `cut` on lie above those before, weekends aside where both have weekdays."""
    old, new = totals[:cut][~weekend[:cut]], totals[cut:][~weekend[cut:]]
    if not len(old) or not len(new) or old.mean() <= 0:
        old, new = totals[:cut], totals[cut:]
    return round(100 * (float(new.mean()) / max(float(old.mean()), TINY) - 1))


def squared_rest(part: Floats) -> float:
    return float(((part - part.mean()) ** 2).sum())


def weekdays_alone(totals: Floats, weekend: Flags, cut: int) -> bool:
    """Whether weekends kept their level while weekdays changed it."""
    old, new = totals[:cut], totals[cut:]
    old_rest, new_rest = old[weekend[:cut]], new[weekend[cut:]]
    if not len(old_rest) or not len(new_rest) or old_rest.mean() <= 0:
        return False
    moved = new[~weekend[cut:]].mean() / max(old[~weekend[:cut]].mean(), TINY) - 1
    return bool(abs(new_rest.mean() / old_rest.mean() - 1) < abs(moved) / 3)


def find_weekend(days: Days, mean: float, ahead: float | None) -> Reason | None:
    """What remains is quieter than the days before, since the weekend is."""
    weekend = days.weekdays() >= 5
    if ahead is None or not weekend.any() or weekend.all():
        return None
    dip = float(days.totals[weekend].mean() / max(days.totals[~weekend].mean(), TINY))
    if dip < WEEKEND_DIP and ahead < WEEKEND_DIP * mean:
        return Reason("weekend", percent=round(100 * (dip - 1)))
    return None
