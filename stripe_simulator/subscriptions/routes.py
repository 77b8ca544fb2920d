"""/v1/subscriptions: read, list, search, update."""

from stripe_simulator.catalogue.discounts import drop_discounts
from stripe_simulator.changes import matches, updating
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list, matches_range
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search
from stripe_simulator.subscriptions.changing import change_subscription

OVER = ("canceled", "incomplete_expired")


@route("GET", "/v1/subscriptions/{id}")
def read_subscription(request: Request) -> Object:
    return request.sim.store.get("subscription", request.id)


@route("POST", "/v1/subscriptions/{id}")
def update_subscription(request: Request) -> Object:
    subscription = request.sim.store.get("subscription", request.id)
    change_subscription(request.sim, subscription, request.params, at=request.at)
    return subscription


@route("GET", "/v1/subscriptions")
def list_subscriptions(request: Request) -> Object:
    """Those that are not over, unless `status` asks for others."""
    found = [each for each in request.sim.store.scan("subscription") if is_wanted(request, each)]
    return answer_list(request, found)


def is_wanted(request: Request, subscription: Object) -> bool:
    params, status = request.params, request.params.get("status")
    items = subscription["items"]["data"]
    if status is None and subscription["status"] in OVER:
        return False
    if status not in (None, "all") and subscription["status"] not in (OVER if status == "ended" else (status,)):
        return False
    if "price" in params and params["price"] not in [item["price"]["id"] for item in items]:
        return False
    if not all(any(matches_range(item, params, name) for item in items) for name in RANGES if name in params):
        return False
    return matches(request, subscription, "collection_method", "customer")


RANGES = ("current_period_start", "current_period_end")


@route("GET", "/v1/subscriptions/search")
def search_subscriptions(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("subscription"))


@route("DELETE", "/v1/subscriptions/{id}/discount")
def delete_discount(request: Request) -> Object:
    sim = request.sim
    subscription = sim.store.get("subscription", request.id)
    if not subscription["discounts"]:
        raise refuse("The subscription has no discount.", code="resource_missing")
    discount = sim.store.get("discount", subscription["discounts"][-1])
    with updating(sim, "customer.subscription.updated", subscription):
        subscription["discounts"] = []
    drop_discounts(sim, [discount["id"]])
    return sim.store.delete(discount)


@route("POST", "/v1/subscriptions/{id}/migrate")
def migrate_subscription(request: Request) -> Object:
    """To the flexible billing mode; there is no way back."""
    subscription = request.sim.store.get("subscription", request.id)
    if request.params["billing_mode"]["type"] != "flexible" or subscription["billing_mode"]["type"] == "flexible":
        raise refuse("Only a classic subscription can be migrated, and only to flexible.", param="billing_mode[type]")
    with updating(request.sim, "customer.subscription.updated", subscription):
        subscription["billing_mode"] = {
            "flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": request.at,
        }  # fmt: skip
    return subscription
