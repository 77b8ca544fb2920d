"""The forecast of an account that has too little past: how the other accounts of its plan filled their periods."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metering.forecast.maths.forecasting import Forecast
from metering.forecast.maths.outlook import HIGH, LOW, MID, UNLIKELY
from metering.forecast.maths.reasons import Reason
from metering.forecast.maths.series import Floats

TYPICAL = 0.1  # of a period's usual total: own usage beside which "like the others" counts as much


@dataclass(frozen=True, slots=True, eq=False)
class CohortProfile:
    """One whole period of one other account: its running total after each bucket."""

    running: Floats


def forecast_by_cohort(
    profiles: Sequence[CohortProfile], *, used: float, limit: float | None, elapsed: int, remaining: int, days: float
) -> Forecast | None:
    """Let each other account's period stand for one way in which this one may go on. None without any.

    What the other used after `elapsed` buckets is scaled by how this account's usage compares with the other's until
    then. A period of another length is stretched to this one's.
    """
    if not profiles:
        return None
    period = elapsed + remaining
    table = np.stack([stretch(each.running, period) for each in profiles])
    usual = TYPICAL * float(table[:, -1].mean())
    then = table[:, elapsed]
    factor = (used + usual) / np.maximum(then + usual, 1e-300)
    ahead = used + (table[:, elapsed:] - then[:, None]) * factor[:, None]
    low, mid, high = (float(each) for each in np.quantile(ahead[:, -1], (LOW, MID, HIGH)))
    chance, hits = reach_in_cohort(ahead, limit)
    reached = limit is not None and used >= limit
    return Forecast(
        p_hit=chance,
        hit_low=hits[0],
        hit_mid=hits[1],
        hit_high=hits[2],
        total_low=low,
        total_mid=mid,
        total_high=high,
        run_rate_total=used + (used / elapsed * remaining if elapsed else 0.0),
        days_of_data=days,
        is_learning=True,
        reason=Reason("already_reached") if reached else Reason("learning"),
    )


def stretch(running: Floats, period: int) -> Floats:
    """The running total at each of `period` + 1 moments, the first being nought."""
    moments = np.linspace(0.0, 1.0, period + 1)
    known = np.linspace(0.0, 1.0, len(running) + 1)
    return np.asarray(np.interp(moments, known, np.concatenate(([0.0], running))))


def reach_in_cohort(ahead: Floats, limit: float | None) -> tuple[float, tuple[int | None, int | None, int | None]]:
    """The share of ways that reach the limit, half of one more added on both sides so that few ways are never sure."""
    nowhere = (None, None, None)
    if limit is None:
        return 0.0, nowhere
    if (ahead[:, 0] >= limit).all():
        return 1.0, (0, 0, 0)
    reaches = ahead[:, -1] >= limit
    chance = (float(reaches.sum()) + 0.5) / (len(ahead) + 1.0)
    if not reaches.any() or chance < UNLIKELY:
        return chance, nowhere
    when = np.argmax(ahead[reaches] >= limit, axis=1)
    low, mid, high = (int(each) for each in np.quantile(when, (LOW, MID, HIGH), method="nearest"))
    return chance, (low, mid, high)
