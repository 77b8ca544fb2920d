"""An alert that never was, for tests: as it would be for the limit that an account has first."""

from datetime import datetime, timedelta
from decimal import Decimal

from metering.alerts.facts import AlertFact
from metering.limits import read_limits
from metering.quantities import EXACT

LEVEL = Decimal(80)
SAMPLE_LIMIT = Decimal(1000)
SAMPLE_WINDOW = timedelta(days=30)


def make_sample(account_id: int | None, *, time_zone: str = "UTC", at: datetime) -> AlertFact:
    """Eighty percent of the account's first limit; of a thousand requests where it has none, or nobody is meant."""
    limits = read_limits(account_id=account_id, at=at) if account_id is not None else []
    limit = next((each for each in limits if each.quantity), None)
    quantity = SAMPLE_LIMIT if limit is None or limit.quantity is None else limit.quantity
    return AlertFact(
        id=0,
        account_id=account_id or 0,
        meter_id=limit.meter_id if limit else None,
        meter_key=limit.meter_key if limit else "requests",
        meter_name=limit.meter_name if limit else "Requests",
        unit=limit.unit if limit else "request",
        level=LEVEL,
        used=EXACT.divide(EXACT.multiply(quantity, LEVEL), Decimal(100)),
        quantity=quantity,
        start=limit.start if limit else at - SAMPLE_WINDOW,
        end=limit.resets_at if limit else at + SAMPLE_WINDOW,
        crossed_at=at,
        detected_at=at,
        time_zone=time_zone,
    )
