"""Limits and expectations for the tests of forecasts."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from metering.forecast import Expectation
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Limit
from tests.metering.makers import make_account, make_meter

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def make_limit(key: str = "acme", *, quantity: int | None = 1000, meter_id: int = 0, **columns: Any) -> Limit:
    """November's window, of the meter that counts requests unless another is given; `columns` are set as they are."""
    account_id, meter_id = make_account(key, at=NOVEMBER).id, meter_id or make_meter(at=NOVEMBER).id
    terms = LimitTerms(meter_id=meter_id, quantity=None if quantity is None else Decimal(quantity), is_hard=False)
    hand_over_limits(account_ids=[account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOVEMBER)
    limits = Limit.objects.filter(account=account_id, meter=meter_id)
    limits.update(**columns)
    return limits.get()


def expect(p_hit: str | None = "0.9", *, days: int = 28, **others: Any) -> Expectation:
    return Expectation(p_hit=None if p_hit is None else Decimal(p_hit), days_of_data=Decimal(days), **others)
