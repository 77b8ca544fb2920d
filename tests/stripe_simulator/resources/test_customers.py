"""Customers over HTTP."""

import json

import pytest
import stripe

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import make_price, take_types
from tests.stripe_simulator.selling import make_customer, subscribe


def test_a_customer_is_made_with_a_card_that_is_charged_by_default(simulator: SimulatorClient):
    client = simulator.client()
    made = client.v1.customers.create(
        {
            "name": "Acme",
            "email": "bob@acme.example",
            "metadata": {"account": "acme"},
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
        }
    )
    [method] = client.v1.customers.payment_methods.list(made.id).data
    assert made.invoice_settings.default_payment_method == method.id
    assert (made.balance, made.tax_exempt, made.metadata.to_dict()) == (0, "none", {"account": "acme"})
    assert take_types(simulator) == ["customer.created", "payment_method.attached"]


def test_metadata_is_merged_and_an_empty_string_unsets(simulator: SimulatorClient):
    client = simulator.client()
    made = client.v1.customers.create({"name": "Acme", "phone": "1", "metadata": {"a": "1", "b": "2"}})
    changed = client.v1.customers.update(made.id, {"phone": "", "metadata": {"a": "", "c": "3"}})
    assert (changed.phone, changed.name, changed.metadata.to_dict()) == (None, "Acme", {"b": "2", "c": "3"})
    [_, updated] = [json.loads(body) for _, body in simulator.take_webhooks()]
    assert updated["data"]["previous_attributes"] == {"metadata": {"a": "1", "b": "2"}, "phone": "1"}


def test_a_deleted_customer_leaves_a_stub_and_takes_no_change(simulator: SimulatorClient):
    client = simulator.client()
    made = client.v1.customers.create({"payment_method": "pm_card_visa"})
    assert client.v1.customers.delete(made.id).deleted is True
    assert client.v1.customers.retrieve(made.id).to_dict() == {"id": made.id, "object": "customer", "deleted": True}
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as raised:
        client.v1.customers.update(made.id, {"name": "Late"})
    assert (raised.value.code, raised.value.http_status) == ("resource_missing", 404)
    assert client.v1.customers.list().data == []


def test_customers_are_found_by_email_and_by_metadata(simulator: SimulatorClient):
    client = simulator.client()
    ids = [client.v1.customers.create({"email": f"{n}@acme.example", "metadata": {"n": str(n)}}).id for n in range(3)]
    assert [found.id for found in client.v1.customers.list({"email": "1@acme.example"})] == [ids[1]]
    assert [found.id for found in client.v1.customers.search({"query": "metadata['n']:'2'"})] == [ids[2]]
    page = client.v1.customers.search({"query": "email~'acme'", "limit": 2})
    assert [found.id for found in page.auto_paging_iter()] == ids[::-1]


def test_the_default_card_must_be_the_customers_own(simulator: SimulatorClient):
    client = simulator.client()
    other = client.v1.customers.create({"payment_method": "pm_card_visa"})
    [foreign] = client.v1.customers.payment_methods.list(other.id).data
    made = client.v1.customers.create({"name": "Acme"})
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": foreign.id}})
    assert raised.value.param == "invoice_settings[default_payment_method]"


def test_a_card_that_always_declines_refuses_the_customer(simulator: SimulatorClient):
    client = simulator.client()
    with pytest.raises(stripe.CardError) as raised:
        client.v1.customers.create({"payment_method": "pm_card_chargeDeclined"})
    assert (raised.value.code, raised.value.http_status) == ("card_declined", 402)
    assert client.v1.customers.list().data == []


def test_an_old_card_token_becomes_the_default_source(simulator: SimulatorClient):
    client = simulator.client()
    made = client.v1.customers.create({"source": "tok_visa"})
    [card] = client.v1.customers.payment_sources.list(made.id).data
    assert (made.default_source, card.to_dict()["last4"]) == (card.id, "4242")
    client.v1.customers.payment_sources.delete(made.id, card.id)
    assert client.v1.customers.retrieve(made.id).default_source is None


def test_the_subscriptions_of_a_deleted_customer_end(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(client, payment_method="pm_card_visa")
    [card] = client.v1.customers.payment_methods.list(customer.id).data
    subscription = subscribe(client, customer, make_price(client), default_payment_method=card.id)
    client.v1.customers.delete(customer.id)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert take_types(simulator)[-2:] == ["customer.subscription.deleted", "customer.deleted"]


def test_what_the_simulator_does_not_do_is_said(simulator: SimulatorClient):
    with pytest.raises(stripe.APIError) as raised:
        simulator.client().v1.customers.create({"tax": {"ip_address": "1.1.1.1"}})
    assert raised.value.http_status == 501
