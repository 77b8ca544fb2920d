"""All or nothing, and after a SIGKILL all that was answered."""

import subprocess
import sys
from contextlib import suppress

import pytest

from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.store import Store, new_id
from tests.simulators import SimulatorClient


def test_a_unit_that_fails_leaves_nothing():
    store = Store()
    with store.unit():
        store.insert({"id": "cus_1", "object": "customer", "name": "A"})
        store.insert({"id": "cus_2", "object": "customer", "name": "B"})
    with suppress(StripeError), store.unit():
        store.get("customer", "cus_1")["name"] = "changed"
        store.delete(store.get("customer", "cus_2"))
        store.insert({"id": "cus_3", "object": "customer", "name": "C"})
        raise refuse("no")
    assert {row["id"]: row["name"] for row in store.scan("customer")} == {"cus_1": "A", "cus_2": "B"}
    assert store.get_deleted("customer", "cus_2") is None


def test_an_index_follows_what_changed():
    store = Store()
    with store.unit():
        store.insert({"id": "in_1", "object": "invoice", "customer": "cus_1"})
    with store.unit():
        store.get("invoice", "in_1")["customer"] = "cus_2"
        assert [row["id"] for row in store.scan("invoice", customer="cus_2")] == ["in_1"]
    assert list(store.scan("invoice", customer="cus_1")) == []
    assert [row["id"] for row in store.scan("invoice", customer="cus_2")] == ["in_1"]


def test_a_deleted_object_is_missing_and_leaves_its_stub():
    store = Store()
    with store.unit():
        store.insert({"id": "cus_1", "object": "customer"})
        store.delete(store.get("customer", "cus_1"))
    with pytest.raises(StripeError) as refusal:
        store.get("customer", "cus_1")
    assert (refusal.value.status, refusal.value.code) == (404, "resource_missing")
    assert store.get_deleted("customer", "cus_1") == {"id": "cus_1", "object": "customer", "deleted": True}


@pytest.mark.parametrize(("prefix", "length"), [("cus", 18), ("in", 27)])
def test_ids_have_stripes_prefixes_and_lengths(prefix, length):
    assert new_id(prefix).startswith(f"{prefix}_")
    assert len(new_id(prefix)) == length
    assert len({new_id(prefix) for _ in range(1000)}) == 1000


def start(path):
    command = [sys.executable, "-m", "stripe_simulator", "--port", "0", "--clock", "frozen", "--path", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, SimulatorClient(process.stdout.readline().split()[-1])


def kill(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_after_a_sigkill_it_comes_up_with_all_that_it_answered(tmp_path):
    process, simulator = start(tmp_path / "stripe.db")
    simulator.reset()
    client = simulator.client()
    made = client.v1.webhook_endpoints.create(
        {"url": "https://a.test/", "enabled_events": ["*"]}, {"idempotency_key": "one"}
    )
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": 1793577600})
    at = simulator.now()
    kill(process)
    process, simulator = start(tmp_path / "stripe.db")
    try:
        client = simulator.client()
        assert simulator.now() == at
        again = client.v1.webhook_endpoints.create(
            {"url": "https://a.test/", "enabled_events": ["*"]}, {"idempotency_key": "one"}
        )
        assert again.id == made.id
        assert client.v1.test_helpers.test_clocks.retrieve(clock.id).id == clock.id
        assert len(simulator.take_webhooks()) == 2
        assert [event.type for event in client.v1.events.list().data] == ["test_helpers.test_clock.created"]
    finally:
        kill(process)


def test_what_changes_keeps_its_place():
    store = Store()
    with store.unit():
        for number in range(3):
            store.insert({"id": f"in_{number}", "object": "invoice", "customer": "cus_1", "total": 0})
    with store.unit():
        store.get("invoice", "in_0")["total"] = 5
    assert [row["id"] for row in store.scan("invoice", customer="cus_1")] == ["in_0", "in_1", "in_2"]
