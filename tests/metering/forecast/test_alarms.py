"""From hours of usage to the alarm of a forecast, and its end, with nothing in between left out."""

from datetime import datetime
from decimal import Decimal

import pytest

from metering.calendars import DAY, HOUR
from metering.forecast import forecast_moved_limits, read_latest_forecasts
from metering.models import Alert, HourlyRollup, Limit
from tests.metering.forecast.makers import AT, NOVEMBER, make_limit

pytestmark = pytest.mark.django_db


@pytest.fixture
def limit() -> Limit:
    """Ten an hour since October, 4640 of 6000 used: at this pace reached after six days of ten that are left."""
    limit = make_limit(quantity=6000)
    hours = int((AT - NOVEMBER) / HOUR)
    HourlyRollup.objects.bulk_create(
        HourlyRollup(
            account_id=limit.account_id, meter_id=limit.meter_id, hour=AT - number * HOUR, event_count=10, total=10
        )
        for number in range(1, hours + 10 * 24)
    )  # fmt: skip
    Limit.objects.update(used=10 * hours)
    return limit


def move(limit: Limit, count: int, *, at: datetime) -> None:
    HourlyRollup.objects.create(
        account_id=limit.account_id, meter_id=limit.meter_id, hour=at, event_count=count, total=count
    )
    Limit.objects.filter(pk=limit.pk).update(used=Limit.objects.get(pk=limit.pk).used + count, needs_forecast=True)


def list_alarms() -> list[tuple[Decimal, str, bool]]:
    rows = Alert.objects.filter(kind="forecast").order_by("pk")
    return [(alert.level, alert.state, alert.resolved_at is None) for alert in rows]


def test_two_forecasts_in_a_row_raise_one_alarm(limit):
    forecast_moved_limits(at=AT)
    assert read_latest_forecasts([limit.pk])[limit.pk].p_hit >= Decimal("0.8")
    assert list_alarms() == []
    move(limit, 10, at=AT)
    forecast_moved_limits(at=AT + HOUR)
    assert list_alarms() == [(100, "told", True)]
    move(limit, 10, at=AT + HOUR)
    assert forecast_moved_limits(at=AT + 2 * HOUR) == 1
    assert list_alarms() == [(100, "told", True)]


def test_time_that_passes_without_usage_clears_it(limit):
    forecast_moved_limits(at=AT)
    move(limit, 10, at=AT)
    forecast_moved_limits(at=AT + HOUR)
    made = [forecast_moved_limits(at=AT + HOUR + days * DAY) for days in range(1, 7)]
    assert made[0] == 1
    assert list_alarms() == [(100, "told", False)]
    assert made[-1] == 0  # what is cleared is looked at no more


def test_who_learns_alarms_nobody(limit):
    HourlyRollup.objects.filter(hour__lt=AT - 3 * DAY).delete()
    forecast_moved_limits(at=AT)
    move(limit, 900, at=AT)
    forecast_moved_limits(at=AT + HOUR)
    assert read_latest_forecasts([limit.pk])[limit.pk].is_learning
    assert list_alarms() == []
