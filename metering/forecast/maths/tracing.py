"""The forecast of one horizon at every moment of a history: a blend of the candidates, its scale, and what came.

The blend weighs each candidate by how little it erred on this very series so far. Its scale is the share of the level
by which it erred so far, drawn towards a usual share while there are few errors to go by. Both at a moment `s` know the
errors of stretches that had ended by `s`, and no others: a row does not change with what comes after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from metering.forecast.maths.candidates import SEASONS, Past, list_candidates
from metering.forecast.maths.series import Floats

FADING = 28  # seasons after which an error counts half
MEMORY = 42  # seasons after which it is forgotten
FIRST_SEASONS = 3  # errors count from here on
WEIGHT_PRIOR = 1.0  # seasons for which the candidates are held to be equally good
SCALE_PRIOR = 2.0  # seasons for which the scale is held to be ...
SCALE_SHARE = 0.25  # ... this share of the level
LONG_LEVEL = 0.1  # of the level is that of the last 28 seasons: a stretch foreseen to be empty has a scale too
FACTOR_PRIOR = 12.0  # seasons for which a series is held to keep to its scale
RECENT = (1 / 24, 1 / 4, 1.0)  # seasons over which the latest error is looked at
CLIP = 4.0  # scales; what is further out counts as this far when one learns
WILD = 30.0  # scales or levels; likewise when one asks how far a series errs
TINY = 1e-300  # for what has not been used yet


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """One row per moment, `length + 1` of them. `came` is NaN where the stretch has not ended."""

    horizon: int
    blend: Floats
    level: Floats
    came: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """`raw` is the blend's error, `most` the greatest that it may be and `excess` (features, moments), all in scales.

    `lowest` is what no forecast lies below: nought for a total; a change of a level has no such end.
    """

    horizon: int
    season: int
    blend: Floats
    scale: Floats
    excess: Floats
    raw: Floats
    most: Floats
    lowest: float

    def errors(self, slopes: Floats, rows: slice) -> Floats:
        """In scales, after the blend is moved by `slopes` of the excess, though not below `lowest`."""
        return np.minimum(self.raw[rows] - slopes @ self.excess[:, rows], self.most[rows])

    def own_errors(self, slopes: Floats, now: int) -> tuple[Floats, float]:
        """Of the stretches that had ended by `now`; and how many of its scales the series errs by on average."""
        rows = slice(max(FIRST_SEASONS * self.season, now + 1 - MEMORY * self.season), max(0, now + 1 - self.horizon))
        errors = self.errors(slopes, rows)
        if not len(errors):
            return errors, 1.0
        weights = grow(len(errors), self.season)
        weights = weights / weights[-1]
        prior = FACTOR_PRIOR * self.season
        factor = float((weights @ np.minimum(np.abs(errors), WILD) + prior) / (weights.sum() + prior))
        return errors, factor


def blend_horizon(past: Past, horizon: int) -> Blend:
    """Of what flows: the target is the stretch's total."""
    came = np.full(past.length + 1, np.nan)
    if past.length >= horizon:
        came[: past.length + 1 - horizon] = past.sums[horizon:] - past.sums[: past.length + 1 - horizon]
    floor = 1e-9 * horizon * past.sums / np.maximum(np.arange(past.length + 1), 1) + TINY
    candidates = list_candidates(past, horizon)
    blend = weigh_candidates(candidates, came, past.season, horizon, floor)
    level = (1 - LONG_LEVEL) * blend + LONG_LEVEL * candidates[len(SEASONS) - 1] + floor
    return Blend(horizon, blend, level, came)


def weigh_candidates(candidates: Floats, came: Floats, season: int, horizon: int, floor: Floats) -> Floats:
    """Weights are the fourth power of how little each erred so far; `floor` is added so that no error is nought."""
    first, ended = FIRST_SEASONS * season, len(came) - horizon
    if ended <= first:
        return np.asarray(candidates.mean(axis=0))
    late = first + horizon
    blend = np.empty(len(came))
    blend[:late] = candidates[:, :late].mean(axis=0)
    growth = grow(ended - first, season)
    errors = candidates[:, first:ended] - came[first:ended]
    np.abs(errors, out=errors)
    errors *= growth
    errors = add_remembered(errors, season, horizon)
    known = add_remembered(growth[None, :], season, horizon)[0]
    prior = WEIGHT_PRIOR * season * growth
    errors += errors.mean(axis=0) * (prior / known) + floor[late:] * (known + prior)
    np.divide(errors.min(axis=0), errors, out=errors)
    np.square(errors, out=errors)
    np.square(errors, out=errors)
    blend[late:] = np.einsum("ij,ij->j", errors, candidates[:, late:]) / errors.sum(axis=0)
    return blend


def trace_blend(blend: Blend, excesses: Floats, season: int, *, lowest: float = 0.0) -> Trace:
    """`excesses` are `list_excesses`, per bucket."""
    with np.errstate(over="ignore"):  # before the first use there is no level; such errors are cut wherever they count
        return trace_errors(blend, excesses, season, lowest)


def trace_errors(blend: Blend, excesses: Floats, season: int, lowest: float) -> Trace:
    errors = np.minimum(np.abs(blend.blend - blend.came) / blend.level, WILD)
    shares, count = remember(errors, season, blend.horizon)
    prior = SCALE_PRIOR * season
    scale = blend.level * ((shares + prior * SCALE_SHARE) / (count + prior)) + TINY
    excess = np.clip(excesses * (blend.horizon / scale), -CLIP, CLIP)
    raw = (blend.came - blend.blend) / scale
    return Trace(blend.horizon, season, blend.blend, scale, excess, raw, (blend.came - lowest) / scale, lowest)


def remember(errors: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """The faded sum of the errors known at each moment, and their weight in all."""
    sums, count = np.zeros(len(errors)), np.zeros(len(errors))
    first, ended = FIRST_SEASONS * season, len(errors) - horizon
    if ended > first:
        growth = grow(ended - first, season)
        sums[first + horizon :] = add_remembered((errors[first:ended] * growth)[None, :], season, horizon)[0] / growth
        count[first + horizon :] = add_remembered(growth[None, :], season, horizon)[0] / growth
    return sums, count


def add_remembered(amounts: Floats, season: int, horizon: int) -> Floats:
    """Running sums along each row over what is remembered when the stretch of `horizon` has ended."""
    sums = np.cumsum(amounts, axis=1)
    gone = MEMORY * season - horizon
    if 0 < gone < sums.shape[1]:
        out = sums.copy()
        np.subtract(sums[:, gone:], sums[:, :-gone], out=out[:, gone:])
        return np.maximum(out, 0.0, out=out)
    return np.asarray(sums)


@lru_cache(maxsize=8)
def grow(count: int, season: int) -> Floats:
    """What each of `count` errors counts, the first one: later ones count for more, so that earlier ones fade."""
    growth = 2.0 ** (np.arange(count) / (FADING * season))
    growth.flags.writeable = False
    return np.asarray(growth)


def list_reaches(season: int) -> list[int]:
    """The horizons, in buckets, whose latest errors are looked at."""
    return [max(1, round(share * season)) for share in RECENT]


def list_excesses(blends: Sequence[Blend], season: int) -> Floats:
    """By how much the stretches that just ended came above their own forecasts, per bucket: (features, moments)."""
    rows = np.zeros((len(blends), len(blends[0].came)))
    for row, each in zip(rows, blends, strict=True):
        first = max(2 * season, each.horizon)
        ended = slice(first - each.horizon, len(row) - each.horizon)
        row[first:] = (each.came[ended] - each.blend[ended])[: len(row[first:])] / each.horizon
    return rows
