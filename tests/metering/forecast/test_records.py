from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from metering.forecast import read_forecasts, read_latest_forecasts, record_forecast
from metering.forecast.records import record_forecasts
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.models import Forecast, Limit
from tests.metering.forecast.makers import AT, DECEMBER, NOVEMBER, expect, make_limit

pytestmark = pytest.mark.django_db


def test_a_chance_alone_is_enough_and_the_limit_gives_the_rest():
    limit = make_limit(used=30)
    assert record_forecast(limit.pk, expect("0.85", days=12), at=AT)
    fact = read_latest_forecasts([limit.pk])[limit.pk]
    assert (fact.p_hit, fact.days_of_data, fact.made_at, fact.epoch) == (Decimal("0.85"), 12, AT, 1)
    assert (fact.used, fact.quantity, fact.total_low, fact.total_high, fact.run_rate_total) == (30, 1000, 30, 30, 30)
    assert (fact.meter_key, fact.unit, fact.start, fact.end, fact.hit_mid) == (
        "requests", "request", NOVEMBER, DECEMBER, None,
    )  # fmt: skip


def test_a_second_forecast_of_the_same_moment_is_not_recorded():
    limit = make_limit()
    assert record_forecast(limit.pk, expect("0.5"), at=AT)
    assert not record_forecast(limit.pk, expect("0.9"), at=AT)
    assert [fact.p_hit for fact in read_forecasts(limit.pk)] == [Decimal("0.5")]


def test_the_latest_is_that_of_the_limit_as_it_is_now():
    limit, other = make_limit(), make_limit("umbra", meter_id=Limit.objects.get().meter_id)
    for hours, chance in ((0, "0.1"), (2, "0.3"), (1, "0.2")):
        record_forecast(limit.pk, expect(chance), at=AT + timedelta(hours=hours))
    assert {key: fact.p_hit for key, fact in read_latest_forecasts([limit.pk, other.pk]).items()} == {
        limit.pk: Decimal("0.3")
    }
    terms = LimitTerms(meter_id=limit.meter_id, quantity=Decimal(2000), is_hard=False)
    hand_over_limits(account_ids=[limit.account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=AT)
    assert read_latest_forecasts([limit.pk]) == {}
    assert [fact.p_hit for fact in read_forecasts(limit.pk)] == [Decimal("0.3"), Decimal("0.2"), Decimal("0.1")]


def test_latest_forecasts_of_many_limits_cost_one_statement(django_assert_num_queries):
    first = make_limit()
    limits = [first, *(make_limit(key, meter_id=first.meter_id) for key in ("umbra", "delta"))]
    record_forecasts({limit.pk: expect() for limit in limits}, at=AT)
    with django_assert_num_queries(1):
        assert len(read_latest_forecasts([limit.pk for limit in limits])) == 3


@pytest.mark.parametrize("count", [1, 3])
def test_recording_many_costs_six_statements(count, django_assert_num_queries):
    first = make_limit()
    limits = [first, *(make_limit(key, meter_id=first.meter_id) for key in ("umbra", "delta"))][:count]
    with django_assert_num_queries(8):  # the savepoint's two with them
        assert record_forecasts({limit.pk: expect() for limit in limits}, at=AT) == [limit.pk for limit in limits]


def test_what_was_worked_out_for_another_epoch_is_not_recorded():
    limit = make_limit()
    assert not record_forecast(limit.pk, expect(epoch=2), at=AT)
    assert record_forecast(limit.pk, expect(epoch=1), at=AT)


def test_a_closed_window_gets_no_forecast_any_more():
    limit = make_limit()
    close_window(account_id=limit.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    assert not record_forecast(limit.pk, expect(), at=DECEMBER)
    assert not Forecast.objects.exists()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("forecast_one_per_moment", {}),
        ("forecast_totals_in_order", {"made_at": NOVEMBER, "total_low": 5, "total_mid": 4, "total_high": 6}),
        ("forecast_dates_in_order", {"made_at": NOVEMBER, "hit_low": AT, "hit_mid": None, "hit_high": DECEMBER}),
        ("forecast_dates_in_order", {"made_at": NOVEMBER, "hit_low": DECEMBER, "hit_mid": AT, "hit_high": DECEMBER}),
        ("forecast_chance_is_one", {"made_at": NOVEMBER, "p_hit": "1.001"}),
    ],
)
def test_the_database_refuses(name, columns):
    limit = make_limit()
    record_forecast(limit.pk, expect(), at=AT)
    row = Forecast.objects.get()
    row.pk = None
    for column, value in columns.items():
        setattr(row, column, value)
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        row.save(force_insert=True)


def test_how_many_days_are_left_to_learn():
    limit = make_limit(used=3)
    record_forecast(limit.pk, expect(days=0, is_learning=True), at=AT)
    record_forecast(limit.pk, expect(days=6, is_learning=True), at=AT + timedelta(hours=1))
    record_forecast(limit.pk, expect(days=7), at=AT + timedelta(hours=2))
    assert [fact.days_to_learn for fact in read_forecasts(limit.pk)] == [0, 1, 7]
