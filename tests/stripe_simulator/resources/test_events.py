"""Events as lists: what a client catches up with."""

import pytest
import stripe

from tests.simulators import START


def make_clock(simulator):
    return simulator.client().v1.test_helpers.test_clocks.create({"frozen_time": int(START.timestamp())})


def list_events(simulator, **params):
    return simulator.client().v1.events.list(params).data


def test_an_event_is_a_snapshot_and_knows_its_request(simulator):
    client = simulator.client()
    clock = client.v1.test_helpers.test_clocks.create(
        {"frozen_time": int(START.timestamp())}, {"idempotency_key": "one"}
    )
    [event] = list_events(simulator)
    assert event.data.object.id == clock.id
    assert event.request.idempotency_key == "one"
    assert event.request.id == clock.last_response.headers["Request-Id"]
    assert event.api_version == stripe.api_version


def test_events_are_found_by_type(simulator):
    clock = make_clock(simulator)
    simulator.client().v1.test_helpers.test_clocks.delete(clock.id)
    assert [event.type for event in list_events(simulator, types=["test_helpers.test_clock.deleted"])] == [
        "test_helpers.test_clock.deleted"
    ]
    assert len(list_events(simulator, type="test_helpers.*")) == 2


def test_events_are_found_by_whether_they_were_delivered(simulator):
    make_clock(simulator)
    simulator.take_webhooks()
    missed = make_clock(simulator)
    [pending] = list_events(simulator, delivery_success=False)
    assert pending.data.object.id == missed.id
    assert pending.pending_webhooks == 1
    assert len(list_events(simulator, delivery_success=True)) == 1


def test_events_are_found_by_their_time(simulator):
    make_clock(simulator)
    simulator.advance(hours=1)
    make_clock(simulator)
    assert len(list_events(simulator, created={"gt": int(START.timestamp())})) == 1


def test_events_are_forgotten_after_30_days(simulator):
    make_clock(simulator)
    [event] = list_events(simulator)
    simulator.advance(days=30, seconds=1)
    assert list_events(simulator) == []
    with pytest.raises(stripe.InvalidRequestError):
        simulator.client().v1.events.retrieve(event.id)
