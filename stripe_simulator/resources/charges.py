"""/v1/charges and /v1/refunds."""

from stripe_simulator.errors import refuse
from stripe_simulator.expanding import includable
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.payments.charges import capture_charge, make_charge
from stripe_simulator.payments.intents import check_amount
from stripe_simulator.payments.methods import decline, find_card_of, make_method
from stripe_simulator.payments.refunds import refund_charge
from stripe_simulator.payments.test_cards import find_card
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported

UNSUPPORTED = ("application_fee", "application_fee_amount", "destination", "on_behalf_of", "transfer_data")


@route("POST", "/v1/charges")
def create_charge(request: Request) -> Object:
    """The old way to charge a card at once. A declined one is answered with its error and stays."""
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    for name in ("amount", "currency"):
        if name not in params:
            raise refuse(f"Missing required param: {name}.", param=name, code="parameter_missing")
    check_amount(params["amount"], params["currency"].lower())
    method = find_source(request)
    failure = find_card_of(method).declines
    charge = make_charge(
        sim,
        method,
        amount=params["amount"],
        currency=params["currency"].lower(),
        customer=params.get("customer"),
        is_captured=params.get("capture", True),
        failure=failure,
        description=params.get("description"),
        metadata=merge_metadata({}, params.get("metadata")),
    )
    if failure:
        raise decline(failure, keeps=True, charge=charge["id"])
    return charge


def find_source(request: Request) -> Object:
    sim, params = request.sim, request.params
    token = params.get("source")
    if token and (card := find_card(token)):
        return make_method(sim, card, at=request.at)
    if not token and params.get("customer"):
        token = sim.store.get("customer", params["customer"], param="customer", status=400)["default_source"]
    if not token:
        raise refuse("Must provide source or customer.")
    return sim.store.get("card", token, param="source", status=400)


@route("GET", "/v1/charges")
def list_charges(request: Request) -> Object:
    given = {key: request.params[key] for key in ("customer", "payment_intent") if key in request.params}
    return answer_list(request, request.sim.store.scan("charge", **given))


@route("GET", "/v1/charges/search")
def search_charges(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("charge"))


@route("GET", "/v1/charges/{id}")
def read_charge(request: Request) -> Object:
    return request.sim.store.get("charge", request.id)


@route("POST", "/v1/charges/{id}")
def update_charge(request: Request) -> Object:
    charge = request.sim.store.get("charge", request.id)
    update(charge, request.params, "customer", "description", "metadata", "receipt_email", "transfer_group")
    if request.params.get("fraud_details"):
        charge["fraud_details"] = request.params["fraud_details"]
    request.sim.emit("charge.updated", charge)
    return charge


@route("POST", "/v1/charges/{id}/capture")
def capture(request: Request) -> Object:
    charge = request.sim.store.get("charge", request.id)
    if charge["captured"] or charge["status"] != "succeeded":
        raise refuse(f"Charge {charge['id']} has already been captured.", code="charge_already_captured")
    amount: int = request.params["amount"] if "amount" in request.params else charge["amount"]
    if not 0 < amount <= charge["amount"]:
        raise refuse("The amount is more than was authorized.", param="amount")
    capture_charge(request.sim, charge, amount)
    return charge


@includable("charge", "refunds")
def show_refunds(sim: Simulator, charge: Object) -> Object:
    found = list(sim.store.scan("refund", charge=charge["id"]))[::-1]
    url = f"/v1/charges/{charge['id']}/refunds"
    return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "url": url}


@route("POST", "/v1/refunds")
def create_refund(request: Request) -> Object:
    sim, params = request.sim, request.params
    refuse_unsupported(params, "origin", "instructions_email", "refund_application_fee", "reverse_transfer")
    charge = params.get("charge")
    if params.get("payment_intent"):
        charge = sim.store.get("payment_intent", params["payment_intent"], param="payment_intent", status=400)[
            "latest_charge"
        ]
    if not charge:
        raise refuse("One of the following params should be provided for this request: payment_intent or charge.")
    found = sim.store.get("charge", charge, param="charge", status=400)
    metadata = merge_metadata({}, params.get("metadata"))
    return refund_charge(sim, found, params.get("amount"), reason=params.get("reason"), metadata=metadata)


@route("GET", "/v1/refunds")
def list_refunds(request: Request) -> Object:
    given = {key: request.params[key] for key in ("charge", "payment_intent") if key in request.params}
    return answer_list(request, request.sim.store.scan("refund", **given))


@route("GET", "/v1/refunds/{id}")
def read_refund(request: Request) -> Object:
    return request.sim.store.get("refund", request.id)


@route("POST", "/v1/refunds/{id}")
def update_refund(request: Request) -> Object:
    refund = request.sim.store.get("refund", request.id)
    update(refund, request.params, "metadata")
    request.sim.emit("refund.updated", refund)
    request.sim.emit("charge.refund.updated", refund)
    return refund


@route("POST", "/v1/refunds/{id}/cancel")
def cancel_refund(request: Request) -> Object:
    refund = request.sim.store.get("refund", request.id)
    raise refuse(f"Refund {refund['id']} cannot be canceled: cards' refunds never wait for an action.")
