"""The report of a back-test: every rule over all windows, and over those of each series."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metering.forecast.backtest.replaying import replay
from metering.forecast.backtest.scoring import Score, score_rules
from metering.forecast.backtest.settings import BacktestRefused, Settings
from metering.forecast.backtest.windows import Entrant


@dataclass(frozen=True, slots=True)
class Report:
    settings: dict[str, Any]
    series: int
    rules: dict[str, Score]
    per_series: dict[str, dict[str, Score]]


def judge_series(entrants: Sequence[Entrant], settings: Settings) -> Report:
    """Raises BacktestRefused where no series is long enough for a single window."""
    result = replay(entrants, settings)
    if not result.outcomes:
        needed = settings.history + settings.period
        raise BacktestRefused(f"no series is long enough: a window needs {needed} buckets, and usage before it")
    names = sorted({each.series for each in result.outcomes})
    return Report(
        settings={
            "bucket_seconds": settings.bucket.total_seconds(),
            "season": settings.season,
            "period": settings.period,
            "history": settings.history,
            "step": settings.step,
            "limits": list(settings.limits),
        },
        series=len(entrants),
        rules=score_rules(result.outcomes, seconds=result.seconds),
        per_series={name: score_rules([each for each in result.outcomes if each.series == name]) for name in names},
    )
