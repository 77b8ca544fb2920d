"""Cycle invoices: a draft at the period's end, its usage read until it is final, nothing of it later."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.stripe_simulator.makers import make_price, take_events, take_types, unix
from tests.stripe_simulator.selling import find_invoices, make_customer, make_meter, make_metered_price, subscribe, use

START = datetime(2026, 11, 2, tzinfo=UTC)
END = datetime(2026, 12, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


@pytest.fixture
def metered(client, customer):
    """A subscription to a metered price and to a licence of quantity 0."""
    price = make_metered_price(client, make_meter(client))
    return subscribe(client, customer, price, {"price": make_price(client).id, "quantity": 0})


def read_metered_line(invoice):
    return next(line for line in invoice.lines.data if line.pricing.unit_amount_decimal == 2)


def test_a_subscription_without_anything_to_pay_is_active_and_its_first_invoice_paid(client, metered):
    (first,) = find_invoices(client, metered)
    assert (metered.status, first.status, first.billing_reason) == ("active", "paid", "subscription_create")
    assert first.total == 0


def test_items_tell_their_period_and_metered_ones_no_quantity(metered):
    usage, licence = metered["items"].data
    assert (usage.current_period_start, usage.current_period_end) == (unix(START), unix(END))
    assert "quantity" not in usage.to_dict()
    assert licence.quantity == 0


def test_the_periods_end_makes_a_draft_with_the_usage_of_the_period(simulator, client, customer, metered):
    simulator.set_time(END)
    use(client, customer, 100, START)
    use(client, customer, 20, END - timedelta(seconds=1))
    use(client, customer, 1000, END)
    draft = find_invoices(client, metered)[-1]
    assert (draft.status, draft.billing_reason, draft.auto_advance) == ("draft", "subscription_cycle", True)
    assert (draft.period_start, draft.period_end) == (unix(START), unix(END))
    assert draft.automatically_finalizes_at == unix(END + HOUR)
    line = read_metered_line(draft)
    assert (line.amount, line.quantity, line.quantity_decimal) == (240, 120, Decimal(120))
    assert (line.period.start, line.period.end) == (unix(START), unix(END))
    assert line.parent.subscription_item_details.subscription_item == metered["items"].data[0].id


def test_usage_within_the_grace_counts_and_later_usage_is_on_no_invoice(simulator, client, customer, metered):
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    simulator.set_time(END)
    simulator.take_webhooks()
    use(client, customer, 100, END - HOUR)
    simulator.set_time(END + HOUR)
    invoice = find_invoices(client, metered)[-1]
    assert (invoice.status, invoice.amount_due, invoice.number is not None) == ("paid", 200, True)
    use(client, customer, 1000, END - HOUR)
    simulator.set_time(datetime(2027, 1, 2, 2, tzinfo=UTC))
    assert [each.total for each in find_invoices(client, metered)] == [0, 200, 0]


def test_the_grace_is_a_setting(simulator, client, metered):
    simulator.settings(grace=72 * 3600)
    simulator.set_time(END + timedelta(hours=71))
    assert find_invoices(client, metered)[-1].status == "draft"


def test_a_draft_waits_for_the_delivery_of_its_webhook_for_72_hours_at_most(simulator, client, customer, metered):
    use(client, customer, 100, START)
    simulator.set_time(END + timedelta(hours=71))
    draft = find_invoices(client, metered)[-1]
    assert (draft.status, draft.webhooks_delivered_at) == ("draft", None)
    simulator.set_time(END + timedelta(hours=72))
    assert find_invoices(client, metered)[-1].status == "open"


def test_a_delivered_draft_is_finalised_soon_after(simulator, client, customer, metered):
    use(client, customer, 100, START)
    simulator.set_time(END + timedelta(hours=5))
    simulator.take_webhooks()
    simulator.set_time(END + timedelta(hours=5, minutes=10))
    assert find_invoices(client, metered)[-1].status == "open"


def test_a_held_draft_stays_a_draft(simulator, client, metered):
    simulator.set_time(END)
    simulator.take_webhooks()
    draft = find_invoices(client, metered)[-1]
    held = client.v1.invoices.update(draft.id, {"auto_advance": False})
    assert held.automatically_finalizes_at is None
    simulator.set_time(END + timedelta(days=20))
    assert client.v1.invoices.retrieve(draft.id).status == "draft"


def test_a_licence_is_charged_in_advance_and_usage_in_arrears(simulator, client, customer):
    subscription = subscribe(client, customer, make_price(client), collection_method="send_invoice", days_until_due=30)
    simulator.set_time(END)
    first, second = find_invoices(client, subscription)
    assert (first.lines.data[0].period.start, first.lines.data[0].period.end) == (unix(START), unix(END))
    assert (second.lines.data[0].period.start, second.total) == (unix(END), 1000)


def test_nothing_to_pay_is_paid_at_once(simulator, client, metered):
    simulator.set_time(END)
    simulator.take_webhooks()
    simulator.set_time(END + HOUR)
    invoice = find_invoices(client, metered)[-1]
    assert (invoice.status, invoice.total, invoice.attempted) == ("paid", 0, True)


def test_a_cycle_tells_its_steps(simulator, client, customer, metered):
    use(client, customer, 100, START)
    simulator.take_webhooks()
    simulator.set_time(END)
    events = take_events(simulator)
    assert [event["type"] for event in events] == [
        "invoice.upcoming",
        "customer.subscription.updated",
        "invoice.created",
    ]
    assert events[1]["data"]["previous_attributes"]["latest_invoice"]
    simulator.set_time(END + HOUR)
    assert take_types(simulator)[:2] == ["invoice.updated", "invoice.finalized"]


def test_boundaries_are_those_of_the_anchor(simulator, client, customer):
    simulator.set_time(datetime(2027, 1, 31, 10, tzinfo=UTC))
    subscription = subscribe(client, customer, make_metered_price(client, make_meter(client)))
    simulator.set_time(datetime(2027, 4, 1, tzinfo=UTC))
    (item,) = client.v1.subscriptions.retrieve(subscription.id)["items"].data
    assert item.current_period_start == unix(datetime(2027, 3, 31, 10, tzinfo=UTC))
    starts = [invoice.period_start for invoice in find_invoices(client, subscription)]
    assert starts == [unix(datetime(2027, 1, 31, 10, tzinfo=UTC)), unix(datetime(2027, 2, 28, 10, tzinfo=UTC))]


def test_graduated_usage_is_one_line_rounded_once(simulator, client, customer):
    tiers = [{"up_to": 100, "unit_amount_decimal": "0.3"}, {"up_to": "inf", "unit_amount_decimal": "0.07"}]
    price = make_metered_price(client, make_meter(client), billing_scheme="tiered", tiers_mode="graduated", tiers=tiers)
    subscription = subscribe(client, customer, price)
    use(client, customer, 150, START)
    simulator.set_time(END)
    (line,) = find_invoices(client, subscription)[-1].lines.data
    assert (line.amount, line.pricing.unit_amount_decimal) == (34, None)  # 30 + 3.5
