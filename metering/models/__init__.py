"""Fields, constraints and small properties; what happens to them is in the modules named after them."""

from metering.models.accounts import Account, Alias, ApiKey, TokenBucket, validate_account_key
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
from metering.models.imports import RejectedLine, UsageImport
from metering.models.limits import Alert, Limit
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
    "Alias",
    "ApiKey",
    "Backfill",
    "Catalogue",
    "Claim",
    "Correction",
    "CorrectionKind",
    "Digits",
    "Event",
    "HourlyRollup",
    "IngestionFigure",
    "Limit",
    "Meter",
    "MeterVersion",
    "Pruning",
    "RejectedEvent",
    "RejectedLine",
    "Reservation",
    "ReservationState",
    "Rounding",
    "TokenBucket",
    "UsageImport",
    "ValueRollup",
    "validate_account_key",
]
