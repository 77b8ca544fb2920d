"""What Stripe tells of meter events that turned out wrong."""

from typing import Any

from stripe_simulator.clock import MAIN
from stripe_simulator.contract import template
from stripe_simulator.meters.reports import report_error
from stripe_simulator.simulator import Simulator

NOW = 1_793_577_600  # 2026-11-02


def make_reports(sim: Simulator, *, until: int) -> list[dict[str, Any]]:
    sim.run_due(MAIN, until, move=True)
    return list(sim.store.scan("v2.core.event"))


def test_wrong_events_are_reported_by_meter_after_ten_seconds_with_counts_and_three_samples():
    sim = Simulator(frozen=NOW)
    meter = template("billing.meter", id="mtr_1", event_name="calls")
    with sim.work():
        sim.store.insert(meter)
        for number in range(4):
            report_error(sim, meter, "meter_event_customer_not_found", "No such customer", f"n{number}")
        report_error(sim, meter, "meter_event_invalid_value", "No number", "bad")
        report_error(sim, None, "no_meter", "No active meter", "lost")
    assert make_reports(sim, until=NOW + 9) == []
    [report, lost] = make_reports(sim, until=NOW + 10)
    assert report["type"] == "v1.billing.meter.error_report_triggered"
    assert report["related_object"] == {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"}
    assert report["data"]["validation_start"] == "2026-11-02T00:00:00.000Z"
    assert report["data"]["validation_end"] == "2026-11-02T00:00:10.000Z"
    reason = report["data"]["reason"]
    assert (reason["error_count"], [(kind["code"], kind["error_count"]) for kind in reason["error_types"]]) == (
        5,
        [("meter_event_customer_not_found", 4), ("meter_event_invalid_value", 1)],
    )
    samples = reason["error_types"][0]["sample_errors"]
    assert [sample["request"]["identifier"] for sample in samples] == ["n0", "n1", "n2"]
    assert lost["type"] == "v1.billing.meter.no_meter_found"
    assert lost["data"]["reason"]["error_types"][0]["sample_errors"][0]["request"] == {"identifier": "lost"}
    assert sim.violations == []


def test_a_window_ends_with_its_report_and_the_next_error_begins_another():
    sim = Simulator(frozen=NOW)
    with sim.work():
        report_error(sim, None, "no_meter", "No active meter", "a")
    make_reports(sim, until=NOW + 10)
    with sim.work():
        report_error(sim, None, "no_meter", "No active meter", "b")
    assert len(make_reports(sim, until=NOW + 19)) == 1
    assert len(make_reports(sim, until=NOW + 20)) == 2
