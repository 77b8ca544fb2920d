"""Rate limits by real time: counted always, refused when on."""

import threading

import pytest
import stripe

from stripe_simulator.errors import StripeError
from stripe_simulator.limits import Limits

EVENT = {"event_name": "calls", "payload": {"stripe_customer_id": "cus_1", "value": "1"}}
METER_EVENTS = "/v1/billing/meter_events"


def test_a_frozen_clock_counts_without_refusing(simulator):
    simulator.set_limits("count", endpoint=2)
    for _ in range(4):
        simulator.client().v1.webhook_endpoints.list()
    assert simulator.limits()["violations"]["endpoint"] >= 1


def test_when_on_the_call_too_many_is_refused_with_the_reason(simulator):
    simulator.set_limits("on", endpoint=1)
    client = simulator.client()
    client.v1.webhook_endpoints.list()
    with pytest.raises(stripe.RateLimitError) as refusal:
        client.v1.webhook_endpoints.list()
    assert refusal.value.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"


def test_meter_events_have_a_budget_of_their_own():
    limits = Limits("on", {"global": 1, "endpoint": 1, "meter_events": 3})
    for _ in range(3):
        limits.check_rate("POST", METER_EVENTS)
    limits.check_rate("GET", "/v1/customers")
    with pytest.raises(StripeError):
        limits.check_rate("POST", METER_EVENTS)


@pytest.mark.parametrize(
    ("path", "code"),
    [(METER_EVENTS, "rate_limit"), ("/v2/billing/meter_events", "too_many_concurrent_requests")],
)
def test_one_call_in_flight_for_each_customer_and_meter(path, code):
    limits = Limits("on")
    other = {"event_name": "calls", "payload": {"stripe_customer_id": "cus_2", "value": "1"}}
    with limits.hold_meter(path, EVENT), limits.hold_meter(path, other):
        with pytest.raises(StripeError) as refusal, limits.hold_meter(path, EVENT):
            pass
        assert (refusal.value.status, refusal.value.code) == (429, code)
    with limits.hold_meter(path, EVENT):
        pass
    assert limits.violations["meter_concurrency"] == 1


def test_two_calls_at_once_for_one_customer_and_meter_are_refused_over_http(simulator):
    client = simulator.client()
    client.v1.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )
    customer = client.v1.customers.create({"name": "A"}).id
    simulator.set_limits("on")
    simulator.fault("hold_inside", METER_EVENTS, seconds=0.5)
    refusals = []

    def send():
        payload = {"stripe_customer_id": customer, "value": "1"}
        try:
            simulator.client().v1.billing.meter_events.create({"event_name": "calls", "payload": payload})
        except stripe.RateLimitError as error:
            refusals.append(error.headers["Stripe-Rate-Limited-Reason"])

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals == ["resource-specific"]
    assert simulator.limits()["violations"] == {"meter_concurrency": 1}
