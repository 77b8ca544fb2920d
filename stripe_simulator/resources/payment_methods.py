"""Payment methods: cards, made of test cards only."""

from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.payments.methods import (
    EMPTY_DETAILS,
    attach_method,
    check_expiry,
    detach_method,
    make_method,
    read_card,
    resolve_method,
)
from stripe_simulator.payments.test_cards import find_card
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator


@route("POST", "/v1/payment_methods")
def create_payment_method(request: Request) -> Object:
    params = request.params
    if params.get("type", "card") != "card" or "card" not in params:
        raise refuse("This simulator knows cards only: pass type=card with card[token] or card[number].", param="type")
    method = make_from(request.sim, params, at=request.at)
    if params.get("customer"):
        attach_method(request.sim, method, params["customer"])
    return method


def make_from(sim: Simulator, params: Object, *, at: int) -> Object:
    """Of `card[token]=tok_visa`, or of the number and expiry of a test card."""
    given, expiry = params["card"], None
    if "token" in given:
        card = find_card(given["token"])
        if card is None:
            raise refuse(f"No such token: '{given['token']}'", param="card[token]", code="resource_missing")
    else:
        card = read_card(given.get("number", ""))
        expiry = check_expiry(given.get("exp_month", 0), given.get("exp_year", 0), at)
    return make_method(
        sim,
        card,
        at=at,
        expiry=expiry,
        billing_details=read_details(params.get("billing_details")),
        metadata=params.get("metadata"),
    )


def read_details(given: Object | None) -> Object:
    details = {key: value or None for key, value in (given or {}).items()}
    if details.get("address"):
        details["address"] = EMPTY_DETAILS["address"] | details["address"]
    else:
        details.pop("address", None)
    return details


@route("GET", "/v1/payment_methods")
def list_payment_methods(request: Request) -> Object:
    return list_of(request, request.params.get("customer"))


@route("GET", "/v1/customers/{id}/payment_methods")
def list_customer_methods(request: Request) -> Object:
    request.sim.store.get("customer", request.id)
    return list_of(request, request.id)


def list_of(request: Request, customer: str | None) -> Object:
    wanted = request.params.get("type", "card")
    found = request.sim.store.scan("payment_method", customer=customer) if customer else []
    return answer_list(request, (method for method in found if method["type"] == wanted))


@route("GET", "/v1/payment_methods/{id}")
def read_payment_method(request: Request) -> Object:
    return request.sim.store.get("payment_method", request.id)


@route("GET", "/v1/customers/{customerId}/payment_methods/{id}")
def read_customer_method(request: Request) -> Object:
    method = request.sim.store.get("payment_method", request.id)
    if method["customer"] != request.ids["customerId"]:
        raise refuse(f"No such payment_method: '{request.id}'", code="resource_missing")
    return method


@route("POST", "/v1/payment_methods/{id}")
def update_payment_method(request: Request) -> Object:
    """Expiry and addresses change, the number never."""
    method, params = request.sim.store.get("payment_method", request.id), request.params
    if not method["customer"]:
        raise refuse("You must save this PaymentMethod to a customer before you can update it.")
    update(method, params, "allow_redisplay", "metadata")
    method["billing_details"] |= read_details(params.get("billing_details"))
    card = params.get("card") or {}
    method["card"] |= {key: card[key] for key in ("exp_month", "exp_year") if key in card}
    request.sim.emit("payment_method.updated", method)
    return method


@route("POST", "/v1/payment_methods/{id}/attach")
def attach_payment_method(request: Request) -> Object:
    customer = request.params.get("customer")
    if not customer:
        raise refuse("Missing required param: customer.", param="customer", code="parameter_missing")
    method = resolve_method(request.sim, request.id, at=request.at)
    attach_method(request.sim, method, customer)
    return method


@route("POST", "/v1/payment_methods/{id}/detach")
def detach_payment_method(request: Request) -> Object:
    method = request.sim.store.get("payment_method", request.id)
    detach_method(request.sim, method)
    return method
