"""What a back-test is asked for."""

from dataclasses import dataclass
from datetime import timedelta


class BacktestRefused(Exception):
    """What is wrong with the series or with what was asked, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All in buckets but `bucket` itself. `limits` are factors of the total of the period before a window."""

    bucket: timedelta
    season: int
    period: int
    history: int
    step: int
    limits: tuple[float, ...]

    def __post_init__(self) -> None:
        if min(self.season, self.period, self.history, self.step) < 1 or self.bucket <= timedelta(0):
            raise BacktestRefused("bucket, season, period, history and step must be positive")
        if self.history < self.period:
            raise BacktestRefused("history must be at least a period long: limits are factors of the period before")
        if not self.limits or min(self.limits) <= 0:
            raise BacktestRefused("limits must be positive factors")

    @property
    def middle(self) -> int:
        """Buckets that have passed at mid-period."""
        return self.period // 2
