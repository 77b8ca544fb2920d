"""/v1/payment_intents."""

from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.payments.intents import (
    cancel_intent,
    capture_intent,
    check_amount,
    check_owner,
    make_intent,
    raise_if_declined,
    refuse_state,
    try_intent,
)
from stripe_simulator.payments.invoices import settle_intent
from stripe_simulator.payments.methods import resolve_method
from stripe_simulator.resources.payment_methods import make_from
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search
from stripe_simulator.unsupported import refuse_unsupported

UNSUPPORTED = (
    "amount_details", "application_fee_amount", "confirmation_token", "customer_account", "hooks", "mandate",
    "on_behalf_of", "transfer_data",
)  # fmt: skip
FIELDS = ("description", "metadata", "receipt_email", "setup_future_usage", "statement_descriptor", "transfer_group")
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


@route("POST", "/v1/payment_intents")
def create_payment_intent(request: Request) -> Object:
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    if params.get("customer"):
        sim.store.get("customer", params["customer"], param="customer", status=400)
    check_amount(params["amount"], params["currency"].lower())
    method = read_method(request)
    intent = make_intent(
        sim,
        amount=params["amount"],
        currency=params["currency"].lower(),
        customer=params.get("customer"),
        automatic_payment_methods=params.get("automatic_payment_methods"),
        capture_method=params.get("capture_method", "automatic_async"),
        confirmation_method=params.get("confirmation_method", "automatic"),
        metadata=merge_metadata({}, params.get("metadata")),
        **{name: params[name] or None for name in FIELDS if name in params and name != "metadata"},
    )
    if method is not None:
        check_owner(intent, method)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    if params.get("confirm"):
        confirm(request, intent)
    return intent


def read_method(request: Request) -> Object | None:
    params = request.params
    if params.get("payment_method"):
        return resolve_method(request.sim, params["payment_method"], at=request.at)
    if params.get("payment_method_data"):
        return make_from(request.sim, params["payment_method_data"], at=request.at)
    return None


def confirm(request: Request, intent: Object) -> None:
    """Try the intent with its card. Raises the card's error; what was tried stays."""
    sim, params = request.sim, request.params
    if intent["status"] not in CONFIRMABLE:
        raise refuse_state(intent, "confirmed", ", ".join(CONFIRMABLE))
    if not intent["payment_method"]:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise refuse(message, code="payment_intent_unexpected_state")
    method = sim.store.get("payment_method", intent["payment_method"])
    asks = not params.get("off_session") and not params.get("error_on_requires_action")
    try_intent(sim, intent, method, asks=asks, return_url=params.get("return_url"))
    settle_intent(sim, intent, at=request.at)
    raise_if_declined(sim, intent)


@route("GET", "/v1/payment_intents")
def list_payment_intents(request: Request) -> Object:
    given = {key: request.params[key] for key in ("customer",) if key in request.params}
    return answer_list(request, request.sim.store.scan("payment_intent", **given))


@route("GET", "/v1/payment_intents/search")
def search_payment_intents(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("payment_intent"))


@route("GET", "/v1/payment_intents/{id}")
def read_payment_intent(request: Request) -> Object:
    return request.sim.store.get("payment_intent", request.id)


@route("POST", "/v1/payment_intents/{id}")
def update_payment_intent(request: Request) -> Object:
    """Emits nothing: Stripe has no event for it."""
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    intent = sim.store.get("payment_intent", request.id)
    if "amount" in params:
        if intent["status"] not in CONFIRMABLE:
            raise refuse_state(intent, "updated", ", ".join(CONFIRMABLE))
        check_amount(params["amount"], intent["currency"])
        intent["amount"] = params["amount"]
    if "customer" in params:
        intent["customer"] = params["customer"]
    update(intent, params, *FIELDS)
    if (method := read_method(request)) is not None:
        check_owner(intent, method)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return intent


@route("POST", "/v1/payment_intents/{id}/confirm")
def confirm_payment_intent(request: Request) -> Object:
    refuse_unsupported(request.params, *UNSUPPORTED)
    intent = request.sim.store.get("payment_intent", request.id)
    if (method := read_method(request)) is not None:
        check_owner(intent, method)
        intent["payment_method"] = method["id"]
    update(intent, request.params, "receipt_email", "setup_future_usage")
    confirm(request, intent)
    return intent


@route("POST", "/v1/payment_intents/{id}/capture")
def capture_payment_intent(request: Request) -> Object:
    intent = request.sim.store.get("payment_intent", request.id)
    capture_intent(request.sim, intent, request.params.get("amount_to_capture"))
    return intent


@route("POST", "/v1/payment_intents/{id}/cancel")
def cancel_payment_intent(request: Request) -> Object:
    intent = request.sim.store.get("payment_intent", request.id)
    if intent["_invoice"]:
        raise refuse(
            "An invoice's PaymentIntent cannot be canceled: void the invoice.", code="payment_intent_unexpected_state"
        )
    cancel_intent(request.sim, intent, request.params.get("cancellation_reason"))
    return intent
