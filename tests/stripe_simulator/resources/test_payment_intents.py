"""Payment intents over HTTP: what each test card makes of them, and what stays of a decline."""

import pytest
import stripe

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import make_customer, take_events, take_types


def pay(simulator: SimulatorClient, method: str, **more: object) -> stripe.PaymentIntent:
    params = {"amount": 1099, "currency": "eur", "payment_method": method, "confirm": True, **more}
    return simulator.client().v1.payment_intents.create(params)  # type: ignore[arg-type]


def test_a_good_card_is_charged(simulator: SimulatorClient):
    intent = pay(simulator, "pm_card_visa", expand=["latest_charge"])
    assert (intent.status, intent.amount_received) == ("succeeded", 1099)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.paid, intent.latest_charge.amount_captured) == (True, 1099)
    assert take_types(simulator) == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def test_a_declined_charge_stays_and_the_next_card_pays_the_same_intent(simulator: SimulatorClient):
    client = simulator.client()
    with pytest.raises(stripe.CardError) as raised:
        pay(simulator, "pm_card_chargeDeclinedInsufficientFunds")
    error = raised.value
    assert (error.http_status, error.code) == (402, "card_declined")
    assert error.json_body["error"]["decline_code"] == "insufficient_funds"
    intent = client.v1.payment_intents.retrieve(error.json_body["error"]["payment_intent"]["id"])
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.id, paid.status, paid.last_payment_error) == (intent.id, "succeeded", None)
    assert [charge.status for charge in client.v1.charges.list({"payment_intent": intent.id})] == [
        "succeeded",
        "failed",
    ]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("chargeCustomerFail", "card_declined", "generic_decline"),
        ("chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_a_card_is_declined_for_its_reason(simulator: SimulatorClient, card: str, code: str, decline_code: str | None):
    with pytest.raises(stripe.CardError) as raised:
        pay(simulator, f"pm_card_{card}")
    error = raised.value.json_body["error"]
    assert (error["code"], error.get("decline_code")) == (code, decline_code)


def test_a_bank_that_asks_makes_the_intent_wait_or_fail_if_nobody_is_there(simulator: SimulatorClient):
    asked = pay(simulator, "pm_card_authenticationRequired", return_url="https://palier.test/back")
    assert asked.status == "requires_action"
    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    assert asked.next_action.redirect_to_url.return_url == "https://palier.test/back"
    with pytest.raises(stripe.CardError) as raised:
        pay(simulator, "pm_card_authenticationRequired", off_session=True, customer=make_customer(simulator))
    assert raised.value.code == "authentication_required"


def test_an_amount_below_the_least_of_its_currency_is_refused(simulator: SimulatorClient):
    with pytest.raises(stripe.InvalidRequestError) as raised:
        pay(simulator, "pm_card_visa", amount=49)
    assert (raised.value.code, raised.value.param) == ("amount_too_small", "amount")
    assert take_types(simulator) == []
    assert pay(simulator, "pm_card_visa", amount=30, currency="gbp").status == "succeeded"


def test_what_is_held_is_captured_or_let_go(simulator: SimulatorClient):
    client = simulator.client()
    held = [pay(simulator, "pm_card_visa", capture_method="manual") for _ in range(2)]
    assert [(intent.status, intent.amount_capturable) for intent in held] == [("requires_capture", 1099)] * 2
    captured = client.v1.payment_intents.capture(held[0].id, {"amount_to_capture": 1000})
    assert (captured.status, captured.amount_received) == ("succeeded", 1000)
    canceled = client.v1.payment_intents.cancel(held[1].id, {"cancellation_reason": "duplicate"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "duplicate")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.payment_intents.cancel(captured.id)
    assert raised.value.code == "payment_intent_unexpected_state"


def test_a_saved_card_pays_for_its_own_customer_only(simulator: SimulatorClient):
    client = simulator.client()
    owner, other = make_customer(simulator), make_customer(simulator)
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": owner})
    assert pay(simulator, method.id, customer=owner).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="belongs to another Customer"):
        pay(simulator, method.id, customer=other)


def test_money_is_given_back_by_parts_and_never_more_than_was_taken(simulator: SimulatorClient):
    client = simulator.client()
    intent = pay(simulator, "pm_card_visa")
    assert client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000}).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    client.v1.refunds.create({"payment_intent": intent.id})
    charge = client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (1099, True)
    assert charge.refunds is not None
    assert [refund.amount for refund in charge.refunds.data] == [99, 1000]
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.refunds.create({"charge": charge.id})
    assert raised.value.code == "charge_already_refunded"


def test_some_refunds_take_their_time_and_some_fail(simulator: SimulatorClient):
    client = simulator.client()
    made = [
        client.v1.refunds.create({"payment_intent": pay(simulator, card).id})
        for card in ("pm_card_pendingRefund", "pm_card_refundFail")
    ]
    assert [refund.status for refund in made] == ["pending", "succeeded"]
    take_types(simulator)
    simulator.advance(seconds=60)
    assert [client.v1.refunds.retrieve(refund.id).status for refund in made] == ["succeeded", "failed"]
    assert client.v1.charges.retrieve(str(made[1].charge)).amount_refunded == 0
    assert take_types(simulator) == [
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
        "charge.refund.updated",
    ]


def test_a_disputed_card_is_disputed_at_once_and_the_control_api_decides(simulator: SimulatorClient):
    intent = pay(simulator, "pm_card_createDispute")
    [dispute] = [event["data"]["object"] for event in take_events(simulator, "charge.dispute.created")]
    assert (dispute["charge"], dispute["reason"], dispute["amount"]) == (intent.latest_charge, "fraudulent", 1099)
    assert simulator.client().v1.charges.retrieve(str(intent.latest_charge)).disputed is True
    simulator.control("POST", "disputes/close", dispute=dispute["id"], status="won")
    assert take_types(simulator) == ["charge.dispute.closed", "charge.dispute.funds_reinstated"]


def test_any_charge_is_disputed_by_the_control_api(simulator: SimulatorClient):
    intent = pay(simulator, "pm_card_visa")
    made = simulator.control("POST", "disputes", payment_intent=intent.id, reason="duplicate", amount=500)
    assert (made["amount"], made["reason"]) == (500, "duplicate")


def test_an_old_charge_of_a_token_is_taken_or_declined(simulator: SimulatorClient):
    client = simulator.client()
    assert client.v1.charges.create({"amount": 2000, "currency": "usd", "source": "tok_visa"}).paid is True
    with pytest.raises(stripe.CardError):
        client.v1.charges.create({"amount": 2000, "currency": "usd", "source": "tok_chargeDeclined"})
    assert [charge.status for charge in client.v1.charges.list().data] == ["failed", "succeeded"]
