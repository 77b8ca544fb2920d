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


def emit_thin(simulator, count):
    """So many thin events, a minute apart: of meters that nobody knows."""
    stripe = simulator.client()
    simulator.settings(meter_validation="deferred")
    for number in range(count):
        payload = {"stripe_customer_id": "cus_nobody", "value": "1"}
        stripe.v1.billing.meter_events.create({"event_name": f"nothing_{number}", "payload": payload})
        simulator.advance(minutes=1)


def test_thin_events_come_page_by_page_with_what_was_asked(simulator):
    emit_thin(simulator, 5)
    asked = {"types": ["v1.billing.meter.no_meter_found"], "limit": 2}
    page = simulator.client().v2.core.events.list(asked)
    every = [event.id for event in page.auto_paging_iter()]
    assert (len(page.data), len(every), len(set(every))) == (2, 5, 5)
    assert "types%5B0%5D=v1.billing.meter.no_meter_found" in page.next_page_url
    times = [event.created for event in page.auto_paging_iter()]
    assert times == sorted(times, reverse=True)
    none = simulator.client().v2.core.events.list({"types": ["v1.billing.meter.error_report_triggered"]})
    assert (isinstance(none, stripe.v2.ListObject), none.data, none.next_page_url) == (True, [], None)


def test_a_page_goes_on_where_it_was_though_more_has_happened(simulator):
    emit_thin(simulator, 3)
    page = simulator.client().v2.core.events.list({"limit": 2})
    emit_thin(simulator, 2)
    assert len(list(page.auto_paging_iter())) == 3


def test_a_page_that_was_never_given_is_refused(simulator):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        simulator.client().raw_request("get", "/v2/core/events?page=evt_nothing")
    assert caught.value.param == "page"
