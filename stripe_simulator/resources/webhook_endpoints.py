"""Webhook endpoints: the simplest resource, to copy from."""

from stripe_simulator.contract import template
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.routes import Object, Request, route


@route("POST", "/v1/webhook_endpoints")
def create_webhook_endpoint(request: Request) -> Object:
    """The only answer that shows the secret."""
    sim, params = request.sim, request.params
    endpoint = template(
        "webhook_endpoint",
        id=sim.new_id("we"),
        api_version=params.get("api_version"),
        created=request.at,
        description=params.get("description"),
        enabled_events=params["enabled_events"],
        metadata=merge_metadata({}, params.get("metadata")),
        status="enabled",
        url=params["url"],
        _secret=sim.new_id("whsec"),
    )
    sim.store.insert(endpoint)
    return endpoint | {"secret": endpoint["_secret"]}


@route("GET", "/v1/webhook_endpoints")
def list_webhook_endpoints(request: Request) -> Object:
    return answer_list(request, request.sim.store.scan("webhook_endpoint"))


@route("GET", "/v1/webhook_endpoints/{id}")
def read_webhook_endpoint(request: Request) -> Object:
    return request.sim.store.get("webhook_endpoint", request.id)


@route("POST", "/v1/webhook_endpoints/{id}")
def update_webhook_endpoint(request: Request) -> Object:
    endpoint = request.sim.store.get("webhook_endpoint", request.id)
    update(endpoint, request.params, "description", "enabled_events", "metadata", "url")
    if "disabled" in request.params:
        endpoint["status"] = "disabled" if request.params["disabled"] else "enabled"
    return endpoint


@route("DELETE", "/v1/webhook_endpoints/{id}")
def delete_webhook_endpoint(request: Request) -> Object:
    endpoint = request.sim.store.get("webhook_endpoint", request.id)
    request.sim.events.webhooks.drop(endpoint["id"])
    return request.sim.store.delete(endpoint, stub=False)
