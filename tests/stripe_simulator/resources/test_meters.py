"""Meters over HTTP: made, renamed, switched off and on, and what their summaries say."""

import json

import pytest
import stripe

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import NOW, make_customer, make_meter, send

DAY = 86_400


def summarise(simulator: SimulatorClient, meter: str, customer: str, **more: object) -> list[tuple[int, float]]:
    window = {"customer": customer, "start_time": NOW - DAY, "end_time": NOW + DAY} | more
    found = simulator.client().v1.billing.meters.event_summaries.list(meter, window)  # type: ignore[arg-type]
    return [(summary.start_time, summary.aggregated_value) for summary in found.data]


def test_an_event_name_is_unique_among_active_meters(simulator: SimulatorClient):
    client = simulator.client()
    first = make_meter(simulator)
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        make_meter(simulator)
    client.v1.billing.meters.deactivate(first.id)
    second = make_meter(simulator)
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.billing.meters.reactivate(first.id)
    assert [meter.id for meter in client.v1.billing.meters.list({"status": "active"}).data] == [second.id]


def test_only_the_display_name_of_a_meter_changes(simulator: SimulatorClient):
    client = simulator.client()
    meter = make_meter(simulator)
    assert client.v1.billing.meters.update(meter.id, {"display_name": "Requests"}).display_name == "Requests"
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.billing.meters.update(meter.id, {"event_name": "other"})  # type: ignore[typeddict-unknown-key]
    assert raised.value.code == "parameter_unknown"


def test_a_deactivated_meter_takes_no_events_until_it_is_active_again(simulator: SimulatorClient):
    client = simulator.client()
    meter, customer = make_meter(simulator), make_customer(simulator)
    client.v1.billing.meters.deactivate(meter.id)
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        send(simulator, customer, "1")
    client.v1.billing.meters.reactivate(meter.id)
    send(simulator, customer, "2")
    assert summarise(simulator, meter.id, customer) == [(NOW - DAY, 2.0)]


def test_summaries_are_grouped_by_hour_newest_first_and_pass_over_empty_hours(simulator: SimulatorClient):
    meter, customer = make_meter(simulator), make_customer(simulator)
    for at, value in ((NOW - 7200, "1"), (NOW - 3601, "2.5"), (NOW, "4")):
        send(simulator, customer, value, at)
    assert summarise(simulator, meter.id, customer, value_grouping_window="hour") == [(NOW, 4.0), (NOW - 7200, 3.5)]
    with pytest.raises(stripe.InvalidRequestError, match="aligned"):
        summarise(simulator, meter.id, customer, start_time=NOW - 90)


def test_an_event_is_seen_once_its_lag_has_passed(simulator: SimulatorClient):
    simulator.settings(meter_lag=120)
    meter, customer = make_meter(simulator), make_customer(simulator)
    send(simulator, customer, "7")
    simulator.advance(seconds=119)
    assert summarise(simulator, meter.id, customer) == [(NOW - DAY, 0.0)]
    simulator.advance(seconds=1)
    assert summarise(simulator, meter.id, customer) == [(NOW - DAY, 7.0)]


def test_a_meter_maps_customers_and_values_under_names_of_its_own(simulator: SimulatorClient):
    customer = make_customer(simulator)
    meter = make_meter(
        simulator,
        customer_mapping={"type": "by_id", "event_payload_key": "who"},
        value_settings={"event_payload_key": "much"},
    )
    simulator.client().v1.billing.meter_events.create(
        {"event_name": "calls", "payload": {"who": customer, "much": "3"}, "timestamp": NOW}
    )
    assert summarise(simulator, meter.id, customer) == [(NOW - DAY, 3.0)]


def test_what_happens_to_a_meter_is_told(simulator: SimulatorClient):
    client = simulator.client()
    meter = make_meter(simulator)
    client.v1.billing.meters.update(meter.id, {"display_name": "Requests"})
    client.v1.billing.meters.deactivate(meter.id)
    client.v1.billing.meters.reactivate(meter.id)
    told = [json.loads(body) for _, body in simulator.take_webhooks()]
    names = ("created", "updated", "deactivated", "reactivated")
    assert [event["type"] for event in told] == [f"billing.meter.{name}" for name in names]
    assert told[1]["data"]["previous_attributes"] == {"display_name": "Calls"}
