from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from metering.alerts import list_alerts, observe_forecasts
from metering.forecast import Expectation, record_forecast
from metering.models import Limit
from tests.metering.alerts.story import NOON, Story, day

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(db) -> Story:
    story = Story()
    story.limit(day(1, 0), "100")
    return story


def expect(at: datetime, p_hit: str, **more) -> list[int]:
    limit_id = Limit.objects.get().pk
    record_forecast(limit_id, Expectation(p_hit=Decimal(p_hit), days_of_data=Decimal(20), **more), at=at)
    return observe_forecasts([limit_id], at=at)


def test_two_forecasts_in_a_row_raise_one_alarm_with_its_dates(story):
    assert expect(day(8), "0.85") == []
    dates = {"hit_low": day(25), "hit_mid": day(26), "hit_high": day(28)}
    assert len(expect(day(9), "0.88", **dates)) == 1
    assert expect(day(10), "0.91") == []
    [fact] = list_alerts([story.account_id])
    assert (fact.kind, fact.level, fact.p_hit, fact.quantity) == ("forecast", 100, Decimal("0.880"), 100)
    assert fact.details["hit_mid"] == day(26).isoformat()


def test_observing_the_same_forecasts_again_changes_nothing(story):
    expect(day(8), "0.9")
    expect(day(9), "0.9")
    assert observe_forecasts([Limit.objects.get().pk], at=day(9, 11)) == []
    assert len(list_alerts([story.account_id])) == 1


def test_an_alarm_is_cleared_by_two_forecasts_that_no_longer_expect_it(story):
    for number, p_hit in [(8, "0.9"), (9, "0.9"), (10, "0.5"), (11, "0.6"), (12, "0.5"), (13, "0.2")]:
        expect(day(number), p_hit)
    assert story.resolved() == [(day(13), 100, "forecast_fell")]


def test_forecasts_of_another_limit_do_not_count(story):
    expect(day(8), "0.9")
    story.limit(day(8, 12), "90")
    assert expect(day(9), "0.9") == []
    assert len(expect(day(10), "0.9")) == 1


def test_a_raise_ends_the_alarm_at_the_next_check(story):
    expect(day(8), "0.9")
    expect(day(9), "0.9")
    story.limit(day(9, 12), "300")
    assert story.resolved() == [(day(9, 12), 100, "limit_changed")]


def test_many_limits_are_observed_in_as_many_statements_as_one(story, django_assert_max_num_queries):
    with django_assert_max_num_queries(13):
        observe_forecasts([Limit.objects.get().pk] * 50, at=NOON + timedelta(days=1))


def test_an_alert_of_usage_says_what_was_expected_then(story):
    expect(day(8), "0.35")
    story.use(day(9), "85")
    assert list_alerts([story.account_id])[0].p_hit == Decimal("0.350")
