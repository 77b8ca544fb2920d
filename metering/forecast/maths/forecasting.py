"""The forecast of one limit: probability, date and total, with their ranges and a reason."""

from dataclasses import dataclass
from typing import Literal

from metering.forecast.maths.calibration import Calibration
from metering.forecast.maths.outlook import HIGH, LOW, MID, Outlook, look_ahead, look_at_level
from metering.forecast.maths.reasons import Reason, find_reason
from metering.forecast.maths.series import DAY, Series

Kind = Literal["flow", "level"]

LEARNING_DAYS = 7


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is told about one limit. Ranges hold with a probability of 80 %.

    `hit_low`, `hit_mid`, `hit_high`: after how many more buckets the limit is reached, given that it is before it
    resets; 0 where it is reached already, None where that is unlikely. `total_*`: the total at close, for a level its
    value at close. `run_rate_total` is what the pace so far would come to. `p_hit` is 0 without a limit.
    """

    p_hit: float
    hit_low: int | None
    hit_mid: int | None
    hit_high: int | None
    total_low: float
    total_mid: float
    total_high: float
    run_rate_total: float
    days_of_data: float
    is_learning: bool
    reason: Reason


def forecast_usage(
    history: Series,
    *,
    used: float,
    limit: float | None,
    remaining: int,
    season: int,
    kind: Kind = "flow",
    calibration: Calibration | None = None,
    elapsed: int | None = None,
) -> Forecast:
    """Forecast one account's meter against one limit.

    `remaining` is how many buckets are left until the limit resets, `season` how many make a day (of hours) or a week
    (of days), `elapsed` how many the period has had; without it the run rate is that of the whole history. With less
    than seven days of data `is_learning` is set: ask `forecast_by_cohort` then. Raises ValueError where `remaining` or
    `season` cannot be.
    """
    if remaining < 0 or season < 1:
        raise ValueError("remaining must not be negative, and a season has at least one bucket")
    if kind == "level":
        outlook = look_at_level(history, remaining=remaining, season=season)
    else:
        outlook = look_ahead(history, remaining=remaining, season=season, calibration=calibration)
    reached = outlook.reach(limit - used) if limit is not None else None
    low, mid, high = reached or (None, None, None)
    is_learning = history.days < LEARNING_DAYS
    return Forecast(
        p_hit=outlook.probability(limit - used) if limit is not None else 0.0,
        hit_low=low,
        hit_mid=mid,
        hit_high=high,
        total_low=close_at(outlook, used, LOW, kind),
        total_mid=close_at(outlook, used, MID, kind),
        total_high=close_at(outlook, used, HIGH, kind),
        run_rate_total=used if kind == "level" else run_on(history, used, remaining, elapsed),
        days_of_data=history.days,
        is_learning=is_learning,
        reason=explain(history, outlook, used=used, limit=limit, is_learning=is_learning, kind=kind),
    )


def close_at(outlook: Outlook, used: float, share: float, kind: Kind) -> float:
    """A total at close that is not exceeded with this chance. What flowed does not flow back; no level is negative."""
    change = outlook.close.quantile(share)
    return used + max(0.0, change) if kind == "flow" else max(0.0, used + change)


def run_on(history: Series, used: float, remaining: int, elapsed: int | None) -> float:
    """The total at close if the pace stays what it was in the period so far, or else in the whole history."""
    if elapsed:
        return used + used / elapsed * remaining
    return used + (float(history.values.mean()) * remaining if len(history.values) else 0.0)


def explain(
    history: Series, outlook: Outlook, *, used: float, limit: float | None, is_learning: bool, kind: Kind
) -> Reason:
    if limit is not None and used >= limit:
        return Reason("already_reached")
    if is_learning:
        return Reason("learning")
    ahead = None
    if kind == "flow" and outlook.remaining:
        ahead = outlook.close.middle / outlook.remaining * (DAY / history.step)
    return find_reason(history, ahead=ahead)
