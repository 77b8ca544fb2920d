"""Tax ids of customers, under their customer and under /v1/tax_ids. None is verified."""

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse, refuse_missing
from stripe_simulator.lists import answer_list
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported


def make_tax_id(sim: Simulator, customer: str, params: Object, at: int) -> Object:
    """Store a tax id of a customer. It stays `pending`: nobody asks a register."""
    if any(each["value"] == params["value"] for each in sim.store.scan("tax_id", customer=customer)):
        raise refuse("The customer has this tax id already.", param="value", code="resource_already_exists")
    kind = params["type"]
    tax_id = template(
        "tax_id",
        id=sim.new_id("txi"),
        country=read_country(kind, params["value"]),
        created=at,
        customer=customer,
        owner={"customer": customer, "customer_account": None, "type": "customer"},
        type=kind,
        value=params["value"],
        verification={"status": "pending", "verified_address": None, "verified_name": None},
    )
    sim.store.insert(tax_id)
    sim.emit("customer.tax_id.created", tax_id)
    return tax_id


def read_country(kind: str, value: str) -> str | None:
    """The country of a tax id: of European ones the first letters of the number, else those of the kind."""
    prefix = value[:2] if kind == "eu_vat" else kind[:2]
    return prefix.upper() if prefix.isalpha() else None


@route("POST", "/v1/customers/{id}/tax_ids")
def create_of_customer(request: Request) -> Object:
    customer = request.sim.store.get("customer", request.id)
    return make_tax_id(request.sim, customer["id"], request.params, request.at)


@route("GET", "/v1/customers/{id}/tax_ids")
def list_of_customer(request: Request) -> Object:
    customer = request.sim.store.get("customer", request.id)
    return answer_list(request, request.sim.store.scan("tax_id", customer=customer["id"]))


@route("GET", "/v1/customers/{customerId}/tax_ids/{id}")
def read_of_customer(request: Request) -> Object:
    tax_id = request.sim.store.get("tax_id", request.id)
    if tax_id["customer"] != request.ids["customerId"]:
        raise refuse_missing("tax_id", request.id)
    return tax_id


@route("DELETE", "/v1/customers/{customerId}/tax_ids/{id}")
def delete_of_customer(request: Request) -> Object:
    return delete_tax_id(request.sim, read_of_customer(request))


def delete_tax_id(sim: Simulator, tax_id: Object) -> Object:
    sim.emit("customer.tax_id.deleted", tax_id)
    return sim.store.delete(tax_id)


@route("POST", "/v1/tax_ids")
def create(request: Request) -> Object:
    owner = request.params.get("owner") or {"type": "self"}
    if owner["type"] != "customer":
        refuse_unsupported({"owner[type]": owner["type"]}, "owner[type]")
    customer = request.sim.store.get("customer", owner.get("customer", ""), param="owner[customer]", status=400)
    return make_tax_id(request.sim, customer["id"], request.params, request.at)


@route("GET", "/v1/tax_ids")
def list_all(request: Request) -> Object:
    owner = (request.params.get("owner") or {}).get("customer")
    found = [each for each in request.sim.store.scan("tax_id") if owner in (None, each["customer"])]
    return answer_list(request, found)


@route("GET", "/v1/tax_ids/{id}")
def read(request: Request) -> Object:
    return request.sim.store.get("tax_id", request.id)


@route("DELETE", "/v1/tax_ids/{id}")
def delete(request: Request) -> Object:
    return delete_tax_id(request.sim, read(request))
