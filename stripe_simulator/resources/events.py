"""Events as lists: what a client catches up with after an outage. Kept for 30 days."""

from stripe_simulator.errors import refuse_missing
from stripe_simulator.events import KEPT_SECONDS
from stripe_simulator.lists import answer_list, answer_list_v2, matches_range
from stripe_simulator.routes import Object, Request, route


@route("GET", "/v1/events")
def list_events(request: Request) -> Object:
    params, events = request.params, request.sim.events
    types = set(params.get("types", [])) | ({params["type"]} if "type" in params else set())
    found = [event for event in request.sim.store.scan("event") if is_kept(request, event["created"])]
    if types:
        found = [event for event in found if any(matches_type(event["type"], wanted) for wanted in types)]
    if "delivery_success" in params:
        found = [event for event in found if (events.count_pending(event["id"]) == 0) == params["delivery_success"]]
    page = answer_list(request, found)
    page["data"] = [event | {"pending_webhooks": events.count_pending(event["id"])} for event in page["data"]]
    return page


@route("GET", "/v1/events/{id}")
def read_event(request: Request) -> Object:
    event = request.sim.store.peek("event", request.id)
    if event is None or not is_kept(request, event["created"]):
        raise refuse_missing("event", request.id)
    return event | {"pending_webhooks": request.sim.events.count_pending(event["id"])}


@route("GET", "/v2/core/events")
def list_thin_events(request: Request) -> Object:
    params = request.params
    found = [
        event
        for event in request.sim.store.scan("v2.core.event")
        if is_kept(request, event["_created"])
        and ("types" not in params or event["type"] in params["types"])
        and ("object_id" not in params or event.get("related_object", {}).get("id") == params["object_id"])
        and matches_range({"created": event["_created"]}, params, "created")
    ]
    return answer_list_v2(request, found[::-1])


@route("GET", "/v2/core/events/{id}")
def read_thin_event(request: Request) -> Object:
    event = request.sim.store.peek("v2.core.event", request.id)
    if event is None or not is_kept(request, event["_created"]):
        raise refuse_missing("v2.core.event", request.id)
    return event


def is_kept(request: Request, created: int) -> bool:
    return request.sim.clock.read() - created <= KEPT_SECONDS


def matches_type(type: str, wanted: str) -> bool:
    """`customer.*` stands for all that begins so."""
    return type == wanted or (wanted.endswith("*") and type.startswith(wanted[:-1]))
