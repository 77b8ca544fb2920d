"""Invoices are paid, fail, are tried again, are given up; what is too little waits on the balance."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_types, unix
from tests.stripe_simulator.selling import find_invoices, give_card, make_customer, subscribe

START = datetime(2026, 11, 2, tzinfo=UTC)
END = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


def make_invoice(client, customer, amount, **params):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur", **params})
    client.v1.invoices.add_lines(draft.id, {"lines": [{"amount": amount}]})
    return draft


def finalise(client, draft, **params):
    client.v1.invoices.finalize_invoice(draft.id, params)
    return client.v1.invoices.retrieve(draft.id)


def test_a_finalised_invoice_that_advances_is_charged_after_the_answer(simulator, client, customer):
    give_card(client, customer)
    draft = make_invoice(client, customer, 900)
    simulator.take_webhooks()
    answer = client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": True})
    assert (answer.status, answer.amount_paid) == ("open", 0)
    paid = client.v1.invoices.retrieve(draft.id)
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.attempt_count) == ("paid", 900, 0, 0)
    types = take_types(simulator, "invoice.")
    assert types == [
        "invoice.updated",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


def test_held_after_finalisation_it_stays_open(client, customer):
    give_card(client, customer)
    assert finalise(client, make_invoice(client, customer, 900), auto_advance=False).status == "open"


def test_nothing_due_is_paid_within_the_answer(client, customer):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    assert client.v1.invoices.finalize_invoice(draft.id).status == "paid"


def test_a_failed_invoice_is_tried_again_after_3_5_and_7_days(simulator, client, customer):
    give_card(client, customer, "pm_card_chargeCustomerFail")
    failed = finalise(client, make_invoice(client, customer, 900), auto_advance=True)
    assert (failed.status, failed.attempt_count, failed.attempted) == ("open", 1, True)
    moments = [failed.next_payment_attempt]
    for days in (3, 5):
        simulator.advance(days=days)
        moments.append(client.v1.invoices.retrieve(failed.id).next_payment_attempt)
    assert moments == [unix(START + timedelta(days=days)) for days in (3, 8, 15)]
    simulator.advance(days=7)
    last = client.v1.invoices.retrieve(failed.id)
    assert (last.status, last.attempt_count, last.next_payment_attempt) == ("open", 4, None)


def test_a_retry_with_a_good_card_pays(simulator, client, customer):
    give_card(client, customer, "pm_card_chargeCustomerFail")
    failed = finalise(client, make_invoice(client, customer, 900), auto_advance=True)
    give_card(client, customer)
    simulator.advance(days=3)
    assert client.v1.invoices.retrieve(failed.id).status == "paid"


def test_a_declined_payment_by_hand_stays_known(simulator, client, customer):
    give_card(client, customer, "pm_card_chargeCustomerFail")
    draft = finalise(client, make_invoice(client, customer, 900), auto_advance=False)
    with pytest.raises(stripe.CardError):
        client.v1.invoices.pay(draft.id)
    assert client.v1.invoices.retrieve(draft.id).attempted
    assert "invoice.payment_failed" in take_types(simulator)


def test_a_bank_that_asks_is_told(simulator, client, customer):
    give_card(client, customer, "pm_card_authenticationRequired")
    finalise(client, make_invoice(client, customer, 900), auto_advance=True)
    types = take_types(simulator, "invoice.payment")
    assert types == ["invoice.payment_failed", "invoice.payment_action_required"]


def test_a_paid_invoice_is_neither_paid_again_nor_voided(client, customer):
    give_card(client, customer)
    paid = finalise(client, make_invoice(client, customer, 900), auto_advance=True)
    for call in (client.v1.invoices.pay, client.v1.invoices.void_invoice, client.v1.invoices.mark_uncollectible):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            call(paid.id)
        assert caught.value.code == "invoice_already_paid"


def test_an_open_invoice_is_voided_a_draft_is_not(simulator, client, customer):
    draft = make_invoice(client, customer, 900)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoices.void_invoice(draft.id)
    finalise(client, draft, auto_advance=False)
    void = client.v1.invoices.void_invoice(draft.id)
    assert (void.status, void.status_transitions.voided_at) == ("void", unix(START))
    assert "invoice.voided" in take_types(simulator)


def test_an_uncollectible_invoice_can_still_be_paid_or_voided(simulator, client, customer):
    first, second = (finalise(client, make_invoice(client, customer, 900), auto_advance=False) for _ in range(2))
    assert client.v1.invoices.mark_uncollectible(first.id).status == "uncollectible"
    client.v1.invoices.mark_uncollectible(second.id)
    assert client.v1.invoices.pay(first.id, {"paid_out_of_band": True}).status == "paid"
    assert client.v1.invoices.void_invoice(second.id).status == "void"


def test_an_amount_too_small_to_charge_waits_on_the_balance(client, customer):
    small = finalise(client, make_invoice(client, customer, 49), auto_advance=True)
    assert (small.status, small.total, small.amount_due, small.ending_balance) == ("paid", 49, 0, 49)
    assert client.v1.customers.retrieve(customer.id).balance == 49
    (transaction,) = client.v1.customers.balance_transactions.list(customer.id).data
    assert (transaction.type, transaction.invoice) == ("invoice_too_small", small.id)
    following = finalise(client, make_invoice(client, customer, 100), auto_advance=False)
    assert (following.starting_balance, following.amount_due, following.ending_balance) == (49, 149, 0)


def test_credit_of_the_balance_pays_first_and_comes_back_with_a_void(client, customer):
    client.v1.customers.balance_transactions.create(customer.id, {"amount": -300, "currency": "eur"})
    invoice = finalise(client, make_invoice(client, customer, 1000), auto_advance=False)
    assert (invoice.starting_balance, invoice.amount_due, invoice.ending_balance) == (-300, 700, 0)
    client.v1.invoices.void_invoice(invoice.id)
    assert client.v1.customers.retrieve(customer.id).balance == -300


def test_a_negative_total_becomes_credit(client, customer):
    invoice = finalise(client, make_invoice(client, customer, -250), auto_advance=False)
    assert (invoice.status, invoice.total, invoice.amount_due, invoice.ending_balance) == ("paid", -250, 0, -250)
    assert client.v1.customers.retrieve(customer.id).balance == -250


def test_without_a_place_automatic_tax_keeps_the_draft_and_says_why(simulator, client, customer):
    draft = make_invoice(client, customer, 900, automatic_tax={"enabled": True})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.invoices.finalize_invoice(draft.id)
    assert caught.value.code == "customer_tax_location_invalid"
    held = client.v1.invoices.retrieve(draft.id)
    assert (held.status, held.last_finalization_error.code) == ("draft", "customer_tax_location_invalid")
    assert "invoice.finalization_failed" in take_types(simulator)
    client.v1.customers.update(customer.id, {"address": {"country": "FR"}})
    assert client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False}).status == "open"


def test_a_first_payment_makes_a_subscription_active(simulator, client, customer):
    give_card(client, customer)
    simulator.take_webhooks()
    made = subscribe(client, customer, make_price(client))
    assert (made.status, find_invoices(client, made)[0].status) == ("active", "paid")
    types = take_types(simulator, "customer.subscription")
    assert types == ["customer.subscription.created", "customer.subscription.updated"]


def test_a_failed_first_payment_expires_after_23_hours(simulator, client, customer):
    give_card(client, customer, "pm_card_chargeCustomerFail")
    made = subscribe(client, customer, make_price(client))
    assert made.status == "incomplete"
    simulator.advance(hours=23)
    assert client.v1.subscriptions.retrieve(made.id).status == "incomplete_expired"
    assert find_invoices(client, made)[0].status == "void"


def test_a_failed_first_payment_can_refuse_the_subscription(client, customer):
    give_card(client, customer, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        subscribe(client, customer, make_price(client), payment_behavior="error_if_incomplete")
    assert client.v1.subscriptions.list({"status": "all"}).data == []


def test_a_first_payment_can_be_left_to_the_caller(client, customer):
    made = subscribe(
        client,
        customer,
        make_price(client),
        payment_behavior="default_incomplete",
        expand=["latest_invoice.confirmation_secret"],
    )
    assert made.status == "incomplete"
    assert made.latest_invoice.confirmation_secret.type == "payment_intent"
    give_card(client, customer)
    client.v1.invoices.pay(made.latest_invoice.id)
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


@pytest.mark.parametrize(
    ("setting", "status"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")]
)
def test_after_the_last_try_a_subscription_ends_as_the_account_says(simulator, client, customer, setting, status):
    simulator.settings(after_retries=setting)
    give_card(client, customer)
    made = subscribe(client, customer, make_price(client))
    give_card(client, customer, "pm_card_chargeCustomerFail")
    simulator.set_time(END)
    simulator.take_webhooks()
    simulator.set_time(END + timedelta(hours=1))
    assert client.v1.subscriptions.retrieve(made.id).status == "past_due"
    simulator.advance(days=15)
    assert client.v1.subscriptions.retrieve(made.id).status == status


def test_a_past_due_subscription_is_active_again_once_it_is_paid(simulator, client, customer):
    give_card(client, customer)
    made = subscribe(client, customer, make_price(client))
    give_card(client, customer, "pm_card_chargeCustomerFail")
    simulator.set_time(END)
    simulator.take_webhooks()
    simulator.set_time(END + timedelta(hours=1))
    give_card(client, customer)
    client.v1.invoices.pay(find_invoices(client, made)[-1].id)
    assert client.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_sent_invoice_tells_before_and_after_its_due_date(simulator, client, customer):
    draft = make_invoice(client, customer, 900, collection_method="send_invoice", days_until_due=10)
    client.v1.invoices.send_invoice(draft.id)
    assert "invoice.sent" in take_types(simulator)
    simulator.advance(days=10)
    assert take_types(simulator, "invoice.") == ["invoice.will_be_due", "invoice.overdue"]


def test_a_bank_that_asks_while_somebody_pays_is_a_card_error(client, customer):
    draft = make_invoice(client, customer, 900)
    give_card(client, customer, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as caught:
        client.v1.invoices.pay(draft.id)
    assert caught.value.code == "invoice_payment_intent_requires_action"
    assert client.v1.invoices.retrieve(draft.id).status == "open"
