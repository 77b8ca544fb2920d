"""/v1/products."""

from stripe_simulator.catalogue.price_making import make_price
from stripe_simulator.changes import matches, updating
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search
from stripe_simulator.simulator import Simulator

PLAIN = (
    "active", "description", "images", "marketing_features", "metadata", "name", "package_dimensions", "shippable",
    "statement_descriptor", "tax_code", "tax_details", "type", "unit_label", "url",
)  # fmt: skip


@route("POST", "/v1/products")
def create_product(request: Request) -> Object:
    params, sim = request.params, request.sim
    product = make_product(sim, params, request.at)
    if "default_price_data" in params:
        price = make_price(sim, {**params["default_price_data"], "product": product["id"]}, request.at)
        product["default_price"] = price["id"]
    return product


def make_product(sim: Simulator, params: Object, at: int) -> Object:
    """Store a product. Its id may be the caller's own, once."""
    if "id" in params and sim.store.peek("product", params["id"]):
        raise refuse(f"Product already exists with ID {params['id']}.", param="id", code="resource_already_exists")
    product = template("product") | {
        "id": params.get("id") or sim.new_id("prod"),
        "active": True,
        "created": at,
        "updated": at,
        "default_price": None,
        "images": [],
        "marketing_features": [],
        "metadata": {},
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
    }
    update(product, params, *PLAIN)
    sim.store.insert(product)
    sim.emit("product.created", product)
    return product


@route("GET", "/v1/products/{id}")
def read_product(request: Request) -> Object:
    return request.sim.store.get("product", request.id)


@route("POST", "/v1/products/{id}")
def update_product(request: Request) -> Object:
    sim, params = request.sim, request.params
    product = sim.store.get("product", request.id)
    if params.get("default_price"):
        price = sim.store.get("price", params["default_price"], param="default_price", status=400)
        if price["product"] != product["id"]:
            raise refuse("The price specified is not of this product.", param="default_price")
    with updating(sim, "product.updated", product):
        before = dict(product)
        if update(product, params, *PLAIN, "default_price") != before:
            product["updated"] = request.at
    return product


@route("DELETE", "/v1/products/{id}")
def delete_product(request: Request) -> Object:
    """A product goes only while no price was made of it."""
    sim = request.sim
    product = sim.store.get("product", request.id)
    if sim.store.find("price", product=product["id"]):
        raise refuse("This product cannot be deleted because it has one or more user-created prices.")
    sim.emit("product.deleted", product)
    return request.sim.store.delete(product)


@route("GET", "/v1/products/search")
def search_products(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("product"))


@route("GET", "/v1/products")
def list_products(request: Request) -> Object:
    wanted = request.params.get("ids")
    products = [
        product
        for product in request.sim.store.find("product")
        if (wanted is None or product["id"] in wanted)
        and matches(request, product, "active", "shippable", "type", "url")
    ]
    return answer_list(request, products)
