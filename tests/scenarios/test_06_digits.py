"""Fifteen digits, plain notation, no noise of floats: values go out exactly, in parts where they have to."""

from decimal import Decimal

import pytest

from billing.models import StripeMeterEvent
from billing.stripe.usage.transports import write_payload
from tests.billing.stripe.usage.makers import read_stripe, send_all
from tests.scenarios.usage import NOW, begin, count_states

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("sizes", "values"),
    [
        (["0.000000000001"], ["0.000000000001"]),
        (["0.1", "0.2"], ["0.3"]),
        (["123456789012345"], ["123456789012345"]),
        (["123456789012345", "0.678"], ["123456789012345", "0.678"]),
        (["1000000000000000"], ["999999999999999", "1"]),
        (["-5", "2.50"], ["-2.5"]),
    ],
)
def test_scenario_06_values_go_out_exactly(simulator, settings, sizes, values):
    period = begin(simulator, settings, sizes=[Decimal(size) for size in sizes])
    sent = StripeMeterEvent.objects.filter(event_name="palier_bandwidth").order_by("part")
    assert [write_payload(event)["value"] for event in sent] == values
    while send_all(NOW).claimed:
        pass
    assert set(count_states()) == {"accepted"}
    assert read_stripe(simulator, period, meter="bandwidth") == pytest.approx(sum(map(Decimal, sizes)))


@pytest.mark.parametrize("value", ["1E-12", "1234567890123456", "0.30000000000000004"])
def test_scenario_06_control_the_simulator_refuses_what_is_not_plain_or_too_long(simulator, settings, value):
    begin(simulator, settings)
    event = StripeMeterEvent.objects.first()
    payload = {"stripe_customer_id": event.customer_id, "value": value}
    with pytest.raises(Exception, match=r"notation|digits"):
        simulator.client().v1.billing.meter_events.create({"event_name": event.event_name, "payload": payload})
