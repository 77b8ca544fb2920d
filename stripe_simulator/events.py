"""Events: what happened, as Stripe tells it. A snapshot for v1, a thin one for v2."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stripe_simulator import API_VERSION
from stripe_simulator.expanding import strip
from stripe_simulator.store import new_id
from stripe_simulator.webhooks import Webhooks, wants

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Object = dict[str, Any]
KEPT_SECONDS = 30 * 24 * 3600


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
        event: Object = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": sim.clock.read(),  # not of a test clock: Stripe tells when it really happened
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
            sim.break_off(f"event {type}", problems, event)
        sim.store.insert(event)
        event["pending_webhooks"] = self.webhooks.promise(event)
        if self.is_asked_thin(f"v1.{type}"):
            self.emit_thin(f"v1.{type}", value, None, snapshot=event["id"])
        return event

    def is_asked_thin(self, type: str) -> bool:
        if type not in self.sim.contract.thin_events:
            return False
        probe = {"object": "v2.core.event", "type": type}
        return any(wants(destination, probe) for destination in self.sim.store.scan("v2.core.event_destination"))

    def emit_thin(
        self, type: str, related: Object | None, data: Object | None, *, snapshot: str | None = None
    ) -> Object:
        sim = self.sim
        if type not in sim.contract.thin_events:
            raise LookupError(f"the contract has no thin event {type}")
        now = sim.clock.read()
        event: Object = {
            "id": new_id("evt"),
            "object": "v2.core.event",
            "type": type,
            "livemode": False,
            "created": format_time(now),
            "_created": now,
        }
        allowed = sim.contract.schemas[sim.contract.thin_events[type]]["properties"]
        if related is not None and "related_object" in allowed:
            event["related_object"] = describe_related(related)
        if data is not None:
            event["data"] = strip(data)
        if snapshot is not None and "snapshot_event" in allowed:
            event["snapshot_event"] = snapshot
        if sim.request and sim.request.idempotency_key:
            event["reason"] = {
                "type": "request",
                "request": {"id": sim.request.request_id, "idempotency_key": sim.request.idempotency_key},
            }
        if problems := sim.contract.check_object(strip(event)):
            sim.break_off(f"thin event {type}", problems, event)
        sim.store.insert(event)
        self.webhooks.promise(event)
        return event

    def follow_delivery(self, id: str) -> None:
        """Have done now what waited for the last webhook of this event."""
        then = self.sim.store.peek("_after_delivery", id)
        if then is not None and self.count_pending(id) == 0:
            self.sim.store.remove("_after_delivery", id)
            clock = then["clock"]
            self.sim.schedule(self.sim.clock_time(clock), then["name"], then["payload"], clock=clock)

    def count_pending(self, id: str) -> int:
        return sum(row["state"] not in ("delivered", "dropped") for row in self.sim.store.scan("_delivery", event=id))


def diff(before: Object, after: Object) -> Object:
    """The old values of what changed, as `previous_attributes` shows them."""
    changed: Object = {}
    for key, value in before.items():
        now: Any = after.get(key)
        if value == now:
            continue
        if isinstance(value, dict) and isinstance(now, dict) and key != "metadata":
            changed[key] = diff(value, now)
        else:
            changed[key] = value
    changed.update({key: None for key in after if key not in before})
    return changed


def format_time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def describe_related(related: Object) -> Object:
    kind = related["object"]
    version = "v2" if kind.startswith("v2.") else "v1"
    folder = kind.removeprefix("v2.").replace(".", "/") + "s"
    return {"id": related["id"], "type": kind, "url": f"/{version}/{folder}/{related['id']}"}
