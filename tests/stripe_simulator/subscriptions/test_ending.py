"""Subscriptions end: now or as planned, with or without what is not invoiced yet; and pauses."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_events, take_types, unix
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
    return subscribe(
        client,
        customer,
        make_metered_price(client, make_meter(client)),
        {"price": make_price(client).id, "quantity": 0},
    )


@pytest.fixture
def sent(client, customer):
    """Licences of 10.00 a month, invoiced by mail."""
    return subscribe(client, customer, make_price(client), collection_method="send_invoice", days_until_due=30)


def test_cancelled_now_usage_is_on_no_invoice(simulator, client, customer, metered):
    simulator.advance(days=10)
    use(client, customer, 100, START)
    ended = client.v1.subscriptions.cancel(metered.id)
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", *[unix(START + timedelta(days=10))] * 2)
    assert ended.cancellation_details.reason == "cancellation_requested"
    simulator.set_time(END + timedelta(days=5))
    assert [invoice.total for invoice in find_invoices(client, metered)] == [0]


def test_with_invoice_now_usage_is_on_a_last_invoice(simulator, client, customer, metered):
    simulator.advance(days=10)
    use(client, customer, 100, START)
    client.v1.subscriptions.cancel(metered.id, {"invoice_now": True})
    last = find_invoices(client, metered)[-1]
    assert (last.status, last.total, last.billing_reason) == ("open", 200, "subscription_update")
    assert last.lines.data[0].period.end == unix(START + timedelta(days=10))


def test_prorated_unused_time_is_given_back(simulator, client, sent):
    simulator.set_time(START + timedelta(days=15))
    client.v1.subscriptions.cancel(sent.id, {"prorate": True})
    (credit,) = client.v1.invoice_items.list({"pending": True}).data
    assert (credit.amount, credit.proration, credit.discountable) == (-500, True, False)
    assert (credit.period.start, credit.period.end) == (unix(START + timedelta(days=15)), unix(END))


def test_without_either_pending_prorations_go_away(simulator, client, sent):
    simulator.set_time(START + timedelta(days=15))
    client.v1.subscriptions.update(sent.id, {"items": [{"id": sent["items"].data[0].id, "quantity": 2}]})
    assert [item.amount for item in client.v1.invoice_items.list({"pending": True}).data] == [1000, -500]
    client.v1.subscriptions.cancel(sent.id)
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_an_end_is_told_of(simulator, client, metered):
    simulator.take_webhooks()
    client.v1.subscriptions.cancel(metered.id)
    assert take_types(simulator) == ["customer.subscription.deleted"]


def test_what_has_ended_cannot_be_changed_or_cancelled_again(client, metered):
    client.v1.subscriptions.cancel(metered.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.cancel(metered.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.update(metered.id, {"cancel_at_period_end": True})
    assert client.v1.subscriptions.update(metered.id, {"metadata": {"why": "test"}}).metadata["why"] == "test"


@pytest.mark.parametrize(
    "params", [{"cancel_at_period_end": True}, {"cancel_at": "min_period_end"}, {"cancel_at": unix(END)}]
)
def test_at_the_planned_end_the_last_usage_is_invoiced_and_nothing_follows(
    simulator, client, customer, metered, params
):
    planned = client.v1.subscriptions.update(metered.id, params)
    assert (planned.status, planned.cancel_at, planned.canceled_at) == ("active", unix(END), unix(START))
    use(client, customer, 100, START)
    simulator.set_time(END)
    ended = client.v1.subscriptions.retrieve(metered.id)
    assert (ended.status, ended.ended_at) == ("canceled", unix(END))
    last = find_invoices(client, metered)[-1]
    assert (last.status, last.billing_reason, last.total, len(last.lines.data)) == (
        "draft",
        "subscription_cycle",
        200,
        1,
    )
    simulator.set_time(END + timedelta(days=60))
    assert len(find_invoices(client, metered)) == 2


def test_a_planned_end_can_be_taken_back(simulator, client, metered):
    client.v1.subscriptions.update(metered.id, {"cancel_at": unix(END)})
    kept = client.v1.subscriptions.update(metered.id, {"cancel_at": ""})
    assert (kept.cancel_at, kept.canceled_at, kept.cancel_at_period_end) == (None, None, False)
    simulator.set_time(END)
    assert client.v1.subscriptions.retrieve(metered.id).status == "active"


def test_an_end_before_the_period_cuts_its_usage(simulator, client, customer, metered):
    client.v1.subscriptions.update(metered.id, {"cancel_at": unix(START + timedelta(days=3))})
    simulator.set_time(START + timedelta(days=4))
    use(client, customer, 5, START + timedelta(days=1))
    use(client, customer, 70, START + timedelta(days=3))
    assert find_invoices(client, metered)[-1].total == 10


@pytest.mark.parametrize(
    ("behavior", "status"), [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")]
)
def test_while_collection_is_paused_invoices_are_made_and_not_collected(
    simulator, client, customer, metered, behavior, status
):
    paused = client.v1.subscriptions.update(metered.id, {"pause_collection": {"behavior": behavior}})
    assert paused.status == "active"
    use(client, customer, 100, START)
    simulator.set_time(END + timedelta(days=2))
    invoice = find_invoices(client, metered)[-1]
    assert (invoice.status, invoice.total, invoice.auto_advance) == (status, 200, False)


def test_a_paused_subscription_stands_still_and_its_usage_is_free(simulator, client, customer, metered):
    simulator.advance(days=3)
    use(client, customer, 10, START)
    paused = client.v1.subscriptions.pause(metered.id)
    assert (paused.status, paused.status_details.paused.type) == ("paused", "subscription")
    assert [item.amount for item in client.v1.invoice_items.list({"pending": True}).data] == [20]
    simulator.set_time(END + timedelta(days=10))
    use(client, customer, 1000, END)
    assert len(find_invoices(client, metered)) == 1
    simulator.take_webhooks()
    resumed = client.v1.subscriptions.resume(metered.id)
    (item, _) = resumed["items"].data
    assert (resumed.status, item.current_period_start) == ("active", unix(END + timedelta(days=10)))
    assert "customer.subscription.resumed" in take_types(simulator)
    simulator.set_time(datetime(2027, 1, 12, tzinfo=UTC))
    assert find_invoices(client, metered)[-1].total == 20


def test_a_paused_subscription_ends_as_planned_without_an_invoice(simulator, client, customer, metered):
    client.v1.subscriptions.update(metered.id, {"cancel_at": unix(END)})
    client.v1.subscriptions.pause(metered.id)
    use(client, customer, 10, START)
    simulator.set_time(END)
    assert client.v1.subscriptions.retrieve(metered.id).status == "canceled"
    assert len(find_invoices(client, metered)) == 1


def test_collection_paused_until_a_moment_goes_on_from_then(simulator, client, metered):
    pause = {"behavior": "void", "resumes_at": unix(START + timedelta(days=5))}
    client.v1.subscriptions.update(metered.id, {"pause_collection": pause})
    simulator.advance(days=5)
    assert client.v1.subscriptions.retrieve(metered.id).pause_collection is None


def test_a_pause_may_leave_usage_unbilled(simulator, client, customer, metered):
    use(client, customer, 10, START)
    client.v1.subscriptions.pause(metered.id, {"bill_for": {"outstanding_usage_through": {"type": "none"}}})
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_an_update_says_what_was_before(simulator, client, metered):
    simulator.take_webhooks()
    client.v1.subscriptions.update(metered.id, {"cancel_at_period_end": True})
    (event,) = take_events(simulator)
    assert event["type"] == "customer.subscription.updated"
    assert event["data"]["previous_attributes"]["cancel_at_period_end"] is False


def test_it_ends_with_its_customer(simulator, client, customer):
    made = subscribe(client, customer, {"price": make_price(client).id, "quantity": 0})
    client.v1.customers.delete(customer.id)
    assert client.v1.subscriptions.retrieve(made.id).status == "canceled"
