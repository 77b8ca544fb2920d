"""Charges: what was tried with a card, whether it worked or not."""

from stripe_simulator.contract import template
from stripe_simulator.payments.disputes import open_dispute
from stripe_simulator.payments.methods import EMPTY_DETAILS, find_card_of
from stripe_simulator.payments.test_cards import Decline
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

APPROVED = {"network_status": "approved_by_network", "seller_message": "Payment complete.", "type": "authorized"}


def make_charge(
    sim: Simulator,
    method: Object,
    *,
    amount: int,
    currency: str,
    customer: str | None,
    intent: str | None = None,
    is_captured: bool = True,
    is_authenticated: bool = False,
    failure: Decline | None = None,
    description: str | None = None,
    metadata: Object | None = None,
) -> Object:
    """Store a charge and tell of it; a card that is disputed is disputed at once.

    `created` is of the simulator's own clock: what a network does has no test clock.
    """
    charge = template(
        "charge",
        id=sim.new_id("ch"),
        amount=amount,
        amount_captured=amount if is_captured and not failure else 0,
        billing_details=method.get("billing_details") or EMPTY_DETAILS,
        captured=is_captured and not failure,
        created=sim.clock.read(),
        currency=currency,
        customer=customer,
        description=description,
        failure_code=failure.code if failure else None,
        failure_message=failure.message if failure else None,
        fraud_details={},
        metadata=metadata or {},
        outcome=describe_outcome(failure),
        paid=not failure,
        payment_intent=intent,
        payment_method=method["id"],
        payment_method_details=describe_card(method, amount, is_authenticated=is_authenticated),
        status="failed" if failure else "succeeded",
    )
    sim.store.insert(charge)
    sim.emit("charge.failed" if failure else "charge.succeeded", charge)
    if not failure and (reason := find_card_of(method).dispute):
        open_dispute(sim, charge, reason=reason)
    return charge


def describe_outcome(failure: Decline | None) -> Object:
    empty = {"advice_code": None, "network_advice_code": None, "network_decline_code": None, "reason": None}
    if failure is None:
        return empty | APPROVED | {"risk_level": "normal", "risk_score": 20}
    return empty | {
        "network_status": "declined_by_network",
        "reason": failure.decline_code or failure.code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def describe_card(method: Object, amount: int, *, is_authenticated: bool) -> Object:
    card = method.get("card") or method
    shown = ("country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    secured = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    details = {
        "amount_authorized": amount,
        "authorization_code": None,
        "brand": find_card_of(method).brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "electronic_commerce_indicator": "05" if is_authenticated else None,
        "installments": None,
        "mandate": None,
        "network": find_card_of(method).brand,
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": secured if is_authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }
    return {"type": "card", "card": details | {name: card[name] for name in shown}}


def capture_charge(sim: Simulator, charge: Object, amount: int) -> None:
    charge |= {"captured": True, "amount_captured": amount}
    if amount < charge["amount"]:
        charge |= {"amount_refunded": charge["amount"] - amount}
    sim.emit("charge.captured", charge)
