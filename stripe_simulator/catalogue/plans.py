"""/v1/plans: the older form of recurring prices. A plan is a price; both have one id."""

from stripe_simulator.catalogue.price_making import make_price, show_plan
from stripe_simulator.changes import updating
from stripe_simulator.errors import refuse_missing
from stripe_simulator.expanding import includable, strip
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

RENAMED = {"amount": "unit_amount", "amount_decimal": "unit_amount_decimal", "transform_usage": "transform_quantity"}
SAME = ("active", "billing_scheme", "currency", "id", "metadata", "nickname", "tiers", "tiers_mode")
RECURRING = ("interval", "interval_count", "meter", "trial_period_days", "usage_type")


@route("POST", "/v1/plans")
def create_plan(request: Request) -> Object:
    params = request.params
    given = {name: params[name] for name in SAME if name in params}
    given |= {new: params[old] for old, new in RENAMED.items() if old in params}
    given["recurring"] = {name: params[name] for name in RECURRING if name in params}
    product = params.get("product")
    given |= {"product_data": product} if isinstance(product, dict) else {"product": product}
    plan = show_plan(make_price(request.sim, given, request.at))
    request.sim.emit("plan.created", plan)
    return plan


def find_price(request: Request) -> Object:
    price = request.sim.store.get("price", request.id)
    if price["recurring"] is None:
        raise refuse_missing("plan", request.id)
    return price


@route("GET", "/v1/plans/{id}")
def read_plan(request: Request) -> Object:
    return show_plan(find_price(request))


@route("POST", "/v1/plans/{id}")
def update_plan(request: Request) -> Object:
    price = find_price(request)
    before = show_plan(strip(price))
    with updating(request.sim, "price.updated", price):
        update(price, request.params, "active", "metadata", "nickname")
    plan = show_plan(price)
    if plan != before:
        request.sim.emit("plan.updated", plan, {key: value for key, value in before.items() if value != plan[key]})
    return plan


@route("DELETE", "/v1/plans/{id}")
def delete_plan(request: Request) -> Object:
    """Subscriptions to a deleted plan go on."""
    sim, price = request.sim, find_price(request)
    sim.emit("plan.deleted", show_plan(price))
    sim.emit("price.deleted", price)
    return sim.store.delete(price) | {"object": "plan"}


@route("GET", "/v1/plans")
def list_plans(request: Request) -> Object:
    product, active = request.params.get("product"), request.params.get("active")
    plans = [
        show_plan(price)
        for price in request.sim.store.scan("price", type="recurring")
        if product in (None, price["product"]) and active in (None, price["active"])
    ]
    return answer_list(request, plans)


@includable("plan", "tiers")
def show_tiers(sim: Simulator, plan: Object) -> list[Object]:
    return list(sim.store.get("price", plan["id"]).get("_tiers", []))
