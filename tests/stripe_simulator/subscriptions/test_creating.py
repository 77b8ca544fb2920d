"""Subscriptions begin: items, trial, anchor, what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_types, unix
from tests.stripe_simulator.selling import find_invoices, make_customer, make_meter, make_metered_price, subscribe, use

START = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


def refuse(client, customer, *items, **params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscribe(client, customer, *items, **params)
    return caught.value


def test_a_metered_item_takes_no_quantity(client, customer):
    price = make_metered_price(client, make_meter(client))
    assert refuse(client, customer, {"price": price.id, "quantity": 1}).param == "items[0][quantity]"


@pytest.mark.parametrize(
    ("params", "word"),
    [({"active": False}, "inactive"), ({"recurring": None}, "recurring"), ({"currency": "usd"}, "currency")],
)
def test_a_price_that_cannot_be_subscribed_to_is_refused(client, customer, params, word):
    assert word in str(refuse(client, customer, make_price(client), make_price(client, **params)))


def test_a_subscription_has_twenty_items_at_most(client, customer):
    price = make_price(client)
    assert refuse(client, customer, *([{"price": price.id, "quantity": 0}] * 21)).param == "items"


def test_a_customer_has_one_currency(client, customer):
    subscribe(client, customer, {"price": make_price(client).id, "quantity": 0})
    error = refuse(client, customer, {"price": make_price(client, currency="usd").id, "quantity": 0})
    assert "currencies" in str(error)


def test_a_price_to_pay_needs_a_card(client, customer):
    error = refuse(client, customer, make_price(client))
    assert (error.code, "payment method" in str(error)) == ("resource_missing", True)
    assert client.v1.subscriptions.list({"customer": customer.id}).data == []


def test_an_invoice_that_is_sent_needs_days(client, customer):
    assert refuse(client, customer, make_price(client), collection_method="send_invoice").param == "days_until_due"
    assert refuse(client, customer, make_price(client), days_until_due=3).param == "days_until_due"


def test_a_sent_subscription_begins_active_with_a_draft(client, customer):
    made = subscribe(client, customer, make_price(client), collection_method="send_invoice", days_until_due=30)
    (first,) = find_invoices(client, made)
    assert (made.status, first.status, first.due_date) == ("active", "draft", unix(START + timedelta(days=30)))


def test_the_first_period_ends_at_the_anchor_without_a_charge(simulator, client, customer):
    anchor = datetime(2026, 11, 15, 22, 30, tzinfo=UTC)
    made = subscribe(client, customer, make_price(client), billing_cycle_anchor=unix(anchor), proration_behavior="none")
    (item,) = made["items"].data
    assert (item.current_period_start, item.current_period_end) == (unix(START), unix(anchor))
    assert find_invoices(client, made)[0].total == 0
    simulator.set_time(anchor)
    assert find_invoices(client, made)[-1].total == 1000


def test_a_short_first_period_costs_its_share(client, customer):
    made = subscribe(
        client,
        customer,
        make_price(client, unit_amount=3100),
        billing_cycle_anchor=unix(datetime(2026, 11, 12, tzinfo=UTC)),
        collection_method="send_invoice",
        days_until_due=1,
    )
    assert find_invoices(client, made)[0].total == 1000  # ten days of October's 31


def test_an_anchor_is_at_most_one_period_ahead(client, customer):
    late = unix(datetime(2026, 12, 2, 0, 0, 1, tzinfo=UTC))
    error = refuse(client, customer, make_price(client), billing_cycle_anchor=late, proration_behavior="none")
    assert error.param == "billing_cycle_anchor"


def test_an_anchor_can_be_a_day_of_the_month_that_short_months_lack(simulator, client, customer):
    config = {"day_of_month": 31, "hour": 0, "minute": 0, "second": 0}
    made = subscribe(
        client, customer, make_metered_price(client, make_meter(client)), billing_cycle_anchor_config=config
    )
    assert made["items"].data[0].current_period_end == unix(datetime(2026, 11, 30, tzinfo=UTC))
    simulator.set_time(datetime(2026, 12, 1, tzinfo=UTC))
    item = client.v1.subscriptions.retrieve(made.id)["items"].data[0]
    assert item.current_period_end == unix(datetime(2026, 12, 31, tzinfo=UTC))


def test_a_trial_is_free_and_tells_before_it_ends(simulator, client, customer):
    end = START + timedelta(days=14)
    made = subscribe(
        client, customer, make_price(client), trial_end=unix(end), collection_method="send_invoice", days_until_due=1
    )
    assert (made.status, made.trial_end, made.billing_cycle_anchor) == ("trialing", unix(end), unix(end))
    assert [invoice.total for invoice in find_invoices(client, made)] == [0]
    simulator.take_webhooks()
    simulator.set_time(end - timedelta(days=3))
    assert "customer.subscription.trial_will_end" in take_types(simulator)
    simulator.set_time(end)
    assert client.v1.subscriptions.retrieve(made.id).status == "active"
    assert find_invoices(client, made)[-1].total == 1000


def test_usage_in_a_trial_is_on_no_invoice(simulator, client, customer):
    price = make_metered_price(client, make_meter(client))
    made = subscribe(client, customer, price, trial_period_days=7)
    use(client, customer, 100, START)
    before = made.latest_invoice
    simulator.advance(days=7)
    active = client.v1.subscriptions.retrieve(made.id)
    assert (active.status, active.latest_invoice) == ("active", before)
    simulator.set_time(datetime(2026, 12, 9, tzinfo=UTC))
    assert [invoice.total for invoice in find_invoices(client, made)] == [0, 0]


@pytest.mark.parametrize(("behavior", "status"), [("cancel", "canceled"), ("pause", "paused")])
def test_a_trial_without_a_card_ends_as_the_subscription_says(simulator, client, customer, behavior, status):
    made = subscribe(
        client,
        customer,
        make_price(client),
        trial_period_days=7,
        trial_settings={"end_behavior": {"missing_payment_method": behavior}},
    )
    simulator.advance(days=7)
    assert client.v1.subscriptions.retrieve(made.id).status == status
    assert len(find_invoices(client, made)) == 1


def test_items_of_different_intervals_need_the_flexible_mode(client, customer):
    monthly = make_metered_price(client, make_meter(client))
    daily = {"price": make_price(client, recurring={"interval": "day"}).id, "quantity": 0}
    error = refuse(client, customer, monthly, daily, billing_mode={"type": "classic"})
    assert "interval" in str(error)
    made = subscribe(client, customer, monthly, daily)
    ends = [item.current_period_end for item in made["items"].data]
    assert ends == [unix(datetime(2026, 12, 2, tzinfo=UTC)), unix(datetime(2026, 11, 3, tzinfo=UTC))]


def test_a_new_subscription_is_told_of(simulator, client, customer):
    price = make_price(client)
    simulator.take_webhooks()
    subscribe(client, customer, {"price": price.id, "quantity": 0})
    types = take_types(simulator)
    assert types[:2] == ["customer.subscription.created", "invoice.created"]
    assert types[-2:] == ["invoice.paid", "invoice.payment_succeeded"]


def test_prices_show_their_tiers_inside_of_items_when_asked(client, customer):
    tiers = [{"up_to": 5, "unit_amount": 1}, {"up_to": "inf", "unit_amount": 2}]
    price = make_metered_price(client, make_meter(client), billing_scheme="tiered", tiers_mode="volume", tiers=tiers)
    made = subscribe(client, customer, price, expand=["items.data.price.tiers"])
    assert [tier.up_to for tier in made["items"].data[0].price.tiers] == [5, None]


def test_one_that_is_backdated_begins_its_first_period_in_the_past(simulator, client, customer):
    price = make_metered_price(client, make_meter(client))
    december = datetime(2026, 12, 1, tzinfo=UTC)
    simulator.set_time(START + timedelta(days=9))
    terms = {"proration_behavior": "none", "billing_cycle_anchor": unix(december)}
    made = subscribe(client, customer, {"price": price.id}, backdate_start_date=unix(START), **terms)
    [item] = made["items"].data
    assert (made.start_date, item.current_period_start, item.current_period_end) == (
        unix(START),
        unix(START),
        unix(december),
    )
    error = refuse(client, customer, {"price": price.id}, backdate_start_date=unix(december), **terms)
    assert error.param == "backdate_start_date"
