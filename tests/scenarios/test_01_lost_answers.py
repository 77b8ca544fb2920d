"""A meter event is taken and the answer is lost: sent again under its identifier, it counts once."""

import pytest

from billing.models import StripeMeterEvent
from billing.stripe.usage.sending import Sent
from tests.billing.stripe.usage.makers import MINUTE, read_stripe, send_all
from tests.scenarios.usage import EVENTS, NOW, begin, count_states

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "error_after", "unavailable", "wrong_body"])
def test_scenario_01_an_event_whose_answer_was_lost_counts_once(simulator, settings, kind):
    period = begin(simulator, settings)
    simulator.fault(kind, EVENTS, times=2)
    send_all(NOW)
    later = NOW + 2 * MINUTE
    send_all(later)
    assert count_states() == {"accepted": 2}
    assert read_stripe(simulator, period) == 2
    assert read_stripe(simulator, period, meter="bandwidth") == 350


def test_scenario_01_a_duplicate_is_what_the_simulator_says_of_the_second(simulator, settings):
    begin(simulator, settings)
    simulator.fault("drop_after", EVENTS, times=2)
    assert send_all(NOW) == Sent(claimed=2, again=2)
    event = StripeMeterEvent.objects.first()
    params = {"event_name": event.event_name, "identifier": event.identifier}
    payload = {"stripe_customer_id": event.customer_id, "value": "1"}
    with pytest.raises(Exception, match="already exists"):
        simulator.client().v1.billing.meter_events.create(params | {"payload": payload})


def test_scenario_01_control_under_another_identifier_it_would_count_twice(simulator, settings):
    period = begin(simulator, settings)
    simulator.fault("drop_after", EVENTS, times=2)
    send_all(NOW)
    for event in StripeMeterEvent.objects.filter(event_name="palier_requests"):
        payload = {"stripe_customer_id": event.customer_id, "value": f"{event.value:f}"}
        params = {"event_name": event.event_name, "payload": payload, "timestamp": int(event.timestamp.timestamp())}
        simulator.client().v1.billing.meter_events.create(params)
    assert read_stripe(simulator, period) == 4
