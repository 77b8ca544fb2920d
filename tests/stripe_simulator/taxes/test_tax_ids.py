"""Tax ids of customers."""

import pytest
import stripe

from tests.stripe_simulator.makers import take_types
from tests.stripe_simulator.selling import make_customer

GERMAN = {"type": "eu_vat", "value": "DE123456789"}


def test_a_customer_has_a_tax_id_once(simulator):
    client = simulator.client()
    customer = make_customer(client)
    made = client.v1.customers.tax_ids.create(customer.id, GERMAN)
    assert (made.country, made.verification.status, made.customer) == ("DE", "pending", customer.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.tax_ids.create(customer.id, GERMAN)
    assert caught.value.code == "resource_already_exists"


def test_a_tax_id_is_found_by_its_owner_and_deleted(simulator):
    client = simulator.client()
    customer = make_customer(client)
    owner = {"type": "customer", "customer": customer.id}
    made = client.v1.tax_ids.create({**GERMAN, "owner": owner})
    assert [each.id for each in client.v1.tax_ids.list({"owner": owner}).data] == [made.id]
    assert client.v1.customers.tax_ids.delete(customer.id, made.id).deleted
    assert take_types(simulator, "customer.tax_id") == ["customer.tax_id.created", "customer.tax_id.deleted"]
