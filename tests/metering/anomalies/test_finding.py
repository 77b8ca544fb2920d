from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from metering.anomalies import Pair, find_anomalies, find_pairs
from metering.models import HourlyRollup
from tests.metering.makers import make_account, make_meter

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 18, 14, tzinfo=UTC)  # a Wednesday in mid-month
FIRST = NOW - timedelta(days=100)


def write_hours(value_of: Callable[[datetime], int], *, key: str = "acme", first: datetime = FIRST) -> Pair:
    """Rollups alone, hour by hour until now: nothing here reads an event."""
    pair = Pair(make_account(key).id, make_meter("requests", at=first).id if key == "acme" else 0)
    if not pair.meter_id:
        pair = pair._replace(meter_id=HourlyRollup.objects.values_list("meter_id", flat=True)[0])
    moments = [first + number * HOUR for number in range((NOW - first) // HOUR + 1)]
    HourlyRollup.objects.bulk_create(
        HourlyRollup(account_id=pair.account_id, meter_id=pair.meter_id, hour=each, event_count=1, total=value_of(each))
        for each in moments
        if value_of(each)
    )
    return pair


def usual(moment: datetime) -> int:
    return 100 if 8 <= moment.hour < 18 and moment.weekday() < 5 else 10


def test_usage_as_in_every_week_is_no_anomaly():
    pair = write_hours(usual)
    assert find_pairs(NOW) == [pair]
    assert find_anomalies([pair], NOW) == []


def test_an_hour_far_above_is_found_with_what_was_expected():
    pair = write_hours(lambda moment: 900 if moment == NOW else usual(moment))
    [anomaly] = find_anomalies([pair], NOW)
    assert (anomaly.hours, anomaly.start, anomaly.end) == (1, NOW, NOW + HOUR)
    assert (anomaly.deviation.actual, anomaly.deviation.expected, anomaly.deviation.extra) == (900, 100, 800)
    assert anomaly.deviation.score == Decimal("53.33")  # 800 over 15 % of 100


def test_a_day_without_usage_is_found_as_a_drop():
    pair = write_hours(lambda moment: 0 if moment > NOW - 24 * HOUR else usual(moment))
    [anomaly] = find_anomalies([pair], NOW)
    assert (anomaly.hours, anomaly.deviation.actual, anomaly.deviation.expected) == (24, 0, 1140)
    assert anomaly.deviation.score == Decimal("-6.67")  # all of it over 15 %


def test_who_used_something_a_week_ago_is_looked_at_though_silent_now():
    pair = write_hours(lambda moment: 0 if moment > NOW - 24 * HOUR else usual(moment))
    assert find_pairs(NOW) == [pair]


def test_the_second_week_of_a_new_level_is_none():
    pair = write_hours(lambda moment: usual(moment) * (5 if moment > NOW - timedelta(days=8) else 1))
    assert find_anomalies([pair], NOW) == []


def test_three_weeks_of_history_say_nothing():
    pair = write_hours(lambda moment: 900 if moment == NOW else usual(moment), first=NOW - timedelta(days=25))
    assert find_anomalies([pair], NOW) == []


def test_a_batch_asks_one_statement(django_assert_num_queries):
    pairs = [write_hours(usual), write_hours(usual, key="globex"), write_hours(usual, key="initech")]
    with django_assert_num_queries(1):
        find_anomalies(pairs, NOW)
