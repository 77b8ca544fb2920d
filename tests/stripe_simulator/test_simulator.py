"""Work that comes later, and what units of work lead to."""

from contextlib import suppress

import pytest

from stripe_simulator.clock import DUE, MAIN, due
from stripe_simulator.contract import template
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.simulator import Simulator

done = []


@due("test_note")
def note(sim, at, payload):
    done.append((at, payload["id"]))
    if payload.get("again"):
        sim.schedule(at + 10, "test_note", {"id": payload["again"]})
    if payload.get("crash"):
        sim.store.insert({"id": "cus_1", "object": "customer"})
        raise RuntimeError("on purpose")


@pytest.fixture
def sim():
    done.clear()
    return Simulator(frozen=100)


def schedule(sim, at, id, **payload):
    with sim.work():
        sim.schedule(at, "test_note", {"id": id, **payload})


def test_what_is_due_is_done_in_order_of_time_with_the_clock_taken_along(sim):
    schedule(sim, 130, "c")
    schedule(sim, 110, "a", again="b")
    sim.run_due(MAIN, 200, move=True)
    assert done == [(110, "a"), (120, "b"), (130, "c")]


def test_what_is_not_due_waits(sim):
    schedule(sim, 130, "a")
    assert sim.run_due(MAIN, 129, move=True) == 0
    assert done == []


def test_what_is_unscheduled_is_not_done(sim):
    schedule(sim, 130, "a")
    schedule(sim, 130, "b")
    with sim.work():
        sim.unschedule("test_note", id="a")
    sim.run_due(MAIN, 200, move=True)
    assert done == [(130, "b")]


def test_what_crashes_is_recorded_undone_and_does_not_stop_the_rest(sim):
    schedule(sim, 110, "a", crash=True)
    schedule(sim, 120, "b")
    sim.run_due(MAIN, 200, move=True)
    assert done == [(110, "a"), (120, "b")]
    assert sim.store.peek("customer", "cus_1") is None
    assert "on purpose" in sim.violations[0]["problems"][0]


def test_a_unit_that_fails_schedules_nothing(sim):
    with suppress(StripeError), sim.work():
        sim.schedule(110, "test_note", {"id": "a"})
        raise refuse("no")
    sim.run_due(MAIN, 200, move=True)
    assert done == []


def test_a_customer_on_a_test_clock_lives_by_it(sim):
    with sim.work():
        sim.store.insert({"id": "clock_1", "object": "test_helpers.test_clock", "frozen_time": 5000})
        sim.store.insert({"id": "cus_1", "object": "customer", "test_clock": "clock_1"})
        sim.store.insert({"id": "sub_1", "object": "subscription", "customer": "cus_1"})
        sim.schedule(5010, "test_note", {"id": "a"}, customer="cus_1")
    assert (sim.now("cus_1"), sim.now()) == (5000, 100)
    assert sim.find_clock_of("sub_1") == "clock_1"
    sim.run_due(MAIN, 9000, move=True)
    assert done == []
    sim.run_due("clock_1", 9000, move=True)
    assert done == [(5010, "a")]


def test_nothing_unknown_is_scheduled(sim):
    assert "test_note" in DUE
    with pytest.raises(LookupError):
        sim.schedule(1, "nothing", {})


def test_what_waits_for_a_webhook_is_done_when_it_has_arrived(sim):
    with sim.work():
        endpoint = template("webhook_endpoint", id="we_1", status="enabled", enabled_events=["*"], _secret="whsec_1")
        sim.store.insert(endpoint | {"url": "https://a.test/"})
        clock = template("test_helpers.test_clock", id="clock_1", status="ready", status_details={})
        event = sim.emit("test_helpers.test_clock.created", clock)
        assert not sim.was_delivered(event)
        sim.after_delivery(event["id"], "test_note", {"id": "a"})
    sim.run_due(MAIN, 200, move=True)
    assert done == []
    sim.events.webhooks.take()
    assert sim.was_delivered(event)
    sim.run_due(MAIN, 200, move=True)
    assert done == [(100, "a")]
