"""Usage alerts over HTTP."""

from typing import Any

import pytest
import stripe

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import NOW, make_customer, make_meter, send, take_events


def make_alert(simulator: SimulatorClient, meter: stripe.billing.Meter, gte: int, **more: Any) -> stripe.billing.Alert:
    threshold = {"gte": gte, "meter": meter.id, "recurrence": "one_time", **more}
    return simulator.client().v1.billing.alerts.create(
        {"alert_type": "usage_threshold", "title": "Much", "usage_threshold": threshold}  # type: ignore[typeddict-item]
    )


def take_alerts(simulator: SimulatorClient) -> list[tuple[str, int]]:
    told = [event["data"]["object"] for event in take_events(simulator, "billing.alert.triggered")]
    return [(each["customer"], each["value"]) for each in told]


def test_an_alert_speaks_once_for_each_customer_of_usage_since_it_was_made(simulator: SimulatorClient):
    meter = make_meter(simulator)
    first, second = make_customer(simulator), make_customer(simulator)
    send(simulator, first, "90", NOW - 60)
    make_alert(simulator, meter, 100)
    send(simulator, first, "99")
    assert take_alerts(simulator) == []
    send(simulator, first, "1.5")
    send(simulator, first, "500")
    send(simulator, second, "100")
    assert take_alerts(simulator) == [(first, 100), (second, 100)]


def test_an_alert_for_one_customer_passes_over_the_others(simulator: SimulatorClient):
    meter = make_meter(simulator)
    wanted, other = make_customer(simulator), make_customer(simulator)
    make_alert(simulator, meter, 10, filters=[{"type": "customer", "customer": wanted}])
    for customer in (other, wanted):
        send(simulator, customer, "10")
    assert take_alerts(simulator) == [(wanted, 10)]


def test_an_alert_waits_for_the_lag_of_usage(simulator: SimulatorClient):
    simulator.settings(meter_lag=60)
    meter, customer = make_meter(simulator), make_customer(simulator)
    make_alert(simulator, meter, 10)
    send(simulator, customer, "10")
    simulator.advance(seconds=59)
    assert take_alerts(simulator) == []
    simulator.advance(seconds=1)
    assert take_alerts(simulator) == [(customer, 10)]


def test_an_alert_is_silent_while_inactive_and_archived_for_good(simulator: SimulatorClient):
    alerts = simulator.client().v1.billing.alerts
    meter, customer = make_meter(simulator), make_customer(simulator)
    alert = make_alert(simulator, meter, 10)
    assert alerts.deactivate(alert.id).status == "inactive"
    send(simulator, customer, "10")
    assert take_alerts(simulator) == []
    alerts.activate(alert.id)
    send(simulator, customer, "1")
    assert take_alerts(simulator) == [(customer, 11)]
    alerts.archive(alert.id)
    with pytest.raises(stripe.InvalidRequestError, match="already archived"):
        alerts.activate(alert.id)
    assert [each.status for each in alerts.list({"meter": meter.id}).data] == ["archived"]


def test_a_threshold_is_at_least_one(simulator: SimulatorClient):
    with pytest.raises(stripe.InvalidRequestError) as raised:
        make_alert(simulator, make_meter(simulator), 0)
    assert raised.value.param == "usage_threshold[gte]"
