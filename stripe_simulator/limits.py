"""Rate limits: https://docs.stripe.com/rate-limits

Calls a second by real time, whatever the simulator's clock says, as token buckets of one second. What is over is
counted under `/_sim/limits`; it is refused with 429 when the mode is `on` (the default with a real clock), and let
through when it is `count` (the default with a frozen one, so that a test need not pace itself).
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stripe_simulator.faults import limit_reached

METER_EVENTS = ("/v1/billing/meter_events", "/v2/billing/meter_events")
STREAM = "/v2/billing/meter_event_stream"
RATES = {"global": 100, "endpoint": 25, "meter_events": 1000, "meter_event_stream": 10000}


class Limits:
    def __init__(self, mode: str = "count", rates: dict[str, int] | None = None) -> None:
        if mode not in ("off", "count", "on"):
            raise ValueError("limits are off, count or on")
        self.mode = mode
        self.rates = RATES | (rates or {})
        self.buckets: dict[str, tuple[float, float]] = {}
        self.in_flight: Counter[tuple[str, str]] = Counter()
        self.violations: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.guard = threading.Lock()

    def check_rate(self, method: str, template: str) -> None:
        """Count a call; raise 429 if it is one too many."""
        if template in METER_EVENTS:
            budgets = [("meter_events", "meter_events", "endpoint-rate")]
        elif template == STREAM:
            budgets = [("meter_event_stream", "meter_event_stream", "endpoint-rate")]
        else:
            budgets = [("global", "global", "global-rate"), ("endpoint", f"{method} {template}", "endpoint-rate")]
        with self.guard:
            self.calls[f"{method} {template}"] += 1
            if self.mode == "off":
                return
            over = [(name, reason) for name, bucket, reason in budgets if not self.take(bucket, self.rates[name])]
            for name, _ in over:
                self.violations[name] += 1
        if over and self.mode == "on":
            raise limit_reached(over[0][1])

    def take(self, bucket: str, rate: int) -> bool:
        now = time.monotonic()
        left, at = self.buckets.get(bucket, (float(rate), now))
        left = min(float(rate), left + (now - at) * rate)
        self.buckets[bucket] = (max(0.0, left - 1), now)
        return left >= 1

    @contextmanager
    def hold_meter(self, template: str, params: Any) -> Iterator[None]:
        """One call at a time for each customer and meter."""
        key = read_meter_key(params) if template in METER_EVENTS else None
        if key is None or self.mode == "off":
            yield
            return
        with self.guard:
            self.in_flight[key] += 1
            is_over = self.in_flight[key] > 1
            self.violations["meter_concurrency"] += is_over
        try:
            if is_over and self.mode == "on":
                is_v2 = template.startswith("/v2/")
                raise limit_reached("resource-specific", "too_many_concurrent_requests" if is_v2 else "rate_limit")
            yield
        finally:
            with self.guard:
                self.in_flight[key] -= 1
                if not self.in_flight[key]:
                    del self.in_flight[key]


def read_meter_key(params: Any) -> tuple[str, str] | None:
    """Meter and customer; the key of the customer in the payload is the meter's choice, so: all but the value."""
    payload = params.get("payload") or {}
    customer = payload.get("stripe_customer_id") or str(sorted(item for item in payload.items() if item[0] != "value"))
    return params.get("event_name", ""), customer
