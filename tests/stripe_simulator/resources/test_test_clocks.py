"""Test clocks: made, moved, listed, deleted."""

from datetime import timedelta

import pytest
import stripe

from tests.simulators import START

NOW = int(START.timestamp())
DAY = 24 * 3600


def clocks(simulator):
    return simulator.client().v1.test_helpers.test_clocks


def types_of(simulator):
    return [event.type for event in simulator.client().v1.events.list().data]


def wait_until_ready(simulator, id):
    for _ in range(200):
        if (clock := clocks(simulator).retrieve(id)).status == "ready":
            return clock
    raise AssertionError("it never became ready")


def test_an_advance_answers_advancing_and_becomes_ready(simulator):
    made = clocks(simulator).create({"frozen_time": NOW, "name": "one"})
    moving = clocks(simulator).advance(made.id, {"frozen_time": NOW + DAY})
    assert moving.status == "advancing"
    assert moving.status_details.advancing.target_frozen_time == NOW + DAY
    assert wait_until_ready(simulator, made.id).frozen_time == NOW + DAY
    assert types_of(simulator) == [
        "test_helpers.test_clock.ready",
        "test_helpers.test_clock.advancing",
        "test_helpers.test_clock.created",
    ]


@pytest.mark.parametrize("to", [NOW - DAY, NOW, NOW + 3 * 366 * DAY])
def test_an_advance_goes_forward_and_not_too_far(simulator, to):
    made = clocks(simulator).create({"frozen_time": NOW})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        clocks(simulator).advance(made.id, {"frozen_time": to})
    assert refusal.value.param == "frozen_time"


def test_the_clock_of_the_simulator_stands_still_meanwhile(simulator):
    made = clocks(simulator).create({"frozen_time": NOW})
    clocks(simulator).advance(made.id, {"frozen_time": NOW + DAY})
    wait_until_ready(simulator, made.id)
    assert simulator.now() == START
    simulator.set_time(START + timedelta(days=2))
    assert clocks(simulator).retrieve(made.id).frozen_time == NOW + DAY


def test_a_deleted_clock_answers_its_stub(simulator):
    made = clocks(simulator).create({"frozen_time": NOW})
    assert clocks(simulator).delete(made.id).deleted is True
    assert clocks(simulator).list().data == []
    assert types_of(simulator)[0] == "test_helpers.test_clock.deleted"


def test_customers_on_a_clock_are_listed_only_when_it_is_named(simulator):
    client = simulator.client()
    clock = clocks(simulator).create({"frozen_time": NOW})
    on = client.v1.customers.create({"name": "on", "test_clock": clock.id})
    off = client.v1.customers.create({"name": "off"})
    assert [customer.id for customer in client.v1.customers.list().data] == [off.id]
    assert [customer.id for customer in client.v1.customers.list({"test_clock": clock.id}).data] == [on.id]
    assert client.v1.customers.retrieve(on.id).test_clock == clock.id


def test_what_a_customer_on_a_clock_gets_is_dated_by_it(simulator):
    clock = clocks(simulator).create({"frozen_time": NOW + 90 * DAY})
    customer = simulator.client().v1.customers.create({"name": "on", "test_clock": clock.id})
    assert customer.created == NOW + 90 * DAY


def test_a_clock_has_three_customers_at_most(simulator):
    client = simulator.client()
    clock = clocks(simulator).create({"frozen_time": NOW})
    for _ in range(3):
        client.v1.customers.create({"test_clock": clock.id})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.customers.create({"test_clock": clock.id})
    assert refusal.value.param == "test_clock"


def test_a_deleted_clock_takes_its_customers_along(simulator):
    client = simulator.client()
    clock = clocks(simulator).create({"frozen_time": NOW})
    customer = client.v1.customers.create({"test_clock": clock.id})
    clocks(simulator).delete(clock.id)
    assert client.v1.customers.retrieve(customer.id).deleted is True


def test_two_intervals_of_the_shortest_subscription_are_the_furthest(simulator):
    client = simulator.client()
    clock = clocks(simulator).create({"frozen_time": NOW})
    customer = client.v1.customers.create({"test_clock": clock.id})
    price = client.v1.prices.create(
        {"currency": "eur", "unit_amount": 0, "recurring": {"interval": "week"}, "product_data": {"name": "Plan"}}
    )
    client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    with pytest.raises(stripe.InvalidRequestError, match="two intervals of its shortest subscription"):
        clocks(simulator).advance(clock.id, {"frozen_time": NOW + 14 * DAY + 1})
    clocks(simulator).advance(clock.id, {"frozen_time": NOW + 14 * DAY})
    assert wait_until_ready(simulator, clock.id).frozen_time == NOW + 14 * DAY
