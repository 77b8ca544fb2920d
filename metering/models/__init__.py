"""Fields, constraints and small properties; what happens to them is in the modules named after them."""

from metering.models.accounts import Account, Alias, ApiKey, TokenBucket, validate_account_key
from metering.models.alerts import (
    Alert,
    AlertCause,
    AlertKind,
    AlertLevel,
    AlertRule,
    AlertState,
    Digest,
    Direction,
    LevelUnit,
    Outcome,
    Recovery,
    RuleSet,
    Severity,
    Silence,
    Snooze,
)
from metering.models.digits import QUANTITY, TOTAL, Digits
from metering.models.events import (
    Adjustment,
    AdjustmentCause,
    Claim,
    Correction,
    CorrectionKind,
    Event,
    HourlyRollup,
    Pruning,
    ValueRollup,
)
from metering.models.forecasts import Forecast, ForecastCalibration
from metering.models.imports import RejectedLine, UsageImport
from metering.models.limits import Limit
from metering.models.meters import Aggregation, Backfill, Catalogue, Meter, MeterVersion, Rounding
from metering.models.refusals import IngestionFigure, RejectedEvent
from metering.models.reservations import Reservation, ReservationState

__all__ = [
    "QUANTITY",
    "TOTAL",
    "Account",
    "Adjustment",
    "AdjustmentCause",
    "Aggregation",
    "Alert",
    "AlertCause",
    "AlertKind",
    "AlertLevel",
    "AlertRule",
    "AlertState",
    "Alias",
    "ApiKey",
    "Backfill",
    "Catalogue",
    "Claim",
    "Correction",
    "CorrectionKind",
    "Digest",
    "Digits",
    "Direction",
    "Event",
    "Forecast",
    "ForecastCalibration",
    "HourlyRollup",
    "IngestionFigure",
    "LevelUnit",
    "Limit",
    "Meter",
    "MeterVersion",
    "Outcome",
    "Pruning",
    "Recovery",
    "RejectedEvent",
    "RejectedLine",
    "Reservation",
    "ReservationState",
    "Rounding",
    "RuleSet",
    "Severity",
    "Silence",
    "Snooze",
    "TokenBucket",
    "UsageImport",
    "ValueRollup",
    "validate_account_key",
]
