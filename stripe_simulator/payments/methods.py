"""Payment methods: made of test cards, attached, detached. What a card does is found by the number that only the
simulator sees."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from stripe_simulator.contract import template
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.payments.test_cards import BY_NUMBER, Card, Decline, check_number, find_card
from stripe_simulator.simulator import Simulator

Object = dict[str, Any]

EMPTY_DETAILS: Object = {
    "address": {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None},
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def make_fingerprint(number: str) -> str:
    return sha256(number.encode()).hexdigest()[:16]


def find_card_of(method: Object) -> Card:
    """The test card behind a payment method or a `card` source."""
    return BY_NUMBER[method["_number"]]


def make_method(
    sim: Simulator,
    card: Card,
    *,
    at: int,
    expiry: tuple[int, int] | None = None,
    billing_details: Object | None = None,
    metadata: Object | None = None,
) -> Object:
    """Store a payment method. Without an expiry (month, year) the card lasts three more years."""
    month, year = expiry or find_default_expiry(at)
    method = template("payment_method") | {
        "id": sim.new_id("pm"),
        "_number": card.number,
        "allow_redisplay": "unspecified",
        "billing_details": EMPTY_DETAILS | (billing_details or {}),
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": month,
            "exp_year": year,
            "fingerprint": make_fingerprint(card.number),
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": at,
        "customer": None,
        "metadata": metadata or {},
        "type": "card",
    }
    sim.store.insert(method)
    return method


def find_default_expiry(at: int) -> tuple[int, int]:
    now = datetime.fromtimestamp(at, UTC)
    return now.month, now.year + 3


def resolve_method(sim: Simulator, token: str, *, at: int, param: str = "payment_method") -> Object:
    """The payment method of an id; a test token such as `pm_card_visa` makes a new one."""
    if card := find_card(token):
        return make_method(sim, card, at=at)
    return sim.store.get("payment_method", token, param=param, status=400)


def read_card(number: str) -> Card:
    """Raises a card error in Stripe's words."""
    if problem := check_number(number):
        code = "incorrect_number" if "invalid" in problem else "card_declined"
        extra: dict[str, Any] = {} if code == "incorrect_number" else {"decline_code": "test_mode_live_card"}
        raise StripeError(402, "card_error", code, problem, param="number", **extra)
    return BY_NUMBER[number]


def decline(reason: Decline, *, keeps: bool = False, **extra: Any) -> StripeError:
    """The error that a declined card is answered with; `keeps`: what was tried is to stay."""
    if reason.decline_code:
        extra["decline_code"] = reason.decline_code
    return StripeError(402, "card_error", reason.code, reason.message, keeps=keeps, **extra)


def attach_method(sim: Simulator, method: Object, customer: str) -> None:
    """Bind a payment method to a customer, once. Most declining cards are refused here already."""
    if method["customer"] == customer:
        return
    if method["customer"]:
        raise refuse("The payment method you provided has already been attached to a customer.")
    sim.store.get("customer", customer, param="customer", status=400)
    card = find_card_of(method)
    if card.declines and not card.is_attachable:
        raise decline(card.declines)
    method["customer"] = customer
    sim.emit("payment_method.attached", method)


def detach_method(sim: Simulator, method: Object) -> None:
    """Let a payment method go, for good; nothing charges it by default any more."""
    if not method["customer"]:
        raise refuse("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = sim.store.get("customer", method["customer"])
    before = {"customer": method["customer"]}
    method["customer"] = None
    sim.emit("payment_method.detached", method, before)
    if customer.get("invoice_settings", {}).get("default_payment_method") == method["id"]:
        set_default_method(sim, customer, None)


def set_default_method(sim: Simulator, customer: Object, method: str | None) -> None:
    """What a customer's invoices charge unless their subscription or they themselves name another."""
    customer["invoice_settings"]["default_payment_method"] = method
    sim.emit("customer.updated", customer)


def is_set_up(method: Object) -> bool:
    """Whether the bank was asked before: by a setup that succeeded, or a payment that saved the card."""
    return bool(method.get("_is_set_up")) or method["_number"] == "4000003800000446"


def check_expiry(month: int, year: int, at: int) -> tuple[int, int]:
    """A card is good to the end of its month. Raises a card error in Stripe's words."""
    now = datetime.fromtimestamp(at, UTC)
    year += 2000 if year < 100 else 0
    if not 1 <= month <= 12:
        raise StripeError(
            402, "card_error", "invalid_expiry_month", "Your card's expiration month is invalid.", param="exp_month"
        )
    if (year, month) < (now.year, now.month) or year > now.year + 50:
        raise StripeError(
            402, "card_error", "invalid_expiry_year", "Your card's expiration year is invalid.", param="exp_year"
        )
    return month, year
