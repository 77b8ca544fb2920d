"""What a forecast says, as others get to see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from metering.forecast.band import BandPoint, draw_band
from metering.models import Forecast

LEARNING_DAYS = Decimal(7)  # with less data nothing alarms


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a limit's window, to be put on record.

    `used` and `epoch` are those it was worked out for; without them the limit's own hold. Totals are what the window
    reads at its close, and `used` without one. `p_hit` (0 to 1) is None where there is no limit. The range of dates is
    known as a whole or not at all; of a limit that is reached already there is none.
    """

    p_hit: Decimal | None
    days_of_data: Decimal
    used: Decimal | None = None
    epoch: int | None = None
    is_learning: bool = False
    hit_low: datetime | None = None
    hit_mid: datetime | None = None
    hit_high: datetime | None = None
    total_low: Decimal | None = None
    total_mid: Decimal | None = None
    total_high: Decimal | None = None
    run_rate_total: Decimal | None = None
    reason: str = ""
    reason_params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForecastFact:
    """One forecast of a limit's window [start, end): a row as it was written, and what names its limit.

    `used` and `quantity` as seen then. Dates lie between `hit_low` and `hit_high`, totals at close between `total_low`
    and `total_high`, in 80 of 100 cases.
    """

    id: int
    limit_id: int
    account_id: int
    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    plan: str
    time_zone: str
    start: datetime
    end: datetime
    epoch: int
    made_at: datetime
    used: Decimal
    quantity: Decimal | None
    is_learning: bool
    days_of_data: Decimal
    p_hit: Decimal | None
    hit_low: datetime | None
    hit_mid: datetime | None
    hit_high: datetime | None
    total_low: Decimal
    total_mid: Decimal
    total_high: Decimal
    run_rate_total: Decimal
    reason: str
    reason_params: Mapping[str, object]
    was_reached: bool | None
    reached_at: datetime | None
    closing_total: Decimal | None
    graded_at: datetime | None
    band: tuple[BandPoint, ...]

    @property
    def days_to_learn(self) -> int:
        """Whole days of data, at least one, that are missing before it may alarm; 0 when it has learnt."""
        if not self.is_learning:
            return 0
        return max(int((LEARNING_DAYS - self.days_of_data).to_integral_value("ROUND_CEILING")), 1)

    @property
    def is_reached(self) -> bool:
        """Whether the limit was reached already when this was made."""
        return self.quantity is not None and self.used > 0 and self.used >= self.quantity


def state_forecast(row: Forecast) -> ForecastFact:
    """Wants the limit and the meter beside the row, or asks for them."""
    limit, meter = row.limit, row.meter
    return ForecastFact(
        id=row.pk,
        limit_id=row.limit_id,
        account_id=row.account_id,
        meter_id=row.meter_id,
        meter_key=meter.key,
        meter_name=meter.name,
        unit=meter.unit,
        plan=limit.plan,
        time_zone=limit.time_zone,
        start=limit.starts_at,
        end=limit.ends_at,
        epoch=row.epoch,
        made_at=row.made_at,
        used=row.used,
        quantity=row.quantity,
        is_learning=row.is_learning,
        days_of_data=row.days_of_data,
        p_hit=row.p_hit,
        hit_low=row.hit_low,
        hit_mid=row.hit_mid,
        hit_high=row.hit_high,
        total_low=row.total_low,
        total_mid=row.total_mid,
        total_high=row.total_high,
        run_rate_total=row.run_rate_total,
        reason=row.reason,
        reason_params=row.reason_params,
        was_reached=row.was_reached,
        reached_at=row.reached_at,
        closing_total=row.closing_total,
        graded_at=row.graded_at,
        band=draw_band(
            start=row.made_at,
            end=limit.ends_at,
            used=row.used,
            quantity=row.quantity,
            low=(row.total_low, row.hit_high),
            mid=(row.total_mid, row.hit_mid),
            high=(row.total_high, row.hit_low),
        ),
    )
