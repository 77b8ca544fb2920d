import numpy as np
import pytest

from metering.calendars import DAY, HOUR
from metering.forecast import calibrations
from metering.forecast.calibrations import read_calibrations, recalibrate
from metering.meters import create_meter
from metering.models import ForecastCalibration, HourlyRollup, Limit
from tests.metering.forecast.makers import AT, make_limit
from tests.metering.makers import make_meter

pytestmark = pytest.mark.django_db


def fill_hours(limit: Limit, *, days: int = 10) -> None:
    """Rollups as ingestion leaves them: busy days and quiet nights, each account a little different."""
    hours = [AT - HOUR * number for number in range(1, days * 24 + 1)]
    HourlyRollup.objects.bulk_create(
        HourlyRollup(
            account_id=limit.account_id, meter_id=limit.meter_id, hour=hour, event_count=1,
            total=1 + (9 <= hour.hour < 17) * (5 + (hour.day * limit.pk) % 4),
        )
        for hour in hours
    )  # fmt: skip
    Limit.objects.filter(pk=limit.pk).update(used=1)


def make_histories(count: int, *, meter_key: str = "requests") -> int:
    meter = make_meter(meter_key, at=AT)
    for number in range(count):
        fill_hours(make_limit(f"{meter_key}-{number}", meter_id=meter.id))
    return meter.id


def test_each_meter_and_all_together_are_learnt_from_what_was_used():
    calls = make_histories(2)
    assert recalibrate(at=AT) == 1
    of_meter, over_all = ForecastCalibration.objects.order_by("meter")
    assert (of_meter.meter_id, of_meter.series_count, of_meter.made_at) == (calls, 2, AT)
    assert (over_all.meter_id, over_all.series_count) == (None, 2)
    assert sum(sum(lesson["errors"]) for lesson in of_meter.data["hour"]["lessons"]) > 100


def test_the_same_usage_teaches_the_same_again():
    make_histories(2)
    recalibrate(at=AT)
    first = [row.data for row in ForecastCalibration.objects.order_by("meter")]
    recalibrate(at=AT)
    assert [row.data for row in ForecastCalibration.objects.order_by("meter")] == first


def test_a_meter_with_few_histories_goes_by_what_all_taught(monkeypatch):
    calls = make_histories(2)
    recalibrate(at=AT)
    few = read_calibrations([calls])
    assert few.find(calls, HOUR) is few.find(calls + 1, HOUR)
    monkeypatch.setattr(calibrations, "ENOUGH", 2)
    own = read_calibrations([calls])
    assert own.find(calls, HOUR) is not own.find(calls + 1, HOUR)
    assert own.find(calls, DAY) is not own.find(calls, HOUR)


def test_before_the_first_night_there_is_none():
    assert read_calibrations([1]).find(1, HOUR) is None


def test_what_another_version_of_the_maths_stored_is_passed_over():
    make_histories(1)
    recalibrate(at=AT)
    ForecastCalibration.objects.update(data={"hour": {"version": 0, "lessons": []}, "day": {}})
    assert read_calibrations([]).find(1, HOUR) is None


def test_the_work_is_bounded(monkeypatch):
    monkeypatch.setattr(calibrations, "FROM_EACH", 1)
    monkeypatch.setattr(calibrations, "MOST_METERS", 1)
    often = make_histories(2)
    make_histories(1, meter_key="bytes")
    assert recalibrate(at=AT) == 1
    assert ForecastCalibration.objects.get(meter=often).series_count == 1


def test_levels_are_left_out():
    calls = make_histories(1)
    level = create_meter(
        key="size", name="Size", event_type="size", aggregation="max", value="bytes", unit="byte", at=AT
    )
    fill_hours(make_limit("umbra", meter_id=level.id))
    assert [each for each, _ in calibrations.draw_accounts(at=AT)] == [calls]


def test_windows_that_are_over_teach_through_their_accounts_next_ones_alone():
    make_histories(1)
    assert list(calibrations.draw_accounts(at=AT + 30 * DAY)) == []


def test_a_forecast_learns_from_no_hour_that_is_not_over():
    make_histories(1)
    [(_, [asked])] = calibrations.draw_accounts(at=AT + HOUR / 2)
    history = calibrations.read_histories({1: asked})[1]
    series = calibrations.take_series(history, HOUR)
    assert (series.end, len(series.values)) == (AT, 240)
    assert np.isfinite(series.values).all()
