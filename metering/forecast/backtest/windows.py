"""Windows: periods of the past, each with a limit that its account would have had."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from metering.forecast.backtest.files import NamedSeries
from metering.forecast.backtest.settings import Settings
from metering.forecast.maths import Series
from metering.forecast.maths.series import Floats

TOLERANCE = 1e-9  # of the limit: sums of floats, and no more


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """`used[k]` is what was used after `k` buckets; `hit` after how many the limit was reached, if it was."""

    start: int
    limit: float
    used: Floats
    hit: int | None

    @property
    def watched(self) -> int:
        """How many runs a rule has: one before each bucket until the limit is reached."""
        return len(self.used) - 1 if self.hit is None else self.hit


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """A series and the windows in which it is looked at."""

    named: NamedSeries
    windows: list[Window]


def enter_series(named: NamedSeries, settings: Settings) -> Entrant:
    return Entrant(named, list(list_windows(named.series, settings)))


def list_windows(series: Series, settings: Settings) -> Iterator[Window]:
    """By start, then by factor. A window after a period without usage has no limit to reach and is left out."""
    running = np.concatenate(([0.0], np.cumsum(series.values)))
    for start in range(settings.history, len(series.values) - settings.period + 1, settings.step):
        before = running[start] - running[start - settings.period]
        for factor in settings.limits:
            if before > 0:
                yield open_window(start, factor * before, running[start : start + settings.period + 1] - running[start])


def open_window(start: int, limit: float, used: Floats) -> Window:
    reached = used >= limit * (1 - TOLERANCE)
    return Window(start, limit, used, int(np.argmax(reached)) if reached.any() else None)
