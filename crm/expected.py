"""What was expected of a limit when an alert was taken up: the latest forecast of it then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.forecast import ForecastFact, read_latest_forecasts


@dataclass(frozen=True, slots=True)
class Expected:
    """The dates and totals at close hold in 80 of 100 cases; there are no dates where it is not expected at all."""

    made_at: datetime
    chance: Decimal | None  # of reaching the limit before it resets, 0 to 1
    is_learning: bool
    hit_low: datetime | None
    hit_mid: datetime | None
    hit_high: datetime | None
    total_low: Decimal
    total_mid: Decimal
    total_high: Decimal
    reason: str
    reason_params: Mapping[str, Any]


def find_expected(limit_id: int | None) -> Expected | None:
    """The latest forecast of the limit as it is now."""
    found = read_latest_forecasts([limit_id]) if limit_id is not None else {}
    return state_expected(found[limit_id]) if limit_id in found else None


def state_expected(forecast: ForecastFact) -> Expected:
    return Expected(
        made_at=forecast.made_at,
        chance=forecast.p_hit,
        is_learning=forecast.is_learning,
        hit_low=forecast.hit_low,
        hit_mid=forecast.hit_mid,
        hit_high=forecast.hit_high,
        total_low=forecast.total_low,
        total_mid=forecast.total_mid,
        total_high=forecast.total_high,
        reason=forecast.reason,
        reason_params=dict(forecast.reason_params),
    )
