"""Idempotency keys: https://docs.stripe.com/api/idempotent_requests

v1 keeps status and body of a POST once its execution began, 500s and refusals of rules included, for 24 hours. Refused
parameters, limits and conflicts with a call under way are not kept. v2 keeps successes only, for 30 days.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from stripe_simulator.errors import StripeError

if TYPE_CHECKING:
    from stripe_simulator.routes import Request
    from stripe_simulator.simulator import Simulator

HOUR = 3600
Row = dict[str, Any]


class Idempotency:
    def __init__(self, sim: "Simulator") -> None:
        self.sim = sim
        self.under_way: set[str] = set()
        self.guard = threading.Lock()

    @contextmanager
    def hold(self, request: "Request") -> Iterator[Row | None]:
        """What was kept under the request's key, if anything. Raises 409 while another call with it is under way."""
        key = get_key(request)
        if key is None:
            yield None
            return
        with self.guard:
            if key in self.under_way:
                raise StripeError(
                    409,
                    "idempotency_error",
                    "idempotency_key_in_use",
                    f"There is currently another in-progress request using this Idempotency Key: {key}.",
                )
            self.under_way.add(key)
        try:
            yield self.find(key, request)
        finally:
            self.under_way.discard(key)

    def find(self, key: str, request: "Request") -> Row | None:
        row = self.sim.store.peek("_idempotency", key)
        if row is None or self.sim.clock.read() - row["at"] >= get_lifetime(request):
            return None
        if (row["method"], row["path"]) != (request.method, request.path):
            raise StripeError(
                400,
                "idempotency_error",
                None,
                f"Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{row['path']}' vs '{request.path}'). Try using a key other than '{key}' if you meant to execute a "
                "different request.",
            )
        if row["params"] != digest(request.params):
            raise StripeError(
                400,
                "idempotency_error",
                None,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
            )
        return row

    def keep(self, request: "Request", status: int, body: bytes) -> None:
        """Within the unit of work of what happened."""
        key = get_key(request)
        if key is None or (request.path.startswith("/v2/") and status >= 300):
            return
        row = {
            "id": key,
            "method": request.method,
            "path": request.path,
            "params": digest(request.params),
            "status": status,
            "body": body.decode(),
            "request": request.request_id,
            "at": self.sim.clock.read(),
        }
        self.sim.store.put("_idempotency", key, row)


def get_key(request: "Request") -> str | None:
    """GET has none, v1's DELETE neither."""
    if request.method == "POST" or (request.method == "DELETE" and request.path.startswith("/v2/")):
        return request.idempotency_key
    return None


def get_lifetime(request: "Request") -> int:
    return 30 * 24 * HOUR if request.path.startswith("/v2/") else 24 * HOUR


def digest(params: Any) -> str:
    return hashlib.blake2b(msgspec.json.encode(params, order="deterministic"), digest_size=16).hexdigest()
