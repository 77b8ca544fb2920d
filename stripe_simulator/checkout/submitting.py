"""What the button of a Checkout page does, by mode. Whatever is declined leaves the session open for another card."""

from dataclasses import dataclass
from typing import cast

from stripe_simulator.addresses import make_address
from stripe_simulator.checkout.sessions import complete_session
from stripe_simulator.payments.intents import make_intent, try_intent
from stripe_simulator.payments.methods import attach_method, find_card_of, is_set_up
from stripe_simulator.payments.setups import try_setup
from stripe_simulator.payments.test_cards import needs_authentication
from stripe_simulator.resources.customers import make_customer
from stripe_simulator.routes import Object, Request
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.creating import create_subscription


@dataclass(frozen=True, slots=True)
class Submitted:
    """Where to go on, or what is wrong."""

    location: str = ""
    problem: str = ""


def submit(request: Request, session: Object, method: Object, *, email: str | None, name: str | None) -> Submitted:
    """Save or charge the card of an open session. Never raises for a card."""
    sim = request.sim
    session |= {"_email": email, "_name": name, "_method": method["id"]}
    if session["mode"] == "setup":
        setup = sim.store.get("setup_intent", session["setup_intent"])
        try_setup(sim, setup, method, return_url=resume_address(sim, session))
        return follow(request, session, setup)
    if session["mode"] == "payment":
        return pay(request, session, method)
    return subscribe(request, session, method)


def resume_address(sim: Simulator, session: Object) -> str:
    return make_address(sim, f"/c/pay/{session['id']}/resume")


def follow(request: Request, session: Object, intent: Object) -> Submitted:
    """What an intent came to: the page of the bank, the end, or a problem."""
    if intent["status"] == "requires_action":
        return Submitted(location=str(intent["next_action"]["redirect_to_url"]["url"]))
    if intent["status"] == "succeeded":
        return finish(request.sim, session)
    error = intent.get("last_setup_error") or intent.get("last_payment_error") or {}
    return Submitted(problem=error.get("message", "Your card could not be used."))


def finish(sim: Simulator, session: Object) -> Submitted:
    complete_session(sim, session, email=session["_email"], name=session["_name"])
    return Submitted(location=session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def ensure_customer(sim: Simulator, session: Object, *, at: int) -> str:
    """The session's customer; a subscription or `customer_creation=always` makes one."""
    if session["customer"] is None:
        params = {"email": session["_email"] or session["customer_email"], "name": session["_name"]}
        customer = make_customer(sim, at, {key: value for key, value in params.items() if value})
        sim.emit("customer.created", customer)
        session["customer"] = customer["id"]
    return cast(str, session["customer"])


def pay(request: Request, session: Object, method: Object) -> Submitted:
    """One intent for the session, however often a card is declined."""
    sim = request.sim
    given = session["_given"]["payment_intent_data"]
    if session["customer_creation"] == "always" or given.get("setup_future_usage"):
        ensure_customer(sim, session, at=request.at)
    if session["payment_intent"] is None:
        intent = make_intent(
            sim,
            amount=session["amount_total"],
            currency=session["currency"],
            customer=session["customer"],
            description=given.get("description"),
            metadata=dict(given.get("metadata") or {}),
            setup_future_usage=given.get("setup_future_usage"),
        )
        session["payment_intent"] = intent["id"]
    intent = sim.store.get("payment_intent", session["payment_intent"])
    try_intent(sim, intent, method, return_url=resume_address(sim, session))
    return follow(request, session, intent)


def subscribe(request: Request, session: Object, method: Object) -> Submitted:
    """The subscription is made once the card is known to work, its bank asked before."""
    sim, card = request.sim, find_card_of(method)
    if card.declines:
        return Submitted(problem=card.declines.message)
    if needs_authentication(card, is_set_up=is_set_up(method)) and not method.get("_is_authenticated"):
        return Submitted(location=make_address(sim, f"/authenticate/{session['id']}"))
    customer = ensure_customer(sim, session, at=request.at)
    attach_method(sim, method, customer)
    method["_is_set_up"] = True
    items = [
        {"price": item["price"]["id"], **({} if item["quantity"] is None else {"quantity": item["quantity"]})}
        for item in session["_items"]
        if item["price"]["recurring"]
    ]
    once = [
        {"price": item["price"]["id"], "quantity": item["quantity"]}
        for item in session["_items"]
        if not item["price"]["recurring"]
    ]
    params = session["_given"]["subscription_data"] | {
        "customer": customer,
        "default_payment_method": method["id"],
        "items": items,
        **({"add_invoice_items": once} if once else {}),
    }
    asked = Request(sim, "POST", "/v1/subscriptions", params, {}, {}, request.request_id, None, request.base_url)
    subscription = create_subscription(asked)
    session |= {"subscription": subscription["id"], "invoice": subscription["latest_invoice"]}
    return finish(sim, session)


def resume(request: Request, session: Object) -> Submitted:
    """The customer comes back from the page of their bank."""
    sim = request.sim
    if session["mode"] == "subscription":
        return subscribe(request, session, sim.store.get("payment_method", session["_method"]))
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    return follow(request, session, sim.store.get(kind, session[kind]))
