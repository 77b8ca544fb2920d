"""Events: what happened, as Stripe tells it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stripe_simulator import API_VERSION
from stripe_simulator.expanding import strip
from stripe_simulator.store import new_id
from stripe_simulator.webhooks import Webhooks

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Object = dict[str, Any]


class Events:
    def __init__(self, sim: "Simulator") -> None:
        self.sim = sim
        self.webhooks = Webhooks(sim)

    def emit(self, type: str, value: Object, previous: Object | None = None) -> Object:
        sim = self.sim
        if type not in sim.contract.event_types:
            raise LookupError(f"the contract has no event {type}")
        data: Object = {"object": strip(value)}
        if previous is None and type.endswith(".updated"):
            before = sim.store.get_before(value["object"], value.get("id", ""))
            previous = diff(strip(before), data["object"]) if before else {}
        if previous is not None:
            data["previous_attributes"] = previous
        request = sim.request
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": sim.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": request.request_id if request else None,
                "idempotency_key": request.idempotency_key if request else None,
            },
            "type": type,
        }
        if problems := sim.contract.check_event(event):
            sim.record_violation(f"event {type}", problems, event)
        sim.store.insert(event)
        event["pending_webhooks"] = self.webhooks.promise(event)
        return event

    def emit_thin(self, type: str, related: Object | None, data: Object | None) -> Object:
        sim = self.sim
        if type not in sim.contract.thin_events:
            raise LookupError(f"the contract has no thin event {type}")
        event: Object = {
            "id": new_id("evt"),
            "object": "v2.core.event",
            "type": type,
            "livemode": False,
            "created": format_time(sim.now()),
            "_created": sim.now(),
        }
        if related is not None:
            event["related_object"] = describe_related(related)
        if data is not None:
            event["data"] = strip(data)
        if sim.request and sim.request.idempotency_key:
            event["reason"] = {
                "type": "request",
                "request": {"id": sim.request.request_id, "idempotency_key": sim.request.idempotency_key},
            }
        if problems := sim.contract.check_object(strip(event)):
            sim.record_violation(f"thin event {type}", problems, event)
        sim.store.insert(event)
        self.webhooks.promise(event)
        return event

    def was_delivered(self, id: str) -> bool:
        return not any(row["event"] == id and row["state"] != "delivered" for row in self.sim.store.scan("_delivery"))

    def send_soon(self) -> None:
        self.webhooks.send_soon()

    def clear(self) -> None:
        self.webhooks.clear()


def diff(before: Object, after: Object) -> Object:
    """The old values of what changed, as `previous_attributes` shows them."""
    changed = {}
    for key, value in before.items():
        now = after.get(key)
        if value == now:
            continue
        changed[key] = (
            diff(value, now) if isinstance(value, dict) and isinstance(now, dict) and key != "metadata" else value
        )
    changed.update({key: None for key in after if key not in before})
    return changed


def format_time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def describe_related(related: Object) -> Object:
    plural = {"billing.meter": "billing/meters", "test_helpers.test_clock": "test_helpers/test_clocks"}
    kind = related["object"]
    if kind == "v2.core.event_destination":
        return {"id": related["id"], "type": kind, "url": f"/v2/core/event_destinations/{related['id']}"}
    return {
        "id": related["id"],
        "type": kind,
        "url": f"/v1/{plural.get(kind, kind.replace('.', '/') + 's')}/{related['id']}",
    }
