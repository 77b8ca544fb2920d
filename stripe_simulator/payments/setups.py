"""Setup intents: a card is saved for later payments, its bank asked once."""

import secrets
from typing import Any

from stripe_simulator.contract import template
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.payments.intents import ask_customer, describe_error
from stripe_simulator.payments.methods import attach_method, decline, find_card_of, is_set_up
from stripe_simulator.payments.test_cards import Decline, needs_authentication
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

NOT_AUTHENTICATED = Decline(
    "setup_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)


def make_setup(sim: Simulator, *, customer: str | None, **given: Any) -> Object:
    """Store a setup intent and tell of it."""
    id = sim.new_id("seti")
    setup = template(
        "setup_intent",
        id=id,
        client_secret=f"{id}_secret_{secrets.token_hex(12)}",
        created=sim.clock.read(),
        customer=customer,
        metadata={},
        payment_method_options={
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        payment_method_types=["card"],
        status="requires_payment_method",
        usage="off_session",
    )
    setup |= given
    sim.store.insert(setup)
    sim.emit("setup_intent.created", setup)
    return setup


def try_setup(
    sim: Simulator, setup: Object, method: Object, *, is_authenticated: bool = False, return_url: str | None = None
) -> None:
    """Save a card: it succeeds, is declined, or asks the customer. Never raises; the status tells."""
    card = find_card_of(method)
    setup |= {"payment_method": method["id"], "next_action": None}
    if card.declines and not card.is_attachable:
        fail_setup(sim, setup, method, card.declines)
    elif not is_authenticated and needs_authentication(card, is_set_up=is_set_up(method)):
        ask_customer(sim, setup, return_url)
    else:
        method["_is_set_up"] = True
        setup |= {"last_setup_error": None, "status": "succeeded"}
        if setup["customer"]:
            attach_method(sim, method, setup["customer"])
        sim.emit("setup_intent.succeeded", setup)


def fail_setup(sim: Simulator, setup: Object, method: Object, reason: Decline) -> None:
    setup |= {
        "last_setup_error": describe_error(sim, reason, method),
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    sim.emit("setup_intent.setup_failed", setup)


def cancel_setup(sim: Simulator, setup: Object, reason: str | None) -> None:
    if setup["status"] in ("succeeded", "canceled"):
        raise refuse_state(setup, "canceled")
    setup |= {"cancellation_reason": reason, "next_action": None, "status": "canceled"}
    sim.emit("setup_intent.canceled", setup)


def refuse_state(setup: Object, done: str) -> StripeError:
    message = f"This SetupIntent could not be {done} because it has a status of {setup['status']}."
    return refuse(message, code="setup_intent_unexpected_state")


def raise_if_declined(sim: Simulator, setup: Object) -> None:
    error = setup["last_setup_error"]
    if setup["status"] == "requires_payment_method" and error:
        reason = Decline(error["code"], error.get("decline_code"), error["message"])
        raise decline(reason, keeps=True, setup_intent=sim.show(setup))
