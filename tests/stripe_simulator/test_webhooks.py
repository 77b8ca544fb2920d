"""Webhooks: what the official client accepts, how they are retried, and what may go wrong on the way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import stripe

from stripe_simulator import control
from stripe_simulator.contract import template
from stripe_simulator.simulator import Simulator
from tests.simulators import START


class Receiver:
    """An endpoint on loopback; `statuses` are its answers in order, then 200."""

    def __init__(self, statuses: list[int]) -> None:
        self.received: list[dict] = []
        self.statuses = statuses
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@contextmanager
def receive(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(list(statuses))
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def make_clock(simulator, name=None):
    """Anything that makes an event."""
    params = {"frozen_time": int(START.timestamp())} | ({"name": name} if name else {})
    return simulator.client().v1.test_helpers.test_clocks.create(params)


def name_of(body):
    return json.loads(body)["data"]["object"]["name"]


def test_the_official_client_accepts_what_is_signed(simulator):
    clock = make_clock(simulator)
    [(headers, body)] = simulator.take_webhooks()
    event = simulator.client().construct_event(body, headers["Stripe-Signature"], simulator.webhook_secret)
    assert (event.type, event.data.object.id) == ("test_helpers.test_clock.created", clock.id)
    assert event.livemode is False
    assert simulator.take_webhooks() == []


def test_events_come_in_order(simulator):
    for name in "abc":
        make_clock(simulator, name)
    assert [name_of(body) for _, body in simulator.take_webhooks()] == ["a", "b", "c"]


def test_an_endpoint_is_told_only_what_it_asked_for(simulator):
    simulator.add_endpoint("https://other.test/hook", enabled_events=["invoice.created"])
    make_clock(simulator)
    assert len(simulator.take_webhooks()) == 1


def test_each_endpoint_has_its_secret(simulator):
    secret = simulator.add_endpoint("https://other.test/hook")
    make_clock(simulator)
    [(_, _), (headers, body)] = simulator.take_webhooks()
    assert simulator.client().construct_event(body, headers["Stripe-Signature"], secret)


def test_while_a_secret_is_rolled_both_sign(simulator):
    old = simulator.webhook_secret
    new = simulator.roll_secret(seconds=3600)
    make_clock(simulator)
    [(headers, body)] = simulator.take_webhooks()
    for secret in (old, new):
        assert simulator.client().construct_event(body, headers["Stripe-Signature"], secret)
    simulator.advance(hours=1)
    make_clock(simulator)
    [(headers, body)] = simulator.take_webhooks()
    with pytest.raises(stripe.SignatureVerificationError):
        simulator.client().construct_event(body, headers["Stripe-Signature"], old)


def test_what_was_refused_comes_again_after_a_while(simulator):
    make_clock(simulator)
    assert len(simulator.take_webhooks(fail=True)) == 1
    assert simulator.take_webhooks() == []
    simulator.advance(minutes=5)
    assert len(simulator.take_webhooks()) == 1
    simulator.advance(days=3)
    assert simulator.take_webhooks() == []


def test_after_three_days_it_is_given_up(simulator):
    make_clock(simulator)
    simulator.set_endpoints_down(True)
    simulator.take_webhooks(fail=True)
    simulator.advance(days=4)
    [delivery] = simulator.control("GET", "webhooks")
    assert (delivery["state"], delivery["attempts"]) == ("exhausted", 10)


def test_an_endpoint_that_comes_back_gets_what_it_missed(simulator):
    simulator.set_endpoints_down(True)
    make_clock(simulator)
    simulator.advance(hours=1)
    assert simulator.take_webhooks() == []
    simulator.set_endpoints_down(False)
    simulator.advance(hours=3)
    assert len(simulator.take_webhooks()) == 1


def test_on_loopback_it_is_really_called_and_again_until_2xx(simulator):
    with receive(500, 302) as receiver:
        simulator.add_endpoint(receiver.url)
        make_clock(simulator)
        simulator.settle()
        assert len(receiver.received) == 1
        simulator.advance(hours=1)
        assert len(receiver.received) == 3
        simulator.advance(days=1)
        assert len(receiver.received) == 3


def test_held_webhooks_wait_to_be_released(simulator):
    simulator.fault_webhooks("hold", types=["test_helpers.*"])
    make_clock(simulator, "held")
    make_clock(simulator, "free")
    assert [name_of(body) for _, body in simulator.take_webhooks()] == ["free"]
    simulator.release_webhooks()
    assert [name_of(body) for _, body in simulator.take_webhooks()] == ["held"]


def test_reordered_means_behind_the_next(simulator):
    simulator.fault_webhooks("reorder")
    for name in "abc":
        make_clock(simulator, name)
    assert [name_of(body) for _, body in simulator.take_webhooks()] == ["b", "a", "c"]


def test_a_duplicate_is_the_same_event_twice(simulator):
    simulator.fault_webhooks("duplicate")
    make_clock(simulator)
    [(_, first), (_, second)] = simulator.take_webhooks()
    assert json.loads(first)["id"] == json.loads(second)["id"]


def test_a_delayed_one_comes_later(simulator):
    simulator.fault_webhooks("delay", seconds=600)
    make_clock(simulator)
    assert simulator.take_webhooks() == []
    simulator.advance(seconds=600)
    assert len(simulator.take_webhooks()) == 1


@pytest.mark.parametrize("kind", ["wrong_secret", "old_timestamp"])
def test_a_bad_signature_is_refused_by_the_client(simulator, kind):
    simulator.fault_webhooks(kind)
    make_clock(simulator)
    [(headers, body)] = simulator.take_webhooks()
    with pytest.raises(stripe.SignatureVerificationError):
        simulator.client().construct_event(body, headers["Stripe-Signature"], simulator.webhook_secret)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("livemode", "livemode", True),
        ("foreign_account", "account", "acct_1Foreign"),
        ("old_version", "api_version", "2024-06-20"),
    ],
)
def test_what_an_endpoint_should_not_trust(simulator, kind, field, value):
    simulator.fault_webhooks(kind)
    make_clock(simulator)
    [(_, body)] = simulator.take_webhooks()
    assert json.loads(body)[field] == value


def test_a_webhook_under_a_future_timestamp_is_signed_rightly(simulator):
    simulator.fault_webhooks("future_timestamp", seconds=7200)
    make_clock(simulator)
    [(headers, _)] = simulator.take_webhooks()
    make_clock(simulator)
    [(present, _)] = simulator.take_webhooks()
    ahead, now = (int(header["Stripe-Signature"].split(",")[0][2:]) for header in (headers, present))
    assert timedelta(seconds=ahead - now) >= timedelta(seconds=7195)


def test_dice_strike_the_same_webhooks_for_the_same_seed(simulator):
    def live():
        simulator.chaos(3, {}, webhooks={"duplicate": 0.4, "reorder": 0.4})
        for name in "abcdef":
            make_clock(simulator, name)
        simulator.release_webhooks()
        return [name_of(body) for _, body in simulator.take_webhooks()]

    first = live()
    assert live() == first
    assert sorted(set(first)) == list("abcdef")
    assert first != list("abcdef")


def test_nobody_waits_for_an_endpoint_that_is_deleted(simulator):
    make_clock(simulator)
    simulator.client().v1.webhook_endpoints.delete(simulator.endpoint)
    assert simulator.take_webhooks() == []
    [event] = simulator.client().v1.events.list().data
    assert event.pending_webhooks == 0


def test_after_a_restart_the_endpoint_gets_what_it_missed(tmp_path):
    with receive() as receiver:
        sim = Simulator(str(tmp_path / "stripe.db"), frozen=1000)
        control.answer(sim, "POST", "reset", {"now": 1000})
        control.answer(sim, "POST", "endpoint", {"url": receiver.url})
        control.answer(sim, "POST", "webhooks/down", {"down": True})
        with sim.work():
            clock = template("test_helpers.test_clock", id="clock_1", status="ready", status_details={})
            sim.emit("test_helpers.test_clock.created", clock)
        again = Simulator(str(tmp_path / "stripe.db"), frozen=1000)
        control.answer(again, "POST", "clock", {"advance": 600})
        assert [event["type"] for event in receiver.received] == ["test_helpers.test_clock.created"]
