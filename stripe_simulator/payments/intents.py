"""Payment intents: one for what is owed, however often it is tried."""

import secrets
from typing import Any

from stripe_simulator.addresses import make_address
from stripe_simulator.contract import template
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.payments.charges import capture_charge, make_charge
from stripe_simulator.payments.currencies import find_minimum_charge, format_amount
from stripe_simulator.payments.methods import attach_method, decline, find_card_of, is_set_up
from stripe_simulator.payments.test_cards import NEEDS_AUTHENTICATION, Decline, needs_authentication
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

MOST = 99_999_999
CARD_OPTIONS = {
    "installments": None,
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}


def make_intent(
    sim: Simulator, *, amount: int, currency: str, customer: str | None, invoice: str | None = None, **given: Any
) -> Object:
    """Store a payment intent and tell of it. Raises where the amount is outside of what a card can be charged.

    `created` is of the simulator's own clock, also for customers on a test clock.
    """
    check_amount(amount, currency)
    id = sim.new_id("pi")
    intent = template(
        "payment_intent",
        id=id,
        amount=amount,
        capture_method="automatic_async",
        client_secret=f"{id}_secret_{secrets.token_hex(12)}",
        confirmation_method="automatic",
        created=sim.clock.read(),
        currency=currency,
        customer=customer,
        metadata={},
        payment_method_options={"card": dict(CARD_OPTIONS)},
        payment_method_types=["card"],
        status="requires_payment_method",
        _invoice=invoice,
    )
    intent |= given
    sim.store.insert(intent)
    sim.emit("payment_intent.created", intent)
    return intent


def check_amount(amount: int, currency: str) -> None:
    least = find_minimum_charge(currency)
    if amount < least:
        message = f"Amount must be at least {format_amount(least, currency)}."
        raise refuse(message, param="amount", code="amount_too_small")
    if amount > MOST:
        raise refuse(f"Amount must be no more than {MOST}.", param="amount", code="amount_too_large")


def check_owner(intent: Object, method: Object) -> None:
    """A saved card pays for its own customer only."""
    if method.get("customer") and method["customer"] != intent["customer"]:
        raise refuse(
            f"The provided PaymentMethod ({method['id']}) belongs to another Customer: pass it in `customer`.",
            param="payment_method",
            code="payment_intent_unexpected_state" if intent["customer"] is None else None,
        )


def try_intent(
    sim: Simulator,
    intent: Object,
    method: Object,
    *,
    is_authenticated: bool = False,
    asks: bool = True,
    return_url: str | None = None,
) -> None:
    """Charge a card for an intent: it succeeds, is declined, or asks the customer. Never raises; the status tells.

    `asks`: whether somebody is there whom a bank can ask; otherwise a card that needs it is declined.
    """
    card = find_card_of(method)
    is_authenticated = method.pop("_is_authenticated", False) or is_authenticated  # in Checkout, once
    intent |= {"payment_method": method["id"], "next_action": None}
    if not is_authenticated and needs_authentication(card, is_set_up=is_set_up(method)):
        if asks:
            ask_customer(sim, intent, return_url)
        else:
            fail_intent(sim, intent, method, NEEDS_AUTHENTICATION)
    elif card.declines:
        fail_intent(sim, intent, method, card.declines, is_authenticated=is_authenticated)
    else:
        succeed_intent(sim, intent, method, is_authenticated=is_authenticated)


def ask_customer(sim: Simulator, intent: Object, return_url: str | None) -> None:
    """The bank wants to see its customer: a page where they say yes or no."""
    url = make_address(sim, f"/authenticate/{intent['id']}")
    intent["status"] = "requires_action"
    intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    sim.emit(f"{intent['object']}.requires_action", intent)


def fail_intent(
    sim: Simulator, intent: Object, method: Object, reason: Decline, *, is_authenticated: bool = False
) -> None:
    """A declined charge; the intent waits for another card, with the error of this one."""
    charge = make_charge(
        sim,
        method,
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        intent=intent["id"],
        is_authenticated=is_authenticated,
        failure=reason,
        description=intent["description"],
    )
    intent |= {
        "last_payment_error": describe_error(sim, reason, method) | {"charge": charge["id"]},
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    sim.emit("payment_intent.payment_failed", intent)


def describe_error(sim: Simulator, reason: Decline, method: Object) -> Object:
    error = {"code": reason.code, "message": reason.message, "type": "card_error"}
    if reason.decline_code:
        error["decline_code"] = reason.decline_code
    if method["object"] == "payment_method":
        error["payment_method"] = sim.show(method)
    return error


def succeed_intent(sim: Simulator, intent: Object, method: Object, *, is_authenticated: bool) -> None:
    is_captured = intent["capture_method"] != "manual"
    charge = make_charge(
        sim,
        method,
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        intent=intent["id"],
        is_captured=is_captured,
        is_authenticated=is_authenticated,
        description=intent["description"],
        metadata=dict(intent["metadata"]),
    )
    intent |= {"last_payment_error": None, "latest_charge": charge["id"]}
    if intent["setup_future_usage"] and intent["customer"] and method["object"] == "payment_method":
        method["_is_set_up"] = True
        attach_method(sim, method, intent["customer"])
    if is_captured:
        intent |= {"amount_received": intent["amount"], "status": "succeeded"}
        sim.emit("payment_intent.succeeded", intent)
    else:
        intent |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
        sim.emit("payment_intent.amount_capturable_updated", intent)


def capture_intent(sim: Simulator, intent: Object, amount: int | None) -> None:
    """Take what was held, or a part of it; the rest is let go."""
    if intent["status"] != "requires_capture":
        raise refuse_state(intent, "captured", "requires_capture")
    amount = intent["amount_capturable"] if amount is None else amount
    if not 0 < amount <= intent["amount_capturable"]:
        raise refuse("amount_to_capture is more than can be captured.", param="amount_to_capture")
    capture_charge(sim, sim.store.get("charge", intent["latest_charge"]), amount)
    intent |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    sim.emit("payment_intent.succeeded", intent)


def cancel_intent(sim: Simulator, intent: Object, reason: str | None) -> None:
    """For good; what was held is let go."""
    if intent["status"] in ("succeeded", "canceled", "processing"):
        raise refuse_state(intent, "canceled", "requires_payment_method, requires_capture, requires_action")
    if intent["status"] == "requires_capture":
        charge = sim.store.get("charge", intent["latest_charge"])
        charge |= {"amount_refunded": charge["amount"], "refunded": True}
        sim.emit("charge.refunded", charge)
    intent |= {
        "amount_capturable": 0,
        "canceled_at": sim.clock.read(),
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    sim.emit("payment_intent.canceled", intent)


def refuse_state(intent: Object, done: str, allowed: str) -> StripeError:
    message = f"This PaymentIntent could not be {done} because it has a status of {intent['status']}. Only a "
    message += f"PaymentIntent with one of the following statuses may be {done}: {allowed}."
    return refuse(message, code="payment_intent_unexpected_state")


def raise_if_declined(sim: Simulator, intent: Object) -> None:
    """The error with which a confirmation answers a declined card; the declined charge stays."""
    error = intent["last_payment_error"]
    if intent["status"] == "requires_payment_method" and error:
        reason = Decline(error["code"], error.get("decline_code"), error["message"])
        raise decline(reason, keeps=True, payment_intent=sim.show(intent), charge=error.get("charge"))
