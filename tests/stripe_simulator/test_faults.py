"""What goes wrong on purpose, seen by the official client."""

import time

import pytest
import stripe

ENDPOINT = {"url": "https://example.test/hook", "enabled_events": ["*"]}
ROUTE = "/v1/webhook_endpoints"


def create(simulator, **options):
    return simulator.client(**options).v1.webhook_endpoints.create(ENDPOINT)


def count(simulator):
    return len(simulator.client().v1.webhook_endpoints.list().data) - 1


def test_a_call_dropped_before_did_nothing(simulator):
    simulator.fault("drop_before", ROUTE)
    with pytest.raises(stripe.APIConnectionError):
        create(simulator)
    assert count(simulator) == 0


def test_a_call_dropped_after_was_done(simulator):
    simulator.fault("drop_after", ROUTE)
    with pytest.raises(stripe.APIConnectionError):
        create(simulator)
    assert count(simulator) == 1


def test_a_client_that_retries_a_dropped_call_creates_one_object(simulator):
    simulator.fault("drop_after", ROUTE)
    create(simulator, max_network_retries=1)
    assert count(simulator) == 1


def test_a_fault_waits_for_its_nth_call_and_its_method(simulator):
    simulator.fault("unavailable", ROUTE, method="POST", nth=2)
    assert count(simulator) == 0
    create(simulator)
    with pytest.raises(stripe.APIError) as failure:
        create(simulator)
    assert failure.value.http_status == 503
    create(simulator)


@pytest.mark.parametrize(("kind", "should_retry"), [("rate_limit", "false"), ("lock_timeout", "true")])
def test_429_says_whether_to_retry(simulator, kind, should_retry):
    simulator.fault(kind, ROUTE, reason="endpoint-rate")
    with pytest.raises(stripe.RateLimitError) as failure:
        create(simulator)
    assert failure.value.headers["Stripe-Should-Retry"] == should_retry
    assert failure.value.headers.get("Stripe-Rate-Limited-Reason") == (
        "endpoint-rate" if kind == "rate_limit" else None
    )


def test_a_lock_timeout_is_retried_by_the_client(simulator):
    simulator.fault("lock_timeout", ROUTE)
    assert create(simulator, max_network_retries=1).id.startswith("we_")


def test_a_delay_delays(simulator):
    simulator.fault("delay", ROUTE, seconds=0.2)
    started = time.monotonic()
    create(simulator)
    assert time.monotonic() - started >= 0.2


def test_a_wrong_body_is_no_answer(simulator):
    simulator.fault("wrong_body", ROUTE)
    with pytest.raises(stripe.APIError):
        create(simulator)
    assert count(simulator) == 1


def test_the_same_seed_strikes_the_same_calls(simulator):
    def live():
        fates = []
        for _ in range(12):
            try:
                create(simulator)
                fates.append("done")
            except (stripe.APIError, stripe.APIConnectionError) as error:
                fates.append(type(error).__name__)
        return fates

    simulator.chaos(7, {"unavailable": 0.3, "drop_after": 0.3})
    first = live()
    simulator.chaos(7, {"unavailable": 0.3, "drop_after": 0.3})
    assert live() == first
    assert {"done", "APIError", "APIConnectionError"} == set(first)


def test_an_unknown_kind_of_fault_is_refused(simulator):
    with pytest.raises(AssertionError, match="a fault is one of"):
        simulator.fault("earthquake")
