"""Changes of running subscriptions: items, prorations, anchors, lists."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, unix
from tests.stripe_simulator.selling import find_invoices, make_customer, make_meter, make_metered_price, subscribe, use

START = datetime(2026, 11, 2, tzinfo=UTC)
HALF = START + timedelta(days=15)
END = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


@pytest.fixture
def sent(client, customer):
    return subscribe(client, customer, make_price(client), collection_method="send_invoice", days_until_due=30)


def find_pending(client):
    return sorted(item.amount for item in client.v1.invoice_items.list({"pending": True}).data)


def test_a_new_price_within_the_period_is_prorated_by_the_second(simulator, client, sent):
    simulator.set_time(HALF)
    dearer = make_price(client, unit_amount=4001)
    client.v1.subscriptions.update(sent.id, {"items": [{"id": sent["items"].data[0].id, "price": dearer.id}]})
    assert find_pending(client) == [-500, 2001]
    simulator.set_time(END)
    assert find_invoices(client, sent)[-1].total == 4001 + 1501
    assert find_pending(client) == []


def test_without_proration_only_the_next_period_changes(simulator, client, sent):
    simulator.set_time(HALF)
    change = {"items": [{"id": sent["items"].data[0].id, "quantity": 3}], "proration_behavior": "none"}
    client.v1.subscriptions.update(sent.id, change)
    simulator.set_time(END)
    assert find_invoices(client, sent)[-1].total == 3000


def test_prorations_can_be_invoiced_at_once(simulator, client, sent):
    simulator.set_time(HALF)
    change = {"items": [{"id": sent["items"].data[0].id, "quantity": 2}], "proration_behavior": "always_invoice"}
    client.v1.subscriptions.update(sent.id, change)
    invoice = find_invoices(client, sent)[-1]
    assert (invoice.billing_reason, invoice.total) == ("subscription_update", 500)
    assert [line.parent.invoice_item_details.proration for line in invoice.lines.data] == [True, True]


def test_items_are_added_and_removed_through_their_own_routes(simulator, client, sent):
    metered = make_metered_price(client, make_meter(client))
    item = client.v1.subscription_items.create({"subscription": sent.id, "price": metered.id})
    assert item.current_period_end == unix(END)
    listed = client.v1.subscription_items.list({"subscription": sent.id}).data
    assert [each.id for each in listed] == [sent["items"].data[0].id, item.id]
    assert client.v1.subscription_items.delete(item.id).deleted
    assert len(client.v1.subscriptions.retrieve(sent.id)["items"].data) == 1


def test_the_last_item_stays(client, sent):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscription_items.delete(sent["items"].data[0].id)


def test_usage_of_a_removed_item_is_not_charged(simulator, client, customer, sent):
    item = client.v1.subscription_items.create(
        {"subscription": sent.id, "price": make_metered_price(client, make_meter(client)).id}
    )
    use(client, customer, 100, START)
    client.v1.subscription_items.delete(item.id)
    simulator.set_time(END)
    assert find_invoices(client, sent)[-1].total == 1000


def test_a_new_anchor_begins_a_period_now_and_invoices_usage_so_far(simulator, client, customer):
    made = subscribe(
        client,
        customer,
        make_metered_price(client, make_meter(client)),
        collection_method="send_invoice",
        days_until_due=1,
    )
    simulator.set_time(HALF)
    use(client, customer, 100, START)
    changed = client.v1.subscriptions.update(made.id, {"billing_cycle_anchor": {"type": "now"}})
    (item,) = changed["items"].data
    assert (item.current_period_start, item.current_period_end) == (
        unix(HALF),
        unix(datetime(2026, 12, 17, tzinfo=UTC)),
    )
    assert find_invoices(client, made)[-1].total == 200


def test_a_trial_can_be_ended_at_once(simulator, client, customer):
    made = subscribe(
        client, customer, make_price(client), trial_period_days=30, collection_method="send_invoice", days_until_due=1
    )
    simulator.advance(days=1)
    ended = client.v1.subscriptions.update(made.id, {"trial_end": "now"})
    assert (ended.status, ended.billing_cycle_anchor) == ("active", unix(START + timedelta(days=1)))
    assert find_invoices(client, made)[-1].total == 1000


def test_canceled_subscriptions_are_listed_when_asked_for(client, customer, sent):
    price = sent["items"].data[0].price.id
    client.v1.subscriptions.cancel(sent.id)
    assert client.v1.subscriptions.list({"customer": customer.id}).data == []
    for status in ("canceled", "all", "ended"):
        listed = client.v1.subscriptions.list({"customer": customer.id, "status": status, "price": price}).data
        assert [each.id for each in listed] == [sent.id]


def test_a_coupon_for_one_invoice_is_used_once(simulator, client, customer):
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "once"})
    made = subscribe(
        client,
        customer,
        make_price(client),
        discounts=[{"coupon": coupon.id}],
        collection_method="send_invoice",
        days_until_due=1,
    )
    simulator.set_time(END)
    assert [invoice.total for invoice in find_invoices(client, made)] == [500, 1000]


def test_metadata_finds_a_subscription(client, customer):
    made = subscribe(client, customer, {"price": make_price(client).id, "quantity": 0}, metadata={"palier": "17"})
    assert [each.id for each in client.v1.subscriptions.search({"query": "metadata['palier']:'17'"}).data] == [made.id]


def test_what_is_not_done_says_so(client, customer):
    with pytest.raises(stripe.APIError) as caught:
        subscribe(client, customer, make_price(client), backdate_start_date=unix(START - timedelta(days=3)))
    assert caught.value.http_status == 501


def test_a_trial_ended_by_hand_without_a_card_pauses_if_it_says_so(simulator):
    client = simulator.client()
    price = client.v1.prices.create(
        {
            "currency": "eur",
            "unit_amount": 1500,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Plan"},
        }
    )
    subscription = client.v1.subscriptions.create(
        {
            "customer": client.v1.customers.create({"name": "A"}).id,
            "items": [{"price": price.id}],
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}},
        }
    )
    simulator.take_webhooks()
    changed = client.v1.subscriptions.update(subscription.id, {"trial_end": "now"})
    assert changed.status == "paused"
    assert any(b"customer.subscription.paused" in body for _, body in simulator.take_webhooks())
