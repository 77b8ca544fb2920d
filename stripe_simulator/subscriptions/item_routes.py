"""/v1/subscription_items. Each change is a change of the subscription."""

from stripe_simulator.lists import answer_list
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.subscriptions.changing import change_subscription

PRORATION = ("payment_behavior", "proration_behavior", "proration_date")


def change_through(request: Request, subscription_id: str, item: Object) -> None:
    subscription = request.sim.store.get("subscription", subscription_id, param="subscription", status=400)
    params = {name: request.params[name] for name in PRORATION if name in request.params}
    change_subscription(request.sim, subscription, {**params, "items": [item]}, at=request.at)


def read_own(request: Request) -> Object:
    """The parameters of the item itself."""
    return {k: v for k, v in request.params.items() if k not in (*PRORATION, "subscription", "expand", "off_session")}


@route("POST", "/v1/subscription_items")
def create_item(request: Request) -> Object:
    subscription = request.params["subscription"]
    known = {item["id"] for item in request.sim.store.scan("subscription_item", subscription=subscription)}
    change_through(request, subscription, read_own(request))
    items = request.sim.store.scan("subscription_item", subscription=subscription)
    return next(item for item in items if item["id"] not in known)


@route("GET", "/v1/subscription_items/{id}")
def read_item(request: Request) -> Object:
    return request.sim.store.get("subscription_item", request.id)


@route("POST", "/v1/subscription_items/{id}")
def update_item(request: Request) -> Object:
    item = request.sim.store.get("subscription_item", request.id)
    change_through(request, item["subscription"], {**read_own(request), "id": item["id"]})
    return item


@route("DELETE", "/v1/subscription_items/{id}")
def delete_item(request: Request) -> Object:
    item = request.sim.store.get("subscription_item", request.id)
    change_through(request, item["subscription"], {"id": item["id"], "deleted": True})
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


@route("GET", "/v1/subscription_items")
def list_items(request: Request) -> Object:
    subscription = request.sim.store.get(
        "subscription", request.params["subscription"], param="subscription", status=400
    )
    return answer_list(
        request, request.sim.store.scan("subscription_item", subscription=subscription["id"]), oldest_first=True
    )
