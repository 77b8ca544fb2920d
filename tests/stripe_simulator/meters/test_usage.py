"""The ledger of usage in a simulator: read by invoices, and there again after a restart."""

from decimal import Decimal
from pathlib import Path

from stripe_simulator.contract import template
from stripe_simulator.meters.usage import aggregate, cancel_event, take_event
from stripe_simulator.simulator import Simulator

NOW = 1_793_577_600  # 2026-11-02


def test_usage_is_there_again_after_a_restart(tmp_path: Path):
    sim = Simulator(str(tmp_path / "state"), frozen=NOW)
    meter = template("billing.meter", id="mtr_1", event_name="calls", status="active")
    meter |= {
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": {"formula": "sum"},
        "value_settings": {"event_payload_key": "value"},
    }
    with sim.work():
        sim.store.insert(meter)
        sim.store.insert(template("customer", id="cus_1"))
        for identifier, value in (("a", "0.1"), ("b", "0.2"), ("c", "9")):
            payload = {"stripe_customer_id": "cus_1", "value": value}
            take_event(sim, "calls", payload, timestamp=NOW, identifier=identifier)
        cancel_event(sim, "calls", "c")
    again = Simulator(str(tmp_path / "state"), frozen=NOW)
    with again.work():
        assert aggregate(again, "mtr_1", "cus_1", NOW, NOW + 1) == Decimal("0.3")


def test_of_what_is_unknown_there_is_no_usage():
    sim = Simulator(frozen=NOW)
    assert aggregate(sim, "mtr_none", "cus_none", 0, NOW) == 0
