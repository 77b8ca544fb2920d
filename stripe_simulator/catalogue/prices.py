"""/v1/prices. What a price charges never changes: the contract has no parameter for it."""

from stripe_simulator.catalogue.price_making import make_price, take_lookup_key
from stripe_simulator.changes import matches, updating
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search


@route("POST", "/v1/prices")
def create_price(request: Request) -> Object:
    return make_price(request.sim, request.params, request.at)


@route("GET", "/v1/prices/{id}")
def read_price(request: Request) -> Object:
    return request.sim.store.get("price", request.id)


@route("POST", "/v1/prices/{id}")
def update_price(request: Request) -> Object:
    price = request.sim.store.get("price", request.id)
    take_lookup_key(request.sim, request.params, keeper=price["id"])
    with updating(request.sim, "price.updated", price):
        update(price, request.params, "active", "lookup_key", "metadata", "nickname", "tax_behavior")
    return price


@route("GET", "/v1/prices/search")
def search_prices(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("price"))


@route("GET", "/v1/prices")
def list_prices(request: Request) -> Object:
    keys, recurring = request.params.get("lookup_keys"), request.params.get("recurring") or {}
    prices = [
        price
        for price in request.sim.store.find("price")
        if (keys is None or price["lookup_key"] in keys)
        and all((price["recurring"] or {}).get(name) == value for name, value in recurring.items())
        and matches(request, price, "active", "currency", "product", "type")
    ]
    return answer_list(request, prices)
