"""A series: what was used in each bucket of time, up to now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Buckets of one length. `values[i]` is what fell into `[start + i * step, start + (i + 1) * step)`.

    The last bucket ends now. Raises ValueError where a value is not finite or the step is not positive.
    """

    start: datetime
    step: timedelta
    values: Floats

    def __post_init__(self) -> None:
        if self.step <= timedelta(0):
            raise ValueError("the step of a series must be positive")
        if self.values.ndim != 1 or not np.isfinite(self.values).all():
            raise ValueError("a series is one row of finite numbers")

    @property
    def end(self) -> datetime:
        return self.at(len(self.values))

    @property
    def days(self) -> float:
        """How much time it covers."""
        return len(self.values) * (self.step / DAY)

    def at(self, index: int) -> datetime:
        """When the bucket begins."""
        return self.start + index * self.step

    def until(self, index: int) -> "Series":
        """What was known when the bucket began."""
        return Series(self.start, self.step, self.values[:index])

    def since(self, index: int) -> "Series":
        return Series(self.at(index), self.step, self.values[index:])
