"""What past forecasts of many series teach the next one: how far the latest excess persists, and how far one errs.

Pooled conformal prediction: errors are put in units of each series' own scale and pooled over series by horizon, so
that an interval covers what it says even for a series with little past of its own. All that is kept are sums, so that
a calibration can be added to, faded and stored as plain numbers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import log2
from typing import Any, Self

import numpy as np

from metering.forecast.maths.retrospect import Retrospect
from metering.forecast.maths.series import Floats, Series
from metering.forecast.maths.tracing import CLIP, RECENT, Trace

SHORTEST, LONGEST = -9, 11  # half powers of two, in seasons: the horizons at which one learns
LEARN_FROM = 8  # seasons of a history: before that its scale is more of a guess than a measure
LOOKS = 4  # times a season that one looks at the past
RIDGE = 20.0  # looks after which what was learnt about the excess counts
WIDTH = 1 / 12
EDGES = WIDTH * (np.arange(122) - 60.5)  # of the histogram of errors, as asinh of scales; no error is amid a bin
BINS = len(EDGES) - 1
PRIOR = 10.0  # looks that the shape below stands for
PRIOR_SLOPE = 1.6  # a logistic whose mean absolute value is about one scale
PRIOR_BEYOND = 1.0 / (1.0 + np.exp(np.clip(PRIOR_SLOPE * np.sinh(EDGES), -60.0, 60.0)))
FEATURES = len(RECENT)
VERSION = 1
LESSON = ("products", "answers", "errors")


@dataclass(slots=True, eq=False)
class Lessons:
    """Of one horizon: the sums of a ridge regression of the error on the excess, and a histogram of what was left."""

    products: Floats = field(default_factory=lambda: np.zeros((FEATURES, FEATURES)))
    answers: Floats = field(default_factory=lambda: np.zeros(FEATURES))
    errors: Floats = field(default_factory=lambda: np.zeros(BINS))
    slopes: Floats = field(init=False)  # by how many scales the blend moves for each scale of excess

    def __post_init__(self) -> None:
        self.find_slopes()

    def find_slopes(self) -> None:
        self.slopes = np.asarray(np.linalg.solve(self.products + RIDGE * np.eye(FEATURES), self.answers))

    def take(self, trace: Trace, looks: slice, weight: float) -> None:
        """The errors are judged by what was known before this lesson."""
        excess = trace.excess[:, looks]
        factors = [trace.own_errors(self.slopes, look)[1] for look in range(len(trace.raw))[looks]]
        self.errors += weight * count_errors(trace.errors(self.slopes, looks) / np.array(factors))
        self.products += weight * (excess @ excess.T)
        self.answers += weight * (excess @ np.clip(trace.raw[looks], -CLIP, CLIP))
        self.find_slopes()

    def fade(self, factor: float) -> None:
        self.products *= factor
        self.answers *= factor
        self.errors *= factor
        self.find_slopes()


@dataclass(slots=True, eq=False)
class Calibration:
    """Lessons by horizon. Not safe for two threads at once; a forecast only reads it."""

    lessons: list[Lessons] = field(default_factory=lambda: [Lessons() for _ in range(SHORTEST, LONGEST + 1)])

    def learn(self, history: Series, *, season: int, since: int = 0) -> None:
        """Add the forecasts of every stretch that ended in a bucket from `since` on.

        Each look at a moment knows only what came before it. Called again with the same `since` it counts twice: the
        caller keeps how far it got.
        """
        self.learn_between(Retrospect(history, season), since=since, now=len(history.values))

    def learn_between(self, retrospect: Retrospect, *, since: int, now: int) -> None:
        """The stretches that ended in the buckets `[since, now)`."""
        season = retrospect.season
        stride = max(1, season // LOOKS)
        for index, horizon in list_horizons(season):
            first = max(LEARN_FROM * season, since - horizon + 1)
            if first + horizon <= now and retrospect.is_used(now):
                looks = slice(first + (now - horizon - first) % stride, now - horizon + 1, stride)
                self.lessons[index].take(retrospect.trace(horizon), looks, min(1.0, stride / horizon))

    def nearest(self, horizon: int, season: int) -> Lessons:
        return self.lessons[place_horizon(horizon, season)]

    def fade(self, factor: float) -> None:
        """Let everything learnt so far count for `factor` of what it did."""
        for each in self.lessons:
            each.fade(factor)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        lessons = [{name: getattr(each, name).tolist() for name in LESSON} for each in self.lessons]
        return {"version": VERSION, "lessons": lessons}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Raises ValueError where it was stored by another version of the maths."""
        if stored.get("version") != VERSION:
            raise ValueError("this calibration was stored by another version")
        return cls([Lessons(*(np.array(each[name]) for name in LESSON)) for each in stored["lessons"]])


def calibrate(histories: Iterable[Series], *, season: int) -> Calibration:
    """Learn from the whole past of each series."""
    calibration = Calibration()
    for history in histories:
        calibration.learn(history, season=season)
    return calibration


def place_horizon(horizon: int, season: int) -> int:
    """Which lessons a horizon belongs to."""
    return min(max(round(2 * log2(horizon / season)), SHORTEST), LONGEST) - SHORTEST


def list_horizons(season: int) -> Iterator[tuple[int, int]]:
    """The places and the horizon in buckets at which each learns; places that fall between two buckets have none."""
    for power in range(SHORTEST, LONGEST + 1):
        horizon = max(1, round(season * 2.0 ** (power / 2)))
        if place_horizon(horizon, season) == power - SHORTEST:
            yield power - SHORTEST, horizon


def count_errors(errors: Floats) -> Floats:
    """A histogram over `EDGES`; what lies beyond is put in the outermost bins."""
    places = (np.arcsinh(np.clip(errors, -1e9, 1e9)) - EDGES[0]) / WIDTH
    return np.bincount(np.clip(places.astype(np.int64), 0, BINS - 1), minlength=BINS).astype(np.float64)


def read_beyond(errors: Floats) -> Floats:
    """The share of errors above each edge, the prior shape mixed in."""
    above = np.concatenate((np.cumsum(errors[::-1])[::-1], [0.0]))
    return np.asarray((above + PRIOR * PRIOR_BEYOND) / (above[0] + PRIOR))
