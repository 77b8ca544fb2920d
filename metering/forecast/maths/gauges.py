"""Gauges: storage, seats. A level is compared with the limit as it stands; nothing accumulates and nothing resets it.

What is forecast is the change: how far above the level of now its highest value will lie, and where it will stand at
close. Candidates are no change at all and the slopes of the last one, seven and 28 seasons, blended as flows are.
"""

from typing import NamedTuple

import numpy as np

from metering.forecast.maths.series import Floats
from metering.forecast.maths.tracing import RECENT, TINY, Blend, Trace, trace_blend, weigh_candidates

SLOPES = (1, 7, 28)  # seasons


class LevelTrace(NamedTuple):
    """Of the highest value of the stretch and of its last one, both as changes from the level at the moment."""

    highest: Trace
    last: Trace


def trace_level(values: Floats, horizon: int, season: int) -> LevelTrace:
    """At every moment of a history; at moment `s` the level is `values[s - 1]`."""
    length = len(values)
    level = np.concatenate((values[:1], values))
    highest, last = np.full(length + 1, np.nan), np.full(length + 1, np.nan)
    if length >= horizon:
        ended = length + 1 - horizon
        highest[:ended] = slide_maximum(values, horizon) - level[:ended]
        last[:ended] = values[horizon - 1 :] - level[:ended]
    changes = np.stack([np.zeros(length + 1), *(follow_slope(level, season * count) * horizon for count in SLOPES)])
    return LevelTrace(
        trace_change(np.maximum(changes, 0.0), highest, level, season, horizon),
        trace_change(changes, last, level, season, horizon),
    )


def trace_change(changes: Floats, came: Floats, level: Floats, season: int, horizon: int) -> Trace:
    """In units of how far the level usually wanders in so long: what a walk of its mean step would."""
    steps = np.abs(np.diff(level, prepend=level[0]))
    wandering = np.cumsum(steps) / np.arange(1, len(steps) + 1) * np.sqrt(horizon)
    floor = 1e-9 * np.maximum.accumulate(np.abs(level)) + TINY
    blend = weigh_candidates(changes, came, season, horizon, floor)
    nothing = np.zeros((len(RECENT), len(level)))
    return trace_blend(Blend(horizon, blend, wandering + floor, came), nothing, season, lowest=-np.inf)


def follow_slope(level: Floats, reach: int) -> Floats:
    """The mean change per bucket over the last `reach` buckets, or over as many as there are."""
    moments = np.arange(len(level))
    back = np.minimum(moments, reach)
    return np.asarray((level - level[moments - back]) / np.maximum(back, 1))


def slide_maximum(values: Floats, width: int) -> Floats:
    """The largest of each `width` neighbours, by doubling: a window is covered by two of half its length or more."""
    out, reach = values, 1
    while reach * 2 <= width:
        out = np.maximum(out[:-reach], out[reach:])
        reach *= 2
    rest = width - reach
    return np.maximum(out[: len(out) - rest], out[rest:]) if rest else out
