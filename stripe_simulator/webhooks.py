"""Webhooks: promised with the event, signed, retried by the simulator's clock.

An endpoint on loopback is called over HTTP; any other (and every one in "pull" mode) waits until a test takes its
webhooks. What may go wrong on the way is in `/_sim/webhooks/fault`; nothing else of an event is invented there.
"""

import fnmatch
import http.client
import queue
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from stripe_simulator.clock import MAIN, due
from stripe_simulator.expanding import strip
from stripe_simulator.signing import sign
from stripe_simulator.store import new_id

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Object = dict[str, Any]
MINUTE, HOUR = 60, 3600
# Stripe: "up to three days with an exponential back off"; the steps themselves are not published.
BACKOFF = (5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR)
TIMEOUT = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")
KINDS = (
    "hold", "duplicate", "delay", "reorder", "fail", "wrong_secret", "old_timestamp", "future_timestamp", "old_version",
    "livemode", "foreign_account",
)  # fmt: skip
OLD_VERSION = "2024-06-20"
KEPT_BY_OLD_VERSION = ("id", "object", "customer", "status", "created", "livemode", "metadata")


@dataclass(slots=True)
class WebhookFault:
    """One rule for the deliveries whose event type matches; `seconds` for delay and timestamps."""

    kind: str
    types: list[str] = field(default_factory=lambda: ["*"])
    nth: int = 1
    times: int = 1
    seconds: int = HOUR
    seen: int = 0

    def strikes(self, type: str) -> bool:
        if not any(fnmatch.fnmatchcase(type, pattern) for pattern in self.types):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Webhooks:
    def __init__(self, sim: "Simulator") -> None:
        self.sim = sim
        self.fresh: list[str] = []
        self.queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.sending = 0
        self.idle = threading.Condition()
        self.clear()

    def clear(self) -> None:
        self.faults: list[WebhookFault] = []
        self.is_down = False
        self.rates: dict[str, float] = {}
        self.seed = 0
        self.counts: Counter[str] = Counter()
        self.fresh.clear()

    def throw_dice(self, seed: int, rates: dict[str, float]) -> None:
        """Faults by dice from now on: the number of an event of its type and the seed decide."""
        self.seed, self.rates = seed, rates
        self.counts.clear()

    # Promises

    def promise(self, event: Object) -> int:
        """A delivery for every endpoint that asked for such events. How many."""
        count = 0
        for endpoint in [*self.sim.store.scan("webhook_endpoint"), *self.sim.store.scan("v2.core.event_destination")]:
            if wants(endpoint, event):
                self.add(event, endpoint)
                count += 1
        return count

    def add(self, event: Object, endpoint: Object) -> None:
        faults = self.pick_faults(event["type"])
        copies = 2 if any(fault.kind == "duplicate" for fault in faults) else 1
        for _ in range(copies):
            row: Object = {
                "id": new_id("whd"),
                "event": event["id"],
                "endpoint": endpoint["id"],
                "kind": endpoint["object"],
                "state": "pending",
                "attempts": 0,
                "at": self.sim.clock.read(),
                "faults": [
                    {"kind": fault.kind, "seconds": fault.seconds}
                    for fault in faults
                    if fault.kind not in ("hold", "duplicate", "delay", "reorder")
                ],
            }
            for fault in faults:
                if fault.kind in ("hold", "reorder"):
                    row["state"] = "held" if fault.kind == "hold" else "behind"
                elif fault.kind == "delay":
                    row["state"] = "waiting"
                    self.sim.schedule(row["at"] + fault.seconds, "send_webhook", {"id": row["id"]}, clock=MAIN)
            self.sim.store.put("_delivery", row["id"], row)
            self.fresh.append(row["id"])
        if not any(fault.kind == "reorder" for fault in faults):
            self.release(endpoint["id"], "behind")

    def release(self, endpoint: str | None, state: str) -> int:
        """Let go what was held, behind what was promised meanwhile."""
        rows = [row for row in self.sim.store.find("_delivery", state=state) if endpoint in (None, row["endpoint"])]
        for row in rows:
            self.sim.store.remove("_delivery", row["id"])
            self.sim.store.put("_delivery", row["id"], row | {"state": "pending"})
            self.fresh.append(row["id"])
        return len(rows)

    def drop(self, endpoint: str) -> None:
        """An endpoint is deleted: what was promised to it is not sent any more, and nobody waits for it."""
        for row in self.sim.store.find("_delivery", endpoint=endpoint):
            if row["state"] != "delivered":
                row["state"] = "dropped"
                self.sim.events.follow_delivery(row["event"])

    def pick_faults(self, type: str) -> list[WebhookFault]:
        found = [fault for fault in self.faults if fault.strikes(type)]
        if self.rates:
            self.counts[type] += 1
            dice = random.Random(f"{self.seed} {type} {self.counts[type]}")  # noqa: S311
            found += [
                WebhookFault(kind, seconds=dice.randrange(1, HOUR))
                for kind, rate in self.rates.items()
                if dice.random() < rate
            ]
        return found

    # Sending

    def send_soon(self) -> None:
        """After a unit of work: give what it promised to the threads, unless a test will take it."""
        fresh, self.fresh = self.fresh, []
        for id in fresh:
            row = self.sim.store.peek("_delivery", id)
            if row is None or row["state"] != "pending":
                continue
            if self.is_down:
                self.finish(id, None)
            elif self.is_called(row):
                self.start_threads()
                with self.idle:
                    self.sending += 1
                self.queue.put(id)

    def resume(self) -> None:
        """After a restart: what was promised and not delivered."""
        self.fresh = [row["id"] for row in self.sim.store.scan("_delivery", state="pending")]
        self.send_soon()

    def is_called(self, row: Object) -> bool:
        endpoint = self.sim.store.peek(row["kind"], row["endpoint"])
        if endpoint is None or self.sim.settings.delivery == "pull":
            return False
        return urlsplit(get_url(endpoint)).hostname in LOOPBACK

    def start_threads(self) -> None:
        if not self.threads:
            self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(2)]
            for thread in self.threads:
                thread.start()

    def work(self) -> None:
        while True:
            id = self.queue.get()
            try:
                with self.sim.lock:
                    prepared = self.prepare(id)
                if prepared is not None:
                    url, headers, body, does_fail = prepared
                    self.finish(id, None if does_fail else post(url, headers, body))
            except Exception:
                self.sim.record_crash("sending a webhook")
            finally:
                with self.idle:
                    self.sending -= 1
                    self.idle.notify_all()

    def settle(self, seconds: float = 30) -> None:
        """Wait until nothing is on its way: a frozen clock must not run ahead of its webhooks. Not under the lock."""
        if self.sending:
            with self.idle:
                self.idle.wait_for(lambda: self.sending == 0, seconds)

    def prepare(self, id: str) -> tuple[str, dict[str, str], bytes, bool] | None:
        """Address, headers, body of a delivery as its faults make them; nothing if its event or endpoint is gone."""
        row = self.sim.store.peek("_delivery", id)
        endpoint = row and self.sim.store.peek(row["kind"], row["endpoint"])
        event = row and self.find_event(row["event"])
        if not row or not endpoint or not event:
            return None
        body = strip(event)
        version = endpoint.get("api_version") or endpoint.get("snapshot_api_version")
        if version and body["object"] == "event":
            body["api_version"] = version
        if body["object"] == "v2.core.event":  # a notification: what it is about is to be fetched
            body.pop("data", None)
            body.pop("changes", None)
        secrets, at, does_fail = list_secrets(endpoint, self.sim.clock.read()), int(time.time()), False
        for fault in row["faults"]:
            kind = fault["kind"]
            does_fail |= kind == "fail" and row["attempts"] == 0
            if kind == "wrong_secret":
                secrets = ["whsec_wrong"]
            elif kind in ("old_timestamp", "future_timestamp"):
                at += fault["seconds"] * (1 if kind == "future_timestamp" else -1)
            elif kind == "livemode":
                body["livemode"] = True
            elif kind == "foreign_account":
                body["account"] = "acct_1Foreign"
            elif kind == "old_version" and body["object"] == "event":
                body["api_version"] = OLD_VERSION
                held = body["data"]["object"]
                body["data"]["object"] = {key: held[key] for key in KEPT_BY_OLD_VERSION if key in held}
        text = msgspec.json.encode(body)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": sign(text, secrets, at),
        }
        return get_url(endpoint), headers, text, does_fail

    def find_event(self, id: str) -> Object | None:
        return self.sim.store.peek("event", id) or self.sim.store.peek("v2.core.event", id)

    def finish(self, id: str, status: int | None) -> None:
        """Note how an attempt ended: 2xx delivers; anything else is tried again later, for three days."""
        with self.sim.work():
            row = self.sim.store.peek("_delivery", id)
            if row is None or row["state"] == "dropped":
                return
            row = self.sim.store.get("_delivery", id)
            row["attempts"] += 1
            row["status"] = status
            if status is not None and 200 <= status < 300:
                row["state"] = "delivered"
                self.sim.events.follow_delivery(row["event"])
            elif row["attempts"] > len(BACKOFF):
                row["state"] = "exhausted"
            else:
                row["state"] = "waiting"
                at = self.sim.clock.read() + BACKOFF[row["attempts"] - 1]
                self.sim.schedule(at, "send_webhook", {"id": id}, clock=MAIN)

    def take(self, *, fail: bool = False, limit: int | None = None) -> list[Object]:
        """All that waits to be taken, in order, signed. They count as delivered, with `fail` as failed once."""
        taken = []
        waiting = [row for row in self.sim.store.scan("_delivery", state="pending") if not self.is_called(row)]
        for row in waiting[:limit]:
            prepared = self.prepare(row["id"])
            does_fail = fail or (prepared is not None and prepared[3])
            self.finish(row["id"], 500 if does_fail else 200)
            if prepared is not None and not (prepared[3] and not fail):
                taken.append({"headers": prepared[1], "body": prepared[2].decode()})
        return taken


@due("send_webhook")
def send_webhook(sim: "Simulator", at: int, payload: Object) -> None:
    row = sim.store.peek("_delivery", payload["id"])
    if row is not None and row["state"] == "waiting":
        sim.store.get("_delivery", row["id"])["state"] = "pending"
        sim.events.webhooks.fresh.append(row["id"])


def wants(endpoint: Object, event: Object) -> bool:
    """Whether this endpoint is told of this event: snapshots to webhook endpoints, and to destinations that ask so."""
    if endpoint["status"] != "enabled":
        return False
    is_thin = event["object"] == "v2.core.event"
    if endpoint["object"] == "webhook_endpoint" and is_thin:
        return False
    if endpoint["object"] != "webhook_endpoint" and (endpoint["event_payload"] == "thin") != is_thin:
        return False
    return bool({"*", event["type"]} & set(endpoint["enabled_events"]))


def get_url(endpoint: Object) -> str:
    return str(endpoint["url"] if endpoint["object"] == "webhook_endpoint" else endpoint["_url"])


def list_secrets(endpoint: Object, now: int) -> list[str]:
    """After a roll the old secret signs too, until it expires."""
    old = [endpoint["_old_secret"]] if endpoint.get("_old_until", 0) > now else []
    return [endpoint["_secret"], *old]


def post(url: str, headers: dict[str, str], body: bytes) -> int | None:
    """The endpoint's status, or nothing if it did not answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
