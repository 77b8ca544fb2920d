"""Products: ids of one's own, changes, and when one may go."""

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_events


def test_a_product_may_have_an_id_of_ones_own_once(simulator):
    client = simulator.client()
    assert client.v1.products.create({"id": "plan-pro", "name": "Pro"}).id == "plan-pro"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.products.create({"id": "plan-pro", "name": "Pro"})
    assert caught.value.code == "resource_already_exists"


def test_a_default_price_is_made_with_its_product(simulator):
    client = simulator.client()
    product = client.v1.products.create(
        {
            "name": "Pro",
            "default_price_data": {"currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}},
        }
    )
    assert client.v1.prices.retrieve(product.default_price).unit_amount == 900


def test_metadata_is_merged_and_the_event_says_what_changed(simulator):
    client = simulator.client()
    product = client.v1.products.create({"name": "Pro", "metadata": {"plan": "pro", "seat": "1"}})
    simulator.take_webhooks()
    updated = client.v1.products.update(product.id, {"metadata": {"seat": ""}, "name": "Prime"})
    assert updated.metadata.to_dict() == {"plan": "pro"}
    (event,) = take_events(simulator)
    assert event["data"]["previous_attributes"]["name"] == "Pro"


def test_an_update_that_changes_nothing_tells_nothing(simulator):
    client = simulator.client()
    product = client.v1.products.create({"name": "Pro"})
    simulator.take_webhooks()
    simulator.advance(hours=1)
    client.v1.products.update(product.id, {"name": "Pro"})
    assert take_events(simulator) == []


def test_a_product_with_prices_stays(simulator):
    client = simulator.client()
    price = make_price(client)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        client.v1.products.delete(price.product)
    free = client.v1.products.create({"name": "Free"})
    assert client.v1.products.delete(free.id).deleted


def test_products_are_listed_by_their_ids(simulator):
    client = simulator.client()
    first, _ = (client.v1.products.create({"name": name}) for name in ("One", "Two"))
    assert [product.id for product in client.v1.products.list({"ids": [first.id]}).data] == [first.id]
