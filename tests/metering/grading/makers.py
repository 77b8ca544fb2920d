"""A window that ends on 1 December 2026, usage in it, and what was said of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import create_meter
from metering.models import Account, Alert, AlertRule, AlertState, Forecast, Limit, Meter
from tests.metering.makers import make_account, make_events, make_meter

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AFTER = DECEMBER + timedelta(hours=2)
MADE = 9  # the arming of alerts that a test made itself


def day(number: int, hour: float = 10) -> datetime:
    return NOVEMBER + timedelta(days=number - 1, hours=hour)


def make_window(
    account: str = "acme", meter: str = "requests", *, quantity: str | None = "100", meter_id: int | None = None
) -> Limit:
    """November of one account and meter; what counts events where no other is named."""
    found = Account.objects.filter(key=account).first()
    account_id = found.pk if found else make_account(account, at=NOVEMBER).id
    if meter_id is None:
        known = Meter.objects.filter(key=meter).first()
        meter_id = known.pk if known else make_meter(meter, event_type=meter, at=NOVEMBER).id
    terms = LimitTerms(meter_id, None if quantity is None else Decimal(quantity), is_hard=False)
    hand_over_limits(account_ids=[account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOVEMBER)
    return Limit.objects.get(account_id=account_id, meter_id=meter_id)


def make_level(key: str = "storage") -> int:
    """A meter of a level: its latest value, which may fall again."""
    return create_meter(
        key=key, name=key.title(), event_type=key, aggregation="latest", value="amount", unit="GB", at=NOVEMBER
    ).id


def use(limit: Limit, count: int, *, at: datetime, **data: Any) -> None:
    """So many events at one time."""
    name, meter = limit.account.key, limit.meter.key
    make_events(count, subject=name, type=meter, time=at, source=f"{name} {meter} {at} {data}", at=at, **data)


def close(limit: Limit, *, at: datetime = AFTER) -> None:
    close_window(account_id=limit.account_id, start=limit.starts_at, end=limit.ends_at, at=at)


def make_alert(limit: Limit, *, at: datetime, **values: Any) -> Alert:
    """Told at 80 %, unless said otherwise; beside those that usage itself made."""
    values = {
        "arming": MADE,
        "rule": AlertRule.objects.get(rule_set__is_live=True, kind=values.get("kind", "usage")),
        "epoch": limit.epoch,
        "level": Decimal(80),
        "used": Decimal(80),
        "quantity": limit.quantity,
        "state": AlertState.TOLD,
        **values,
    }
    return Alert.objects.create(
        account_id=limit.account_id, meter_id=limit.meter_id, limit=limit, starts_at=limit.starts_at,
        ends_at=limit.ends_at, crossed_at=at, detected_at=at, **values,
    )  # fmt: skip


def make_forecast(limit: Limit, *, at: datetime, **values: Any) -> Forecast:
    values = {
        "epoch": limit.epoch,
        "used": Decimal(0),
        "quantity": limit.quantity,
        "days_of_data": Decimal(30),
        "p_hit": Decimal("0.9"),
        "total_low": Decimal(80),
        "total_mid": Decimal(105),
        "total_high": Decimal(130),
        "run_rate_total": Decimal(90),
        **values,
    }
    return Forecast.objects.create(
        limit=limit, account_id=limit.account_id, meter_id=limit.meter_id, made_at=at, **values
    )
