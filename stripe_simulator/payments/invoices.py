"""How invoices are paid: a payment intent for each, tried with the card that goes first, and what came of it told back.

Which card: the one given, the invoice's own, its subscription's, the customer's, their oldest source. When an invoice
is tried again is the invoice's affair.
"""

from typing import Any

from stripe_simulator.contract import template
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.expanding import includable
from stripe_simulator.invoices.hooks import hook
from stripe_simulator.invoices.settling import record_failure, record_payment
from stripe_simulator.payments.credits import give_back
from stripe_simulator.payments.intents import cancel_intent, make_intent, raise_if_declined, try_intent
from stripe_simulator.payments.methods import resolve_method
from stripe_simulator.payments.refunds import refund_charge
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

PAYABLE = ("open", "uncollectible")


@hook
def prepare_payment(sim: Simulator, invoice: Object, at: int) -> Object:
    """The invoice's open payment; made once, with its intent, and kept up to what remains to be paid."""
    payment = find_payment(sim, invoice)
    if payment is None:
        intent = make_intent(
            sim,
            amount=invoice["amount_remaining"],
            currency=invoice["currency"],
            customer=invoice["customer"],
            invoice=invoice["id"],
            description=f"Payment for invoice {invoice['number']}",
            setup_future_usage="off_session" if find_subscription_id(invoice) else None,
        )
        payment = template(
            "invoice_payment",
            id=sim.new_id("inpay"),
            amount_requested=invoice["amount_remaining"],
            created=at,
            currency=invoice["currency"],
            invoice=invoice["id"],
            is_default=True,
            payment={"type": "payment_intent", "payment_intent": intent["id"]},
            status="open",
            status_transitions={"canceled_at": None, "paid_at": None},
        )
        sim.store.insert(payment)
    return payment


def find_payment(sim: Simulator, invoice: Object) -> Object | None:
    return next(
        (row for row in sim.store.find("invoice_payment", invoice=invoice["id"]) if row["status"] == "open"), None
    )


def find_subscription_id(invoice: Object) -> str | None:
    subscription: str | None = ((invoice.get("parent") or {}).get("subscription_details") or {}).get("subscription")
    return subscription


def find_intent(sim: Simulator, payment: Object) -> Object:
    return sim.store.get("payment_intent", payment["payment"]["payment_intent"])


@includable("invoice", "confirmation_secret")
def show_secret(sim: Simulator, invoice: Object) -> Object | None:
    """With what a page of the merchant's own would confirm the payment."""
    payment = find_payment(sim, invoice)
    return payment and {"client_secret": find_intent(sim, payment)["client_secret"], "type": "payment_intent"}


@includable("invoice", "payments")
def show_payments(sim: Simulator, invoice: Object) -> Object:
    found = list(sim.store.scan("invoice_payment", invoice=invoice["id"]))[::-1]
    return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "url": "/v1/invoice_payments"}


def find_method(sim: Simulator, invoice: Object, given: str | None = None) -> Object | None:
    """The card that is charged, or nothing."""
    if given:
        return resolve_method(sim, given, at=sim.now())
    subscription = sim.store.peek("subscription", find_subscription_id(invoice) or "") or {}
    customer = sim.store.peek("customer", invoice["customer"]) or {"invoice_settings": {}}
    for owner in (invoice, subscription, customer["invoice_settings"]):
        if method := sim.store.peek("payment_method", owner.get("default_payment_method") or ""):
            return sim.store.get("payment_method", method["id"])
    for owner in (invoice, subscription, customer):
        if source := sim.store.peek("card", owner.get("default_source") or ""):
            return source
    return None


@hook
def collect_invoice(sim: Simulator, invoice: Object, at: int) -> None:
    """It is the invoice's turn. Nobody is there to be asked, so that a bank's question waits for the customer."""
    if (method := find_method(sim, invoice)) is None:
        prepare_payment(sim, invoice, at)
        record_failure(sim, invoice, at=at)
    else:
        charge_invoice(sim, invoice, method, at=at)


@hook
def pay_invoice(sim: Simulator, invoice: Object, params: dict[str, Any], at: int) -> None:
    """Somebody asked for payment now. Raises the card's error; what was tried stays."""
    method = find_method(sim, invoice, params.get("payment_method") or params.get("source"))
    if method is None:
        raise refuse(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    intent = charge_invoice(sim, invoice, method, at=at, is_automatic=False)
    raise_if_declined(sim, intent)
    if intent["status"] == "requires_action":
        message = "This payment requires additional user action before it can be completed successfully."
        raise StripeError(
            402,
            "card_error",  # as the CLI's own script of this event expects
            "invoice_payment_intent_requires_action",
            message,
            keeps=True,
            payment_intent=sim.show(intent),
        )


def charge_invoice(
    sim: Simulator,
    invoice: Object,
    method: Object,
    *,
    at: int,
    is_automatic: bool = True,
    is_authenticated: bool = False,
    return_url: str | None = None,
) -> Object:
    """Try a card for an invoice, always with the same intent; what came of it is told to the invoice."""
    payment = prepare_payment(sim, invoice, at)
    intent = find_intent(sim, payment)
    payment["amount_requested"] = intent["amount"] = invoice["amount_remaining"]
    try_intent(sim, intent, method, is_authenticated=is_authenticated, return_url=return_url)
    settle_intent(sim, intent, at=at, is_automatic=is_automatic)
    return intent


def settle_intent(sim: Simulator, intent: Object, *, at: int, is_automatic: bool = False) -> None:
    """Tell the invoice of an intent, if it has one, what came of the last try."""
    invoice = sim.store.peek("invoice", intent["_invoice"] or "")
    if invoice is None:
        return
    invoice = sim.store.get("invoice", invoice["id"])
    payment = find_payment(sim, invoice)
    if payment is None or invoice["status"] not in PAYABLE:
        return
    if intent["status"] == "succeeded":
        payment |= {"amount_paid": intent["amount_received"], "status": "paid"}
        payment["status_transitions"]["paid_at"] = at
        record_payment(sim, invoice, intent["amount_received"], at=at)
        sim.emit("invoice_payment.paid", payment)
    elif intent["status"] in ("requires_action", "requires_payment_method"):
        needs_action = intent["status"] == "requires_action"
        record_failure(sim, invoice, at=at, needs_action=needs_action, is_automatic=is_automatic)


@hook
def close_payment(sim: Simulator, invoice: Object, at: int) -> None:
    """The invoice was paid in another way: what waits for a card or a bank must not charge it again."""
    cancel_payment(sim, invoice, "automatic", at=at)


@hook
def release_invoice(sim: Simulator, invoice: Object, at: int) -> None:
    """A void invoice asks for nothing any more, and gives back the credits that it took."""
    give_back(sim, invoice, at)
    cancel_payment(sim, invoice, "void_invoice", at=at)


def cancel_payment(sim: Simulator, invoice: Object, reason: str, *, at: int) -> None:
    if payment := find_payment(sim, invoice):
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = at
        intent = find_intent(sim, payment)
        if intent["status"] != "canceled":
            cancel_intent(sim, intent, reason)


@hook
def refund_credit_note(sim: Simulator, invoice: Object, amount: int, at: int) -> str:
    """Give back what a credit note says, from the invoice's payment. Answers the refund's id."""
    for payment in sim.store.scan("invoice_payment", invoice=invoice["id"], status="paid"):
        if charge := find_intent(sim, payment)["latest_charge"]:
            return str(refund_charge(sim, sim.store.get("charge", charge), amount)["id"])
    raise refuse("The invoice has no payment that could be refunded.", param="refund_amount")
