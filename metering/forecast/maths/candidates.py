"""Simple forecasts of a stretch's total, made at every moment of a history at once.

A moment (origin) `s` has seen `values[:s]`; the stretch is the `horizon` buckets that follow. Every candidate is a mean
of what stretches of the same place in their season held before: nothing but sums over the past, so that what is told
at `s` does not change with what comes after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from metering.forecast.maths.series import DAY, Floats, Series

SEASONS = (1, 3, 7, 14, 28)  # means over as many seasons
MEDIAN_OF = 7
PROFILE = SEASONS.index(7)
WEEKS = (1, 4)  # the same stretch of the week, where the season is a day
LEVEL_CHANGE = (0.25, 4.0)  # how far the profile of the weeks follows the last one
MONTHS = (1, 3)  # the same dates of the month, where the season is a week


@dataclass(frozen=True, slots=True)
class Past:
    """A history as the candidates read it. `sums[i]` is the total of the first `i` buckets.

    `last_week` is the level of the last week as a share of that of the last four, at each moment.
    """

    values: Floats
    sums: Floats
    season: int
    start: datetime
    step: timedelta
    last_week: Floats

    @property
    def length(self) -> int:
        return len(self.values)


def open_past(history: Series, season: int) -> Past:
    values = np.ascontiguousarray(history.values, dtype=np.float64)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    return Past(values, sums, season, history.start, history.step, compare_levels(sums, 7 * season))


def list_candidates(past: Past, horizon: int) -> Floats:
    """What each candidate says at each moment: (candidates, length + 1). Moments of the first season hold zeros."""
    season, step = past.season, past.step
    stretches = sum_stretches(past.sums, horizon, season)
    nothing, running = np.zeros(past.length + 1), add_lags(stretches, season)
    rows = [average_lags(running, season, count, nothing) for count in SEASONS]
    rows.append(take_median(stretches, past.length, season, rows[PROFILE]))
    if season * step == DAY:
        week = 7 * season
        running = add_lags(sum_stretches(past.sums, horizon, week), week)
        rows += [average_lags(running, week, count, rows[PROFILE]) for count in WEEKS]
        rows.append(rows[-1] * past.last_week)
    elif season * step == 7 * DAY:
        rows += [average_months(past, horizon, count, otherwise=rows[PROFILE]) for count in MONTHS]
    return np.stack(rows)


def sum_stretches(sums: Floats, horizon: int, season: int) -> Floats:
    """What a stretch of `horizon` buckets would hold if the season that begins at each bucket came again and again."""
    length = len(sums) - 1
    if length < season:
        return np.zeros(0)
    begins = length - season + 1
    whole, rest = divmod(horizon, season)
    first = sums[:begins]
    held = sums[rest : rest + begins] - first
    return whole * (sums[season:] - first) + held if whole else held


def add_lags(stretches: Floats, lag: int) -> Floats:
    """The sum of each stretch and of all that lie whole lags before it."""
    rows = -(-len(stretches) // lag)
    padded = np.zeros(rows * lag)
    padded[: len(stretches)] = stretches
    return np.cumsum(padded.reshape(rows, lag), axis=0).ravel()[: len(stretches)]


def average_lags(running: Floats, lag: int, count: int, otherwise: Floats) -> Floats:
    """The mean over the last `count` lags, or over as many as there are; `otherwise` before the first.

    `running` is what `add_lags` gives.
    """
    out = otherwise.copy()
    if len(running):
        reach = count * lag
        mean = out[lag:]
        mean[:reach] = running[:reach] / np.arange(1, count + 1).repeat(lag)[: len(running)]
        np.subtract(running[reach:], running[: max(len(running) - reach, 0)], out=mean[reach:])
        mean[reach:] /= count
    return out


def compare_levels(sums: Floats, week: int) -> Floats:
    """The level of the last week as a share of that of the last four, or of as many buckets as there are."""
    moments = np.arange(len(sums))
    near, far = np.minimum(moments, week), np.minimum(moments, max(WEEKS) * week)
    last, usual = sums - sums[moments - near], (sums - sums[moments - far]) * (near / np.maximum(far, 1))
    return np.clip(np.divide(last, usual, out=np.ones(len(sums)), where=usual > 0), *LEVEL_CHANGE)


def take_median(stretches: Floats, length: int, lag: int, otherwise: Floats) -> Floats:
    """The median over the last seven seasons: one burst among them does not move it."""
    out = otherwise.copy()
    reach = MEDIAN_OF * lag
    if length >= reach:
        count = length + 1 - reach
        rows = [stretches[number * lag : number * lag + count] for number in range(MEDIAN_OF)]
        out[reach:] = find_median(rows)
    return out


def find_median(rows: Sequence[Floats]) -> Floats:
    """Of an odd number of rows, by leaving out the least and the greatest until one is left."""
    left = list(rows)
    while len(left) > 1:
        for index in range(len(left) - 1):
            left[index], left[index + 1] = (
                np.minimum(left[index], left[index + 1]),
                np.maximum(left[index], left[index + 1]),
            )
        left.pop()
        for index in range(len(left) - 1, 0, -1):
            left[index], left[index - 1] = (
                np.maximum(left[index - 1], left[index]),
                np.minimum(left[index - 1], left[index]),
            )
        left.pop(0)
    return left[0]


def average_months(past: Past, horizon: int, count: int, *, otherwise: Floats) -> Floats:
    """The mean of what the same dates held one to `count` months before; `otherwise` before the first month."""
    moments = np.arange(past.length + horizon + 1)
    total, seen = np.zeros(past.length + 1), np.zeros(past.length + 1)
    for months in range(1, count + 1):
        back = moments - months_back(past, moments, months)
        begin, end = back[: past.length + 1], back[horizon:]
        # a month of 31 days reaches further than the shorter one before it: the end stays in what is known
        known = begin >= 0
        end = np.minimum(end, moments[: past.length + 1])
        total += np.where(known, past.sums[np.clip(end, 0, past.length)] - past.sums[np.clip(begin, 0, None)], 0.0)
        seen += known
    return np.where(seen > 0, total / np.maximum(seen, 1), otherwise)


def months_back(past: Past, moments: NDArray[np.int64], months: int) -> NDArray[np.int64]:
    """How many buckets before each moment the same date lay; the last day of a month that is too short."""
    day = DAY // past.step
    start = np.datetime64(past.start.replace(tzinfo=None), "D")
    dates = start + moments // day
    month = dates.astype("datetime64[M]")
    earlier = month - months
    last = (earlier + 1).astype("datetime64[D]") - 1
    same = np.minimum(earlier.astype("datetime64[D]") + (dates - month.astype("datetime64[D]")), last)
    return np.asarray((dates - same).astype(np.int64) * day)
