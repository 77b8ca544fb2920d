"""What the test clock of a customer moves, and what it does not."""

from datetime import timedelta

import pytest
import stripe

from tests.simulators import START, SimulatorClient
from tests.stripe_simulator.makers import NOW, make_meter, send, unix

LATER = unix(START + timedelta(days=40))


def make_customer_on_clock(simulator: SimulatorClient) -> tuple[str, str]:
    client = simulator.client()
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": NOW}).id
    return client.v1.customers.create({"test_clock": clock, "payment_method": "pm_card_visa"}).id, clock


def test_the_window_of_meter_events_moves_with_the_clock_of_the_customer(simulator: SimulatorClient):
    client = simulator.client()
    make_meter(simulator)
    customer, clock = make_customer_on_clock(simulator)
    client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": LATER})
    simulator.advance(seconds=1)
    assert send(simulator, customer, "1", LATER).timestamp == LATER
    with pytest.raises(stripe.InvalidRequestError, match="in the past"):
        send(simulator, customer, "1", NOW)
    other = client.v1.customers.create({"name": "On no clock"}).id
    with pytest.raises(stripe.InvalidRequestError, match="in the future"):
        send(simulator, other, "1", LATER)


def test_identifiers_are_free_again_a_day_later_by_the_clock_of_the_customer(simulator: SimulatorClient):
    client = simulator.client()
    make_meter(simulator)
    customer, clock = make_customer_on_clock(simulator)
    send(simulator, customer, "1", identifier="a")
    client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": NOW + 86_400})
    simulator.advance(seconds=1)
    assert send(simulator, customer, "1", NOW + 86_400, identifier="a").identifier == "a"


def test_what_a_network_does_happens_in_the_simulators_own_time(simulator: SimulatorClient):
    client = simulator.client()
    customer, clock = make_customer_on_clock(simulator)
    client.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": LATER})
    simulator.advance(seconds=1)
    [card] = client.v1.customers.payment_methods.list(customer).data
    intent = client.v1.payment_intents.create(
        {"amount": 100, "currency": "eur", "customer": customer, "payment_method": card.id, "confirm": True}
    )
    assert intent.created == client.v1.charges.retrieve(str(intent.latest_charge)).created == NOW + 1
