"""The rules that are compared. Each looks once before every bucket of a window, until the limit is reached.

A rule that has not spoken by then has missed: to say that a limit is reached once it is forecasts nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from metering.forecast.backtest.windows import Window

RULES = ("actual_80", "run_rate", "p80_twice", "p90_twice")
ACTUAL_SHARE = 0.8
THRESHOLDS = {"p80_twice": 0.8, "p90_twice": 0.9}
RUNS = 2  # in a row


@dataclass(frozen=True, slots=True)
class Firing:
    """After how many buckets a rule spoke, and after how many it said that the limit would be reached."""

    at: int
    expects: float


@dataclass(slots=True)
class Watch:
    """One window under all rules, run after run."""

    window: Window
    firings: dict[str, Firing] = field(default_factory=dict)
    in_a_row: dict[str, int] = field(default_factory=lambda: dict.fromkeys(THRESHOLDS, 0))

    def run_plain_rules(self, elapsed: int) -> None:
        """Those that look at usage alone; both expect it to go on at the pace of the period so far."""
        used, limit, period = float(self.window.used[elapsed]), self.window.limit, len(self.window.used) - 1
        if elapsed == 0 or used <= 0:
            return
        expects = elapsed * limit / used
        if used >= ACTUAL_SHARE * limit:
            self.firings.setdefault("actual_80", Firing(elapsed, expects))
        if used / elapsed * period >= limit:
            self.firings.setdefault("run_rate", Firing(elapsed, expects))

    def run_forecast_rules(self, elapsed: int, probability: float, find_date: Callable[[], float]) -> None:
        """`find_date` is asked only by a rule that speaks."""
        for rule, threshold in THRESHOLDS.items():
            self.in_a_row[rule] = self.in_a_row[rule] + 1 if probability >= threshold else 0
            if self.in_a_row[rule] == RUNS and rule not in self.firings:
                self.firings[rule] = Firing(elapsed, find_date())
