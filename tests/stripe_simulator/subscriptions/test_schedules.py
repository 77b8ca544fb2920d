"""Schedules change subscriptions at their turns."""

from datetime import UTC, datetime

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_types, unix
from tests.stripe_simulator.selling import give_card, make_customer, subscribe

START = datetime(2026, 11, 2, tzinfo=UTC)
DECEMBER, JANUARY = datetime(2026, 12, 2, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


def plan(client, customer, *phases, **params):
    return client.v1.subscription_schedules.create(
        {"customer": customer.id, "start_date": "now", "phases": list(phases), **params}
    )


def test_phases_follow_each_other_and_the_subscription_is_released(simulator, client, customer):
    give_card(client, customer)
    price = make_price(client)
    one = {"items": [{"price": price.id, "quantity": 1}], "duration": {"interval": "month"}}
    two = {
        "items": [{"price": price.id, "quantity": 2}],
        "duration": {"interval": "month"},
        "proration_behavior": "none",
    }
    schedule = plan(client, customer, one, two)
    assert (schedule.status, schedule.current_phase.end_date) == ("active", unix(DECEMBER))
    first = client.v1.invoices.list({"subscription": schedule.subscription}).data[0]
    assert (first.status, first.total) == ("draft", 1000)
    simulator.set_time(DECEMBER)
    assert client.v1.subscriptions.retrieve(schedule.subscription)["items"].data[0].quantity == 2
    simulator.set_time(JANUARY)
    done = client.v1.subscription_schedules.retrieve(schedule.id)
    assert (done.status, done.released_subscription) == ("completed", schedule.subscription)
    assert client.v1.subscriptions.retrieve(schedule.subscription).schedule is None


def test_a_schedule_may_begin_later_and_end_with_its_subscription(simulator, client, customer):
    phase = {"items": [{"price": make_price(client).id, "quantity": 0}], "end_date": unix(JANUARY)}
    schedule = plan(client, customer, phase, start_date=unix(DECEMBER), end_behavior="cancel")
    assert (schedule.status, schedule.subscription) == ("not_started", None)
    simulator.set_time(DECEMBER)
    started = client.v1.subscription_schedules.retrieve(schedule.id)
    assert started.status == "active"
    simulator.set_time(JANUARY)
    assert client.v1.subscriptions.retrieve(started.subscription).status == "canceled"


def test_a_running_subscription_can_be_scheduled_and_let_go(simulator, client, customer):
    made = subscribe(client, customer, {"price": make_price(client).id, "quantity": 0})
    schedule = client.v1.subscription_schedules.create({"from_subscription": made.id})
    assert (schedule.phases[0].start_date, schedule.phases[0].end_date) == (unix(START), unix(DECEMBER))
    with pytest.raises(stripe.InvalidRequestError, match="schedules"):
        client.v1.subscriptions.pause(made.id)
    assert client.v1.subscription_schedules.release(schedule.id).status == "released"
    assert client.v1.subscriptions.retrieve(made.id).schedule is None
    types = take_types(simulator, "subscription_schedule")
    assert types == ["subscription_schedule.created", "subscription_schedule.released"]


def test_cancelling_ends_the_subscription_too(client, customer):
    schedule = plan(client, customer, {"items": [{"price": make_price(client).id, "quantity": 0}]})
    assert client.v1.subscription_schedules.cancel(schedule.id).status == "canceled"
    assert client.v1.subscriptions.retrieve(schedule.subscription).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscription_schedules.release(schedule.id)


def test_a_part_of_a_phase_that_is_not_done_says_so(client, customer):
    with pytest.raises(stripe.APIError) as caught:
        plan(client, customer, {"items": [{"price": make_price(client).id}], "description": "Later"})
    assert caught.value.http_status == 501


def test_a_schedule_is_aborted_when_nobody_pays(simulator, client, customer):
    schedule = plan(client, customer, {"items": [{"price": make_price(client).id}], "end_date": unix(JANUARY)})
    simulator.take_webhooks()
    simulator.set_time(JANUARY)
    assert client.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"
    assert "subscription_schedule.aborted" in take_types(simulator)
