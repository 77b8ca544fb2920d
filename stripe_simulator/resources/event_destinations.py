"""v2 event destinations: where thin events go, and snapshots if asked so. Only webhook endpoints."""

from stripe_simulator import API_VERSION
from stripe_simulator.errors import refuse
from stripe_simulator.events import format_time
from stripe_simulator.lists import answer_list_v2
from stripe_simulator.metadata import merge_metadata
from stripe_simulator.routes import Object, Request, route

KIND = "v2.core.event_destination"


@route("POST", "/v2/core/event_destinations")
def create_event_destination(request: Request) -> Object:
    sim, params = request.sim, request.params
    if params["type"] != "webhook_endpoint":
        raise refuse("The simulator has no cloud: only webhook_endpoint destinations.", param="type")
    if "webhook_endpoint" not in params:
        raise refuse("Missing required param: webhook_endpoint.", param="webhook_endpoint", code="parameter_missing")
    at = format_time(request.at)
    destination = {
        "id": sim.new_id("ed_test"),
        "object": KIND,
        "created": at,
        "updated": at,
        "description": params.get("description", ""),
        "enabled_events": params["enabled_events"],
        "event_payload": params["event_payload"],
        "events_from": params.get("events_from", ["self"]),
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "name": params["name"],
        "status": "enabled",
        "type": params["type"],
        "_url": params["webhook_endpoint"]["url"],
        "_secret": sim.new_id("whsec"),
    }
    if params["event_payload"] == "snapshot":
        destination["snapshot_api_version"] = params.get("snapshot_api_version", API_VERSION)
    sim.store.insert(destination)
    return include(destination, params.get("include", []))


def include(destination: Object, wanted: list[str]) -> Object:
    """Address and secret are shown only when asked for."""
    fields = {"webhook_endpoint.url": ("url", "_url"), "webhook_endpoint.signing_secret": ("signing_secret", "_secret")}
    shown = {name: destination[key] for path, (name, key) in fields.items() if path in wanted}
    return destination | ({"webhook_endpoint": shown} if shown else {})


@route("GET", "/v2/core/event_destinations")
def list_event_destinations(request: Request) -> Object:
    found = list(request.sim.store.scan(KIND))[::-1]
    wanted = request.params.get("include", [])
    return answer_list_v2(request, [include(destination, wanted) for destination in found])


@route("GET", "/v2/core/event_destinations/{id}")
def read_event_destination(request: Request) -> Object:
    return include(request.sim.store.get(KIND, request.id), request.params.get("include", []))


@route("POST", "/v2/core/event_destinations/{id}")
def update_event_destination(request: Request) -> Object:
    destination, params = request.sim.store.get(KIND, request.id), request.params
    for name in ("description", "enabled_events", "name"):
        if name in params:
            destination[name] = params[name]
    if "metadata" in params:
        given = {key: "" if value is None else value for key, value in params["metadata"].items()}
        destination["metadata"] = merge_metadata(destination["metadata"], given)
    if "webhook_endpoint" in params:
        destination["_url"] = params["webhook_endpoint"]["url"]
    destination["updated"] = format_time(request.at)
    return include(destination, params.get("include", []))


@route("DELETE", "/v2/core/event_destinations/{id}")
def delete_event_destination(request: Request) -> Object:
    destination = request.sim.store.get(KIND, request.id)
    request.sim.events.webhooks.drop(destination["id"])
    request.sim.store.delete(destination, stub=False)
    return {"id": destination["id"], "object": KIND, "deleted": True}


@route("POST", "/v2/core/event_destinations/{id}/disable")
def disable_event_destination(request: Request) -> Object:
    destination = request.sim.store.get(KIND, request.id)
    destination |= {"status": "disabled", "status_details": {"disabled": {"reason": "user"}}}
    return destination


@route("POST", "/v2/core/event_destinations/{id}/enable")
def enable_event_destination(request: Request) -> Object:
    destination = request.sim.store.get(KIND, request.id)
    destination["status"] = "enabled"
    destination.pop("status_details", None)
    return destination


@route("POST", "/v2/core/event_destinations/{id}/ping")
def ping_event_destination(request: Request) -> Object:
    """The event goes to this destination whatever it asked for."""
    sim = request.sim
    destination = sim.store.get(KIND, request.id)
    event = sim.emit_thin("v2.core.event_destination.ping", destination)
    if not sim.events.count_pending(event["id"]):
        sim.events.webhooks.add(event, destination)
    return event
