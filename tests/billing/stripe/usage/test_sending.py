from datetime import datetime, timedelta

import pytest
from django.db import connection

from billing.models import MeterEventState, StripeDrift, StripeMeterEvent
from billing.stripe.usage import pace
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.sending import CLAIM, LEASE, Sent, claim_events, promise_sending, send_usage
from jobs.models import Job
from tests.billing.makers import FEB, HOUR, JAN, use
from tests.billing.stripe.usage.makers import (
    MINUTE,
    SEEN,
    make_connected,
    read_stripe,
    send_all,
    tell_stripe,
)
from tests.billing.threads import run_together

TEN = datetime(2026, 1, 5, 10, tzinfo=JAN.tzinfo)
NOW = TEN + HOUR + SEEN
EVENTS = "/v1/billing/meter_events"


@pytest.fixture
def period(db):
    return make_connected()


@pytest.fixture
def queued(period, simulator, settings):
    """Two events of one hour, of two meters, before a simulator at that time."""
    settings.STRIPE_METER_EVENT_RATE = 1_000
    tell_stripe(simulator, period, at=NOW)
    use("acme", sizes=[100, 250], time=TEN + MINUTE)
    collect_usage(NOW)
    return StripeMeterEvent.objects.order_by("pk")


def test_what_is_queued_is_counted_by_stripe_and_marked(queued, simulator, period):
    assert send_all(NOW) == Sent(claimed=2, accepted=2)
    assert {(row.state, row.accepted_at, row.attempts, row.unsure_since) for row in queued.all()} == {
        ("accepted", NOW, 1, None)
    }
    assert read_stripe(simulator, period) == 2
    assert read_stripe(simulator, period, meter="bandwidth") == 350


@pytest.mark.parametrize("api", ["v2", "stream"])
def test_the_other_ways_bring_the_same(queued, simulator, period, settings, api):
    settings.STRIPE_METER_EVENT_API = api
    assert send_all(NOW) == Sent(claimed=2, accepted=2)
    assert read_stripe(simulator, period) == 2
    assert read_stripe(simulator, period, meter="bandwidth") == 350


def test_sending_again_sends_nothing(queued, simulator):
    send_all(NOW)
    calls = simulator.limits()["calls"]
    assert send_all(NOW) == Sent()
    assert simulator.limits()["calls"] == calls


def test_the_events_of_one_customer_and_meter_go_one_after_the_other(queued, simulator, period):
    use("acme", sizes=[1], time=TEN + 2 * MINUTE, at=NOW)
    use("acme", sizes=[1], time=TEN + HOUR, at=NOW)
    collect_usage(NOW + HOUR)
    simulator.set_time(NOW + HOUR)
    assert [len(claim_events(count=10, at=NOW + HOUR)) for _ in range(2)] == [2, 0]
    assert send_all(NOW + HOUR + LEASE) == Sent(claimed=6, accepted=6)
    assert read_stripe(simulator, period) == 4


def test_an_event_that_stripe_is_too_busy_for_goes_again(queued, simulator, period):
    simulator.fault("rate_limit", EVENTS)
    assert send_all(NOW) == Sent(claimed=2, accepted=1, again=1)
    [waiting] = queued.filter(state=MeterEventState.QUEUED)
    assert (waiting.attempts, waiting.unsure_since, waiting.due_at > NOW) == (1, None, True)
    assert send_all(NOW + MINUTE) == Sent(claimed=1, accepted=1)
    assert read_stripe(simulator, period) == 2


def test_a_failure_that_stripe_keeps_under_a_key_does_not_come_back(queued, simulator, period):
    simulator.fault("error", EVENTS, times=2)
    assert send_all(NOW) == Sent(claimed=2, again=2)
    assert {row.unsure_since for row in queued.all()} == {NOW}
    assert send_all(NOW + MINUTE) == Sent(claimed=2, accepted=2)
    assert read_stripe(simulator, period) == 2


def test_what_a_dead_worker_took_is_sent_after_its_lease_and_counted_once(queued, simulator, period):
    for claimed in claim_events(count=10, at=NOW):
        assert claimed.attempts == 1
    assert send_all(NOW + MINUTE) == Sent()
    simulator.set_time(NOW + LEASE)
    assert send_all(NOW + LEASE) == Sent(claimed=2, accepted=2)
    assert read_stripe(simulator, period) == 2


def test_a_worker_that_died_after_sending_does_not_count_twice(queued, simulator, period):
    claimed = claim_events(count=10, at=NOW)
    client = simulator.client()
    for event in claimed:
        payload = {"stripe_customer_id": event.customer_id, "value": f"{event.value:f}"}
        params = {"event_name": event.event_name, "identifier": event.identifier, "payload": payload}
        client.v1.billing.meter_events.create(params | {"timestamp": int(event.timestamp.timestamp())})
    assert send_all(NOW + LEASE) == Sent(claimed=2, accepted=2)
    assert read_stripe(simulator, period) == 2


def test_what_stripe_refuses_failed_and_staff_is_told(queued, simulator):
    client = simulator.client()
    meter = next(each for each in client.v1.billing.meters.list().data if each.event_name == "palier_requests")
    client.v1.billing.meters.deactivate(meter.id)
    assert send_all(NOW) == Sent(claimed=2, accepted=1, failed=1)
    failed = queued.get(state=MeterEventState.FAILED)
    assert "inactive" in failed.error_message
    drift = StripeDrift.objects.get()
    assert (drift.kind, drift.key) == ("usage_failed", f"{failed.period_id} {failed.meter_id}")
    assert (drift.ours, drift.account_id) == ("2", failed.account_id)


def test_nothing_is_claimed_that_was_unsure_too_long_ago(queued):
    StripeMeterEvent.objects.update(unsure_since=NOW - timedelta(hours=23))
    assert claim_events(count=10, at=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_event_once(queued, simulator, period):
    sent = run_together(*[lambda: send_all(NOW)] * 2)
    assert sum(each.accepted for each in sent) == 2
    assert simulator.limits()["calls"][f"POST {EVENTS}"] == 2
    assert simulator.limits()["violations"] == {}


@pytest.mark.django_db(transaction=True)
def test_two_claims_at_once_take_one_event_of_a_customer_and_meter(queued, period):
    use("acme", sizes=[1], time=TEN + HOUR, at=NOW)
    collect_usage(NOW + HOUR)
    claims = run_together(*[lambda: claim_events(count=2, at=NOW + HOUR)] * 2)
    assert sorted(map(len, claims)) == [0, 2]
    assert len({(each.meter_id, each.period_id) for claim in claims for each in claim}) == 2


def test_a_claim_looks_once_for_what_is_on_its_way(queued):
    with connection.cursor() as cursor:
        params = {"at": NOW, "count": 10, "until": NOW + LEASE, "known_since": JAN, "periods": None}
        cursor.execute(f"EXPLAIN {CLAIM}", params)
        plan = "\n".join(line for [line] in cursor.fetchall())
    assert "hashed SubPlan" in plan


def test_batches_that_go_out_at_once_are_all_marked(queued, simulator, settings):
    settings.STRIPE_METER_EVENT_RATE = 4  # a call a batch
    assert send_all(NOW) == Sent(claimed=2, accepted=2)


def test_without_a_key_nothing_is_sent(queued, settings):
    settings.STRIPE_SECRET_KEY = ""
    assert send_all(NOW) == Sent()
    assert promise_sending(NOW) == 0


def test_sending_is_promised_while_something_is_due(queued, settings):
    settings.STRIPE_METER_EVENT_WORKERS = 2
    assert [promise_sending(NOW), promise_sending(NOW)] == [2, 0]
    assert set(Job.objects.values_list("kind", flat=True)) == {"billing.stripe_send_usage"}
    send_all(NOW)
    assert promise_sending(NOW + MINUTE) == 0


def test_it_stops_when_its_time_is_over(queued):
    assert send_usage(clock=lambda: NOW, until=NOW) == Sent()


@pytest.mark.django_db
def test_calls_are_spread_over_the_time_that_the_rate_gives(settings):
    settings.STRIPE_METER_EVENT_RATE = 100
    first, second = pace.reserve_calls(50), pace.reserve_calls(50)
    assert first.wait < timedelta(milliseconds=50)
    assert timedelta(milliseconds=300) < second.wait <= timedelta(milliseconds=500)
    assert pace.find_start(second, 10) - second.wait == timedelta(milliseconds=100)


def test_the_rate_is_what_stripe_allows_for_the_key(settings):
    settings.STRIPE_METER_EVENT_RATE, settings.STRIPE_SECRET_KEY = 0, "sk_test_1"
    assert pace.find_rate() == 15
    settings.STRIPE_SECRET_KEY = "sk_live_1"
    rates = {}
    for settings.STRIPE_METER_EVENT_API in ("v1", "v2", "stream"):
        rates[settings.STRIPE_METER_EVENT_API] = pace.find_rate()
    assert rates == {"v1": 950, "v2": 950, "stream": 9_500}
    settings.STRIPE_METER_EVENT_RATE = 7
    assert pace.find_rate() == 7


def test_what_grew_too_old_for_stripe_on_its_way_goes_with_the_last_slice_of_its_period(queued, simulator, period):
    later = FEB + timedelta(days=10)
    simulator.set_time(later)
    assert send_all(later) == Sent(claimed=4, accepted=2, failed=2)
    assert read_stripe(simulator, period, start=FEB - HOUR, end=FEB) == 2
    assert not StripeDrift.objects.filter(state="open").exists()
