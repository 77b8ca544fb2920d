"""/v1/customers/…/sources: cards only."""

from stripe_simulator.errors import refuse_missing
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.payments.sources import add_source
from stripe_simulator.routes import Object, Request, route


@route("POST", "/v1/customers/{id}/sources")
def create_source(request: Request) -> Object:
    customer = request.sim.store.get("customer", request.id)
    source = add_source(request.sim, customer, request.params["source"], at=request.at)
    return update(source, request.params, "metadata")


@route("GET", "/v1/customers/{id}/sources")
def list_sources(request: Request) -> Object:
    request.sim.store.get("customer", request.id)
    kind = request.params.get("object")
    cards = request.sim.store.scan("card", customer=request.id) if kind in (None, "card") else []
    return answer_list(request, cards)


def find_source(request: Request) -> Object:
    source = request.sim.store.get("card", request.id)
    if source["customer"] != request.ids["customerId"]:
        raise refuse_missing("source", request.id)
    return source


@route("GET", "/v1/customers/{customerId}/sources/{id}")
def read_source(request: Request) -> Object:
    return find_source(request)


@route("POST", "/v1/customers/{customerId}/sources/{id}")
def update_source(request: Request) -> Object:
    source = find_source(request)
    names = ("address_city", "address_country", "address_line1", "address_line2", "address_state", "address_zip")
    update(source, request.params, *names, "exp_month", "exp_year", "metadata", "name")
    source["exp_month"], source["exp_year"] = int(source["exp_month"]), int(source["exp_year"])
    request.sim.emit("customer.source.updated", source)
    return source


@route("DELETE", "/v1/customers/{customerId}/sources/{id}")
def delete_source(request: Request) -> Object:
    sim, source = request.sim, find_source(request)
    customer = sim.store.get("customer", source["customer"])
    if customer["default_source"] == source["id"]:
        left = [card["id"] for card in sim.store.scan("card", customer=customer["id"]) if card["id"] != source["id"]]
        customer["default_source"] = left[0] if left else None
    stub = sim.store.delete(source)
    sim.emit("customer.source.deleted", source)
    return stub
