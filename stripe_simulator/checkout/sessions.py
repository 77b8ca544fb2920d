"""A Checkout session from its making to its end: completed, expired, or left."""

import secrets

from stripe_simulator.addresses import check_url, make_address
from stripe_simulator.checkout.items import make_items
from stripe_simulator.clock import due
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.metadata import merge_metadata
from stripe_simulator.payments.setups import cancel_setup, make_setup
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

DUE = "expire_checkout"
HOUR = 3600
DAY = 24 * HOUR
PLAIN = (
    "allow_promotion_codes", "billing_address_collection", "cancel_url", "client_reference_id", "customer_creation",
    "customer_email", "locale", "origin_context", "payment_method_collection", "submit_type", "success_url",
)  # fmt: skip
NO_DETAILS = {
    "address": None,
    "business_name": None,
    "individual_name": None,
    "name": None,
    "phone": None,
    "tax_exempt": "none",
    "tax_ids": None,
}


def make_session(sim: Simulator, params: Object, *, at: int) -> Object:
    """Store an open session. Raises where its parameters contradict each other."""
    mode = params.get("mode") or "payment"
    check_params(mode, params)
    items = make_items(sim, mode, params.get("line_items") or [], at=at)
    total = sum(item["amount_total"] for item in items)
    id = f"cs_test_{secrets.token_hex(29)}"
    expires_at = read_expiry(params, at)
    session = template(
        "checkout.session",
        id=id,
        amount_subtotal=total if items else None,
        amount_total=total if items else None,
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        created=at,
        currency=items[0]["currency"] if items else params["currency"].lower(),
        custom_text=dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        customer=params.get("customer"),
        expires_at=expires_at,
        metadata=merge_metadata({}, params.get("metadata")),
        mode=mode,
        payment_method_options={},
        payment_method_types=["card"],
        payment_status="unpaid" if items else "no_payment_required",
        status="open",
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0} if items else None,
        ui_mode="hosted_page",
        url=make_address(sim, f"/c/pay/{id}"),
        _items=items,
        _given={name: params.get(name) or {} for name in ("payment_intent_data", "subscription_data")},
    )
    session |= {name: params[name] for name in PLAIN if name in params}
    if mode == "setup":
        given = params.get("setup_intent_data") or {}
        metadata = merge_metadata({}, given.get("metadata"))
        setup = make_setup(
            sim, customer=session["customer"], description=given.get("description"), metadata=metadata, _session=id
        )
        session["setup_intent"] = setup["id"]
    sim.store.insert(session)
    sim.schedule(expires_at, DUE, {"session": id}, customer=session["customer"])
    return session


def check_params(mode: str, params: Object) -> None:
    """A hosted page needs an address to go to; saving a card needs a currency and sells nothing."""
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise refuse("This simulator has hosted pages only.", param="ui_mode")
    for name in ("success_url", "cancel_url"):
        check_url(params.get(name), name)
    if not params.get("success_url"):
        raise refuse("Missing required param: success_url.", param="success_url", code="parameter_missing")
    if params.get("customer") and params.get("customer_email"):
        raise refuse("You may only specify one of these parameters: customer, customer_email.")
    if mode == "setup":
        if params.get("line_items"):
            raise refuse("You can not pass `line_items` in `setup` mode.", param="line_items")
        if not params.get("currency"):
            raise refuse("You must provide `currency` in `setup` mode.", param="currency", code="parameter_missing")
    for name, wanted in (
        ("subscription_data", "subscription"),
        ("payment_intent_data", "payment"),
        ("setup_intent_data", "setup"),
    ):
        if params.get(name) and mode != wanted:
            raise refuse(f"You can not pass `{name}` in `{mode}` mode.", param=name)


def read_expiry(params: Object, at: int) -> int:
    """Half an hour to a day from now; a day unless told otherwise."""
    expires_at: int = params.get("expires_at") or at + DAY
    if not at + HOUR // 2 <= expires_at <= at + DAY:
        message = "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from creation."
        raise refuse(message, param="expires_at")
    return expires_at


def expire_session(sim: Simulator, session: Object) -> None:
    """Only an open one; nothing can be paid in it any more."""
    if session["status"] != "open":
        message = f"Only open Checkout Sessions can be expired. This one has a status of {session['status']}."
        raise refuse(message)
    session |= {"status": "expired", "url": None}
    if session["setup_intent"]:
        cancel_setup(sim, sim.store.get("setup_intent", session["setup_intent"]), "abandoned")
    sim.emit("checkout.session.expired", session)


@due(DUE)
def expire_due(sim: Simulator, at: int, payload: Object) -> None:
    session = sim.store.peek("checkout.session", payload["session"])
    if session is not None and session["status"] == "open":
        expire_session(sim, sim.store.get("checkout.session", session["id"]))


def complete_session(sim: Simulator, session: Object, *, email: str | None, name: str | None) -> None:
    """What was asked for is done: tell of it."""
    customer = sim.store.peek("customer", session["customer"] or "") or {}
    session |= {
        "collected_information": {"business_name": None, "individual_name": None, "shipping_details": None},
        "customer_details": NO_DETAILS | {"email": email or customer.get("email"), "name": name},
        "payment_status": "no_payment_required"
        if session["mode"] == "setup" or not session["amount_total"]
        else "paid",
        "status": "complete",
        "url": None,
    }
    sim.unschedule(DUE, session=session["id"])
    sim.emit("checkout.session.completed", session)
