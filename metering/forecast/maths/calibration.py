"""What past forecasts of many series teach the next one: how far the latest excess persists, and how far one errs.

Pooled conformal prediction: errors are put in units of each series' own scale and pooled over series by horizon, so
that an interval covers what it says even for a series with little past of its own. All that is kept are sums, so that
a calibration can be added to, faded and stored as plain numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from metering.forecast.maths.candidates import open_past
from metering.forecast.maths.series import Floats, Series
from metering.forecast.maths.tracing import CLIP, FIRST_SEASONS, RECENT, Trace, list_excesses, trace_horizon

SHARES = tuple(2.0 ** (number / 2) for number in range(-9, 12))  # horizons in seasons at which one learns
STRIDES = 4  # times a season that one looks at the past
RIDGE = 20.0  # looks after which what was learnt about the excess counts
WIDTH = 1 / 12
EDGES = WIDTH * (np.arange(122) - 60.5)  # of the histogram of errors, as asinh of scales; no error is amid a bin
PRIOR = 10.0  # looks that the shape below stands for
PRIOR_SLOPE = 1.6  # a logistic whose mean absolute value is about one scale
PRIOR_BEYOND = 1.0 / (1.0 + np.exp(np.clip(PRIOR_SLOPE * np.sinh(EDGES), -60.0, 60.0)))
FEATURES = len(RECENT)


@dataclass(slots=True)
class Lessons:
    """Of one horizon: the sums of a ridge regression of the error on the excess, and a histogram of what was left."""

    products: Floats = field(default_factory=lambda: np.zeros((FEATURES, FEATURES)))
    answers: Floats = field(default_factory=lambda: np.zeros(FEATURES))
    errors: Floats = field(default_factory=lambda: np.zeros(len(EDGES) - 1))

    def slopes(self) -> Floats:
        """By how many scales the blend moves for each scale of excess."""
        return np.asarray(np.linalg.solve(self.products + RIDGE * np.eye(FEATURES), self.answers))


@dataclass(slots=True)
class Calibration:
    """Lessons by horizon. Not safe for two threads at once; a forecast only reads it."""

    lessons: list[Lessons] = field(default_factory=lambda: [Lessons() for _ in SHARES])

    def learn(self, history: Series, *, season: int, since: int = 0) -> None:
        """Add the forecasts of every stretch that ended in a bucket from `since` on.

        Each look at a moment knows only what came before it. Called again with the same `since` it counts twice: the
        caller keeps how far it got.
        """
        past = open_past(history, season)
        if past.length < (FIRST_SEASONS + 1) * season or not past.sums[-1] > 0:
            return
        excesses = list_excesses(past)
        for lessons, horizon in self.horizons(season):
            first = max(FIRST_SEASONS * season, since - horizon + 1)
            if first + horizon > past.length:
                continue
            stride = max(1, season // STRIDES)
            looks = np.arange(past.length - horizon, first - 1, -stride)
            if looks.size:
                self.take_lesson(lessons, trace_horizon(past, excesses, horizon), looks, min(1.0, stride / horizon))

    def take_lesson(self, lessons: Lessons, trace: Trace, looks: Any, weight: float) -> None:
        """The errors are judged by what was known before this lesson."""
        excess = trace.excess[:, looks]
        errors = trace.standardise(lessons.slopes() @ trace.excess)[looks]
        lessons.errors += weight * count_errors(errors)
        raw = np.clip((trace.came[looks] - trace.blend[looks]) / trace.scale[looks], -CLIP, CLIP)
        lessons.products += weight * (excess @ excess.T)
        lessons.answers += weight * (excess @ raw)

    def horizons(self, season: int) -> Iterable[tuple[Lessons, int]]:
        """In buckets; two shares that fall on one bucket are one horizon."""
        known = -1
        for lessons, share in zip(self.lessons, SHARES, strict=True):
            horizon = max(1, round(share * season))
            if horizon != known:
                yield lessons, horizon
            known = horizon

    def nearest(self, horizon: int, season: int) -> Lessons:
        return min(self.horizons(season), key=lambda each: abs(np.log(each[1] / horizon)))[0]

    def fade(self, factor: float) -> None:
        """Let everything learnt so far count for `factor` of what it did."""
        for each in self.lessons:
            each.products *= factor
            each.answers *= factor
            each.errors *= factor

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "version": 1,
            "lessons": [
                {"products": each.products.tolist(), "answers": each.answers.tolist(), "errors": each.errors.tolist()}
                for each in self.lessons
            ],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Raises ValueError where it was stored by another version of the maths."""
        if stored.get("version") != 1 or len(stored["lessons"]) != len(SHARES):
            raise ValueError("this calibration was stored by another version")
        return cls([Lessons(*(np.array(each[name]) for name in LESSON)) for each in stored["lessons"]])


LESSON = ("products", "answers", "errors")


def calibrate(histories: Iterable[Series], *, season: int) -> Calibration:
    """Learn from the whole past of each series."""
    calibration = Calibration()
    for history in histories:
        calibration.learn(history, season=season)
    return calibration


def count_errors(errors: Floats) -> Floats:
    """A histogram over `EDGES`; what lies beyond is put in the outermost bins."""
    places = np.floor((np.arcsinh(errors) - EDGES[0]) / WIDTH).astype(np.int64)
    return np.bincount(np.clip(places, 0, len(EDGES) - 2), minlength=len(EDGES) - 1).astype(np.float64)


def read_beyond(errors: Floats) -> Floats:
    """The share of errors above each edge, the prior shape mixed in."""
    above = np.concatenate((np.cumsum(errors[::-1])[::-1], [0.0]))
    return np.asarray((above + PRIOR * PRIOR_BEYOND) / (above[0] + PRIOR))
