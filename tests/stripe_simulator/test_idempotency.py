"""Idempotency keys as Stripe keeps them: https://docs.stripe.com/api/idempotent_requests"""

import threading

import pytest
import stripe

ENDPOINT = {"url": "https://example.test/hook", "enabled_events": ["*"]}


def create(simulator, key, **params):
    return simulator.client().v1.webhook_endpoints.create({**ENDPOINT, **params}, {"idempotency_key": key})


def count(simulator):
    return len(simulator.client().v1.webhook_endpoints.list().data) - 1  # the fixture's own


def test_the_same_key_answers_the_same_object_and_says_so(simulator):
    first = create(simulator, "one")
    second = create(simulator, "one")
    assert second.id == first.id
    assert second.secret == first.secret
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert count(simulator) == 1


def test_the_same_key_with_other_parameters_is_refused(simulator):
    create(simulator, "one")
    with pytest.raises(stripe.IdempotencyError) as refusal:
        create(simulator, "one", description="other")
    assert refusal.value.http_status == 400
    assert count(simulator) == 1


def test_the_same_key_for_another_route_is_refused(simulator):
    made = create(simulator, "one")
    with pytest.raises(stripe.IdempotencyError):
        simulator.client().v1.webhook_endpoints.update(made.id, ENDPOINT, {"idempotency_key": "one"})


def test_a_key_is_forgotten_after_24_hours(simulator):
    first = create(simulator, "one")
    simulator.advance(hours=23, minutes=59)
    assert create(simulator, "one").id == first.id
    simulator.advance(minutes=1)
    assert create(simulator, "one").id != first.id


def test_refused_parameters_are_not_kept(simulator):
    with pytest.raises(stripe.InvalidRequestError):
        create(simulator, "one", colour="red")
    assert create(simulator, "one").id.startswith("we_")


def test_a_500_is_kept_and_replayed(simulator):
    simulator.fault("error", "/v1/webhook_endpoints")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failure:
            create(simulator, "one")
        assert failure.value.http_status == 500
    assert failure.value.headers["Idempotent-Replayed"] == "true"
    assert count(simulator) == 0


def test_a_500_may_hide_that_it_was_done(simulator):
    simulator.fault("error_after", "/v1/webhook_endpoints")
    with pytest.raises(stripe.APIError):
        create(simulator, "one")
    assert count(simulator) == 1


def test_limits_are_not_kept(simulator):
    simulator.fault("rate_limit", "/v1/webhook_endpoints")
    with pytest.raises(stripe.RateLimitError):
        create(simulator, "one")
    assert create(simulator, "one").id.startswith("we_")


def test_a_key_under_way_answers_409_to_the_second(simulator):
    simulator.fault("hold_inside", "/v1/webhook_endpoints", seconds=0.6)
    failures = []

    def call():
        try:
            create(simulator, "one")
        except stripe.APIError as error:
            failures.append(error.http_status)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [409]
    assert count(simulator) == 1


def test_v2_keeps_successes_only(simulator):
    params = {
        "name": "Palier",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": ["*"],
        "webhook_endpoint": {"url": "https://example.test/thin"},
    }
    destinations = simulator.client().v2.core.event_destinations
    simulator.fault("error", "/v2/core/event_destinations")
    with pytest.raises(stripe.APIError):
        destinations.create(params, {"idempotency_key": "one"})
    first = destinations.create(params, {"idempotency_key": "one"})
    assert destinations.create(params, {"idempotency_key": "one"}).id == first.id
