from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import subscriptions
from billing.anomalies import KIND, look_at_hour, promise_look
from billing.plans import PlanTerms
from billing.rating import per_unit
from jobs.models import Job
from jobs.queue import JobContext
from metering.alerts import AlertFact, list_alerts
from metering.ingest import UsageEvent, ingest_events
from metering.invariants import check
from metering.notices.words import word_alert
from tests.billing.makers import make_plan, make_subscription

pytestmark = pytest.mark.django_db

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
NOW = datetime(2026, 3, 11, 14, tzinfo=UTC)  # a Wednesday in mid-month
FIRST = NOW - 6 * WEEK


def cents_for_bytes() -> PlanTerms:
    return make_plan(prices=[per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.01"))])


def live_through(size_of: Callable[[datetime], int], *, until: datetime = NOW, since: datetime = FIRST) -> None:
    """One request an hour of acme, sent week by week."""
    moments = [since + number * HOUR for number in range((until - since) // HOUR + 1)]
    for start in range(0, len(moments), 168):
        batch = moments[start : start + 168]
        events = [
            UsageEvent("test", each.isoformat(), "web.request", "acme", each, {"bytes": size_of(each)})
            for each in batch
            if size_of(each)
        ]
        ingest_events(events, at=batch[-1] + HOUR)


def look(hour: datetime = NOW) -> None:
    at = hour + HOUR + timedelta(minutes=15)
    subscriptions.open_next_periods(at)
    look_at_hour(JobContext(id=1, kind=KIND, key=hour.isoformat(), payload={}, attempt=1, at=at))


def told(account_id: int) -> list[AlertFact]:
    return [alert for alert in list_alerts([account_id]) if (alert.kind, alert.meter_key) == ("anomaly", "bandwidth")]


def usual(moment: datetime) -> int:
    return 100 if 8 <= moment.hour < 18 else 10


@pytest.fixture
def account_id() -> int:
    return make_subscription(plan=cents_for_bytes(), started_at=FIRST.replace(day=1, hour=0)).account_id


def test_an_hour_far_above_alerts_once_with_what_it_costs(account_id):
    live_through(lambda moment: 900 if moment == NOW else usual(moment))

    look()
    look()

    [alert] = told(account_id)
    assert (alert.subject, alert.level, alert.severity, alert.used) == ("spike", 10, "critical", Decimal("53.33"))
    assert alert.details == {
        "from": "2026-03-11T14:00:00+00:00",
        "until": "2026-03-11T15:00:00+00:00",
        "actual": "900.000000000000",
        "expected": "100.000000000000",
        "cost": "8.00",
        "currency": "EUR",
    }
    assert list(check()) == []


def test_its_words_tell_what_was_usual_and_what_it_costs(account_id):
    live_through(lambda moment: 900 if moment == NOW else usual(moment))
    look()
    words = word_alert(told(account_id)[0], language="en")
    assert words.title == "Bandwidth: a spike in usage"
    assert words.sentence == (
        "900 bytes from 11 March 2026, 14:00 to 11 March 2026, 15:00, where about 100 bytes is usual at this"
        " weekday and hour. That costs about €8.00 more than usual."
    )


def test_a_silent_day_alerts_as_a_drop_and_is_over_when_usage_comes_back(account_id):
    silence = NOW - 24 * HOUR
    live_through(lambda moment: usual(moment) if moment <= silence else 0)
    look()
    [alert] = told(account_id)
    assert (alert.subject, alert.severity, alert.resolved_at) == ("drop", "warning", None)
    assert alert.details["cost"] == "-11.40"

    live_through(usual, since=NOW + HOUR, until=NOW + 24 * HOUR)
    look(NOW + 24 * HOUR)
    [alert] = told(account_id)
    assert alert.recovery == "fell"
    assert list(check()) == []


def test_a_months_end_that_came_before_is_no_anomaly(account_id):
    ends = {datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)}
    live_through(lambda moment: 900 if moment in ends else usual(moment), until=max(ends))
    look(max(ends))
    assert told(account_id) == []


def test_an_hour_is_promised_once_and_only_when_it_is_settled(account_id):
    assert promise_look(at=NOW + HOUR + timedelta(minutes=10))
    assert not promise_look(at=NOW + HOUR + timedelta(minutes=40))
    assert [job.key for job in Job.objects.filter(kind=KIND)] == [NOW.isoformat()]
    assert promise_look(at=NOW + 2 * HOUR + timedelta(minutes=10))
