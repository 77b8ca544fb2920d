"""The forecast of one horizon at every moment of a history: a blend of the candidates, its scale, and what came.

The blend weighs each candidate by how little it erred on this very series so far. Its scale is its own mean absolute
error, drawn towards a share of the level while there are few errors to go by. Both at a moment `s` know the errors of
stretches that had ended by `s`, and no others.
"""

from dataclasses import dataclass

import numpy as np

from metering.forecast.maths.candidates import Past, list_candidates
from metering.forecast.maths.series import Floats

SHARPNESS = 4.0  # weight ~ error ** -SHARPNESS
MEMORY = 28  # seasons after which an error counts half
FIRST_SEASONS = 3  # errors count from here on
WEIGHT_PRIOR = 1.0  # seasons for which the candidates are held to be equally good
SCALE_PRIOR = 2.0  # seasons for which the scale is held to be ...
SCALE_SHARE = 0.25  # ... this share of the level
RECENT = (1 / 24, 1 / 8, 1 / 4, 1.0)  # seasons over which an excess is looked at
CLIP = 4.0  # scales; what is further out counts as this far when one learns


@dataclass(frozen=True, slots=True)
class Trace:
    """One row per moment, `length + 1` of them. `came` is NaN where the stretch has not ended."""

    horizon: int
    blend: Floats
    scale: Floats
    excess: Floats  # (features, moments), in scales
    came: Floats

    def standardise(self, shift: Floats) -> Floats:
        """The errors in scales, after the blend is moved by `shift` scales."""
        return (self.came - np.maximum(self.blend + shift * self.scale, 0.0)) / self.scale


def trace_horizon(past: Past, excesses: Floats, horizon: int) -> Trace:
    """Of what flows: the target is the stretch's total. Needs usage that is not zero throughout.

    `excesses` are `list_excesses(past)`.
    """
    came = np.full(past.length + 1, np.nan)
    if past.length >= horizon:
        came[: past.length + 1 - horizon] = past.sums[horizon:] - past.sums[: past.length + 1 - horizon]
    floor = 1e-9 * past.sums[-1] / past.length * horizon
    blend = blend_candidates(list_candidates(past, horizon), came, past.season, horizon, floor)
    scale = find_scale(blend, came, past.season, horizon, SCALE_SHARE * blend) + floor
    return Trace(horizon, blend, scale, np.clip(excesses * (horizon / scale), -CLIP, CLIP), came)


def blend_candidates(candidates: Floats, came: Floats, season: int, horizon: int, floor: float) -> Floats:
    """Weights by the errors so far, to which `floor` is added so that none is nought."""
    sums, count = remember(np.abs(candidates - came), season, horizon)
    prior = WEIGHT_PRIOR * season
    means = (sums + prior * (sums.mean(axis=0) / np.maximum(count, 1e-9))) / (count + prior) + floor
    weights = (means / means.min(axis=0)) ** -SHARPNESS
    return np.asarray((weights * candidates).sum(axis=0) / weights.sum(axis=0))


def find_scale(blend: Floats, came: Floats, season: int, horizon: int, usual: Floats) -> Floats:
    """The mean absolute error so far, `usual` standing for the first errors."""
    sums, count = remember(np.abs(blend - came)[None, :], season, horizon)
    prior = SCALE_PRIOR * season
    return np.asarray((sums[0] + prior * usual) / (count + prior))


def remember(errors: Floats, season: int, horizon: int) -> tuple[Floats, Floats]:
    """Faded sums of the errors known at each moment, row by row, and how many they are."""
    moments = errors.shape[1]
    first, ended = FIRST_SEASONS * season, moments - horizon
    sums, count = np.zeros(errors.shape), np.zeros(moments)
    if ended <= first:
        return sums, count
    growth = 2.0 ** (np.arange(ended - first) / (MEMORY * season))
    sums[:, first + horizon :] = np.cumsum(errors[:, first:ended] * growth, axis=1) / growth
    count[first + horizon :] = np.cumsum(growth) / growth
    return sums, count


def list_excesses(past: Past) -> Floats:
    """By how much the last buckets lie above the same hours of seven seasons, per bucket: (features, moments)."""
    usual = past.values.copy()
    seen = np.zeros(past.length)
    total = np.zeros(past.length)
    for number in range(1, 8):
        lag = number * past.season
        if lag >= past.length:
            break
        total[lag:] += past.values[:-lag]
        seen[lag:] += 1
    usual[past.season :] = total[past.season :] / seen[past.season :]
    running = np.concatenate(([0.0], np.cumsum(past.values - usual)))
    rows = []
    for share in RECENT:
        reach = max(1, round(share * past.season))
        before = np.concatenate((np.zeros(min(reach, past.length + 1)), running[: max(past.length + 1 - reach, 0)]))
        rows.append((running - before) / reach)
    return np.stack(rows)
