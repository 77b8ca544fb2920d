"""Cards saved for later over HTTP: payment methods and setup intents."""

import pytest
import stripe

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import make_customer, take_types


def test_a_card_is_saved_and_attached(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(simulator)
    setup = client.v1.setup_intents.create({"customer": customer, "payment_method": "pm_card_visa", "confirm": True})
    assert setup.status == "succeeded"
    assert [method.id for method in client.v1.customers.payment_methods.list(customer).data] == [setup.payment_method]
    assert take_types(simulator, "setup_intent") == ["setup_intent.created", "setup_intent.succeeded"]


def test_a_card_that_always_declines_is_not_saved_and_the_error_stays(simulator: SimulatorClient):
    client = simulator.client()
    setup = client.v1.setup_intents.create({"customer": make_customer(simulator)})
    with pytest.raises(stripe.CardError):
        client.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_chargeDeclinedInsufficientFunds"})
    again = client.v1.setup_intents.retrieve(setup.id)
    assert again.status == "requires_payment_method"
    assert again.last_setup_error is not None
    assert again.last_setup_error.decline_code == "insufficient_funds"


def test_a_card_that_fails_once_it_is_charged_can_be_saved(simulator: SimulatorClient):
    params = {"customer": make_customer(simulator), "payment_method": "pm_card_chargeCustomerFail", "confirm": True}
    assert simulator.client().v1.setup_intents.create(params).status == "succeeded"  # type: ignore[arg-type]


def test_a_bank_asks_once_when_the_card_is_saved(simulator: SimulatorClient):
    setup = simulator.client().v1.setup_intents.create(
        {
            "customer": make_customer(simulator),
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
            "return_url": "https://palier.test/back",
        }
    )
    assert setup.status == "requires_action"
    assert setup.next_action is not None
    assert setup.next_action.redirect_to_url is not None
    assert f"/authenticate/{setup.id}" in str(setup.next_action.redirect_to_url.url)


def test_a_setup_is_canceled_unless_it_succeeded(simulator: SimulatorClient):
    client = simulator.client()
    setup = client.v1.setup_intents.create({})
    assert client.v1.setup_intents.cancel(setup.id, {"cancellation_reason": "abandoned"}).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa"})
    assert raised.value.code == "setup_intent_unexpected_state"


def test_a_card_belongs_to_one_customer_until_it_is_let_go(simulator: SimulatorClient):
    client = simulator.client()
    first, second = make_customer(simulator), make_customer(simulator)
    method = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": first})
    assert method.card is not None
    assert (method.card.brand, method.card.last4) == ("mastercard", "4444")
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(method.id, {"customer": second})
    client.v1.customers.update(first, {"invoice_settings": {"default_payment_method": method.id}})
    take_types(simulator)
    client.v1.payment_methods.detach(method.id)
    settings = client.v1.customers.retrieve(first).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None
    assert take_types(simulator) == ["payment_method.detached", "customer.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="not attached"):
        client.v1.payment_methods.detach(method.id)


def test_a_card_is_made_of_a_test_number_only(simulator: SimulatorClient):
    client = simulator.client()
    card = {"number": "4242424242424242", "exp_month": 4, "exp_year": 2030, "cvc": "123"}
    made = client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
    assert made.card is not None
    assert (made.card.exp_month, made.card.exp_year, made.customer) == (4, 2030, None)
    for number, code in (("4242424242424241", "incorrect_number"), ("4012888888881881", "card_declined")):
        with pytest.raises(stripe.CardError) as raised:
            client.v1.payment_methods.create({"type": "card", "card": card | {"number": number}})  # type: ignore[typeddict-item]
        assert raised.value.code == code
    with pytest.raises(stripe.CardError) as raised:
        client.v1.payment_methods.create({"type": "card", "card": card | {"exp_year": 2025}})  # type: ignore[typeddict-item]
    assert raised.value.code == "invalid_expiry_year"
