"""Previews show what would be invoiced, and leave no trace."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_types, unix
from tests.stripe_simulator.selling import find_invoices, make_customer, make_meter, make_metered_price, subscribe, use

START = datetime(2026, 11, 2, tzinfo=UTC)
END = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


@pytest.fixture
def metered(client, customer):
    licence = {"price": make_price(client).id, "quantity": 0}
    return subscribe(client, customer, make_metered_price(client, make_meter(client)), licence)


def test_a_preview_of_the_renewal_is_what_the_renewal_will_be(simulator, client, customer, metered):
    use(client, customer, 100, START)
    preview = client.v1.invoices.create_preview({"subscription": metered.id})
    assert (preview.total, preview.billing_reason, preview.status) == (200, "upcoming", "draft")
    assert preview.id.startswith("upcoming_in")
    simulator.set_time(END)
    real = find_invoices(client, metered)[-1]
    assert (real.total, real.period_end) == (preview.total, preview.period_end)


def test_a_preview_leaves_no_trace(simulator, client, customer, metered):
    simulator.take_webhooks()
    before = client.v1.subscriptions.retrieve(metered.id).to_dict()
    client.v1.invoices.create_preview({"customer": customer.id, "invoice_items": [{"amount": 5, "currency": "eur"}]})
    assert take_types(simulator) == []
    assert client.v1.subscriptions.retrieve(metered.id).to_dict() == before
    assert client.v1.invoice_items.list({"customer": customer.id}).data == []
    assert len(find_invoices(client, metered)) == 1


def test_a_change_is_previewed_with_its_prorations(simulator, client, customer):
    made = subscribe(client, customer, make_price(client), collection_method="send_invoice", days_until_due=1)
    simulator.advance(days=15)
    change = {"items": [{"id": made["items"].data[0].id, "quantity": 3}]}
    preview = client.v1.invoices.create_preview({"subscription": made.id, "subscription_details": change})
    assert preview.total == 3000 + 1000


def test_an_end_now_is_previewed_with_the_usage_so_far(simulator, client, customer, metered):
    simulator.advance(days=3)
    use(client, customer, 30, START)
    details = {"cancel_now": True}
    preview = client.v1.invoices.create_preview({"subscription": metered.id, "subscription_details": details})
    assert preview.total == 60
    assert client.v1.subscriptions.retrieve(metered.id).status == "active"


def test_a_subscription_that_is_not_there_yet_is_previewed(client, customer):
    details = {"items": [{"price": make_price(client).id, "quantity": 2}]}
    preview = client.v1.invoices.create_preview({"customer": customer.id, "subscription_details": details})
    assert preview.total == 2000
    assert client.v1.subscriptions.list({"customer": customer.id}).data == []


def test_nothing_to_come_is_said(client, customer, metered):
    client.v1.subscriptions.cancel(metered.id)
    for given in ({"subscription": metered.id}, {"customer": customer.id}):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.invoices.create_preview(given)
        assert caught.value.code == "invoice_upcoming_none"


def test_a_renewal_is_told_a_week_ahead(simulator, client, metered):
    simulator.take_webhooks()
    simulator.set_time(END - timedelta(days=7))
    assert take_types(simulator) == ["invoice.upcoming"]
    assert unix(END) == client.v1.subscriptions.retrieve(metered.id)["items"].data[0].current_period_end
