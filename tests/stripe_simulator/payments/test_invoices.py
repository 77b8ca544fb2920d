"""How invoices are paid over HTTP: which card, what a decline or a bank's question leaves, one intent for all tries."""

from datetime import timedelta

import pytest
import requests
import stripe

from tests.simulators import START, SimulatorClient
from tests.stripe_simulator.makers import make_customer, make_price, take_events, take_types
from tests.stripe_simulator.selling import find_invoices, subscribe


def make_invoice(simulator: SimulatorClient, customer: str, *, amount: int = 5000, **more: object) -> stripe.Invoice:
    """A draft of one line."""
    client = simulator.client()
    invoice = client.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": False, **more})  # type: ignore[typeddict-item]
    client.v1.invoice_items.create({"customer": customer, "invoice": invoice.id, "amount": amount, "currency": "eur"})
    return invoice


def save_card(simulator: SimulatorClient, customer: str, token: str) -> str:
    client = simulator.client()
    method = client.v1.payment_methods.attach(token, {"customer": customer})
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})
    return method.id


def finalise(simulator: SimulatorClient, invoice: stripe.Invoice) -> stripe.Invoice:
    """Open it and let it be collected."""
    client = simulator.client()
    client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    simulator.advance(seconds=1)
    return read(simulator, invoice)


def read(simulator: SimulatorClient, invoice: stripe.Invoice) -> stripe.Invoice:
    return simulator.client().v1.invoices.retrieve(invoice.id, {"expand": ["payments.data.payment.payment_intent"]})


def list_intents(invoice: stripe.Invoice) -> list[stripe.PaymentIntent]:
    assert invoice.payments is not None
    intents = [payment.payment.payment_intent for payment in invoice.payments.data]
    assert all(isinstance(intent, stripe.PaymentIntent) for intent in intents)
    return intents  # type: ignore[return-value]


def test_an_invoice_is_paid_by_the_customers_card(simulator: SimulatorClient):
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_visa")
    invoice = make_invoice(simulator, customer)
    take_types(simulator)
    invoice = finalise(simulator, invoice)
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 5000, 0)
    [payment] = simulator.client().v1.invoice_payments.list({"invoice": invoice.id}).data
    assert (payment.status, payment.amount_paid, payment.amount_requested) == ("paid", 5000, 5000)
    told = take_types(simulator)
    for name in ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "invoice_payment.paid"):
        assert told.count(name) == 1
    assert [intent.status for intent in list_intents(invoice)] == ["succeeded"]


def test_a_failed_invoice_is_paid_later_by_the_same_intent(simulator: SimulatorClient):
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_chargeCustomerFail")
    invoice = finalise(simulator, make_invoice(simulator, customer))
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    [failed] = list_intents(invoice)
    assert failed.last_payment_error is not None
    assert (failed.status, failed.last_payment_error.code) == ("requires_payment_method", "card_declined")
    save_card(simulator, customer, "pm_card_visa")
    paid = simulator.client().v1.invoices.pay(invoice.id)
    assert paid.status == "paid"
    assert [intent.id for intent in list_intents(read(simulator, invoice))] == [failed.id]
    assert len(take_events(simulator, "payment_intent.created")) == 1


def test_asking_for_payment_answers_the_cards_error_and_keeps_the_try(simulator: SimulatorClient):
    customer = make_customer(simulator)
    invoice = make_invoice(simulator, customer)
    client = simulator.client()
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        client.v1.invoices.pay(invoice.id)
    save_card(simulator, customer, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as raised:
        client.v1.invoices.pay(invoice.id)
    assert raised.value.code == "card_declined"
    assert (read(simulator, invoice).status, read(simulator, invoice).attempted) == ("open", True)
    assert take_types(simulator, "invoice.payment_failed") == ["invoice.payment_failed"]
    assert client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"}).status == "paid"


def test_a_bank_that_asks_leaves_the_invoice_waiting_for_its_customer(simulator: SimulatorClient):
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_authenticationRequired")
    invoice = finalise(simulator, make_invoice(simulator, customer))
    assert invoice.status == "open"
    assert [intent.status for intent in list_intents(invoice)] == ["requires_action"]
    assert take_types(simulator, "invoice.payment_") == ["invoice.payment_failed", "invoice.payment_action_required"]


def test_without_a_card_the_attempt_fails_and_no_charge_is_made(simulator: SimulatorClient):
    invoice = finalise(simulator, make_invoice(simulator, make_customer(simulator)))
    assert (invoice.status, invoice.attempted) == ("open", True)
    assert take_types(simulator, "charge.") == []


def test_the_invoices_own_card_goes_before_the_customers(simulator: SimulatorClient):
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_chargeCustomerFail")
    own = simulator.client().v1.payment_methods.attach("pm_card_mastercard", {"customer": customer})
    invoice = finalise(simulator, make_invoice(simulator, customer, default_payment_method=own.id))
    assert [intent.payment_method for intent in list_intents(invoice)] == [own.id]


def test_voiding_an_invoice_cancels_its_intent(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_chargeCustomerFail")
    invoice = finalise(simulator, make_invoice(simulator, customer))
    client.v1.invoices.void_invoice(invoice.id)
    [intent] = list_intents(read(simulator, invoice))
    assert (intent.status, intent.cancellation_reason) == ("canceled", "void_invoice")
    assert [payment.status for payment in client.v1.invoice_payments.list({"invoice": invoice.id})] == ["canceled"]


def test_a_bank_that_was_asked_when_the_subscription_began_lets_its_cycles_pass(simulator: SimulatorClient):
    client = simulator.client()
    customer = client.v1.customers.create({"name": "Acme"})
    save_card(simulator, customer.id, "pm_card_authenticationRequiredOnSetup")
    subscription = subscribe(client, customer, make_price(client), expand=["latest_invoice.payments"])
    assert subscription.status == "incomplete"
    [payment] = subscription.latest_invoice.payments.data
    requests.post(f"{simulator.url}/authenticate/{payment.payment.payment_intent}", {"outcome": "complete"}, timeout=9)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    simulator.set_time(START + timedelta(days=30))
    simulator.take_webhooks()
    simulator.advance(hours=2)
    assert [invoice.status for invoice in find_invoices(client, subscription)] == ["paid", "paid"]


def test_the_card_of_the_subscription_goes_before_the_customers(simulator: SimulatorClient):
    client = simulator.client()
    customer = client.v1.customers.create({"name": "Acme"})
    save_card(simulator, customer.id, "pm_card_chargeCustomerFail")
    own = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id}).id
    subscription = subscribe(client, customer, make_price(client), default_payment_method=own)
    assert subscription.status == "active"


def test_the_secret_of_a_payment_is_shown_when_asked_for(simulator: SimulatorClient):
    client = simulator.client()
    invoice = make_invoice(simulator, make_customer(simulator))
    opened = client.v1.invoices.finalize_invoice(invoice.id, {"expand": ["confirmation_secret", "payments"]})
    assert opened.confirmation_secret is not None
    assert opened.payments is not None
    intent = opened.payments.data[0].payment.payment_intent
    assert opened.confirmation_secret.client_secret.startswith(f"{intent}_secret_")
    assert "confirmation_secret" not in client.v1.invoices.retrieve(invoice.id).to_dict()


def test_an_invoice_paid_elsewhere_is_charged_to_nobody_by_a_bank_that_answers_late(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_authenticationRequired")
    invoice = finalise(simulator, make_invoice(simulator, customer))
    take_types(simulator)
    client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})
    assert take_types(simulator) == ["invoice.updated", "payment_intent.canceled", "invoice.paid"]
    [intent] = list_intents(read(simulator, invoice))
    answer = requests.post(f"{simulator.url}/authenticate/{intent.id}", {"outcome": "complete"}, timeout=9)
    assert answer.status_code == 410
    assert client.v1.charges.list({"customer": customer}).data == []
