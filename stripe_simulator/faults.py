"""The fault plan: what goes wrong on purpose, by route and nth call, or by a seed."""

import fnmatch
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stripe_simulator.errors import StripeError

BEFORE = ("drop_before", "delay", "rate_limit", "lock_timeout", "unavailable")
AFTER = ("hold_inside", "drop_after", "delay_after", "error", "error_after", "wrong_body")
KINDS = BEFORE + AFTER
GUARD = threading.Lock()


@dataclass(slots=True)
class Fault:
    """One rule. `path`: a path or the contract's template, with `*`; `nth`: the first call it strikes, from 1."""

    kind: str
    path: str = "*"
    method: str = "*"
    nth: int = 1
    times: int = 1
    seconds: float = 0.05
    reason: str = "global-rate"
    body: str = "<html>Bad gateway</html>"
    status: int = 200
    seen: int = 0

    def meets(self, method: str, template: str, path: str) -> bool:
        if self.method not in ("*", method):
            return False
        return fnmatch.fnmatchcase(path, self.path) or self.path == template

    def strike(self) -> bool:
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(slots=True)
class Faults:
    """`rates` by kind, between 0 and 1: the dice of a call are its route, its number there and the seed."""

    rules: list[Fault] = field(default_factory=list)
    seed: int = 0
    rates: dict[str, float] = field(default_factory=dict)
    longest: float = 0.05
    paths: list[str] = field(default_factory=lambda: ["*"])
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)

    def add(self, rule: Fault) -> None:
        if rule.kind not in KINDS:
            raise ValueError(f"a fault is one of {', '.join(KINDS)}")
        self.rules.append(rule)

    def pick(self, method: str, template: str, path: str) -> Fault | None:
        """The fault of this call; every rule that meets it counts it."""
        with GUARD:
            return self.choose(method, template, path)

    def choose(self, method: str, template: str, path: str) -> Fault | None:
        struck = [rule for rule in self.rules if rule.meets(method, template, path) and rule.strike()]
        found = struck[0] if struck else (self.throw(method, template, path) if self.rates else None)
        if found:
            self.struck[found.kind] += 1
        return found

    def throw(self, method: str, template: str, path: str) -> Fault | None:
        self.counts[f"{method} {template}"] += 1
        if not any(fnmatch.fnmatchcase(path, pattern) for pattern in self.paths):
            return None
        dice = random.Random(f"{self.seed} {method} {template} {self.counts[f'{method} {template}']}")  # noqa: S311
        point = dice.random()
        for kind, rate in self.rates.items():
            if (point := point - rate) < 0:
                return Fault(kind, seconds=dice.random() * self.longest)
        return None


def strike_before(fault: Fault | None) -> bool:
    """What happens before anything is done. True: the connection is to be dropped."""
    if fault is None:
        return False
    if fault.kind == "delay":
        time.sleep(fault.seconds)
    elif fault.kind == "rate_limit":
        raise limit_reached(fault.reason)
    elif fault.kind == "lock_timeout":
        raise StripeError(
            429,
            "invalid_request_error",
            "lock_timeout",
            "This object cannot be accessed right now because another API request or Stripe process is currently "
            "accessing it. If you see this error intermittently, retry the request.",
            headers={"Stripe-Should-Retry": "true"},
        )
    elif fault.kind == "unavailable":
        raise StripeError(503, "api_error", None, "Stripe is temporarily unavailable.")
    return fault.kind == "drop_before"


def limit_reached(reason: str, code: str = "rate_limit") -> StripeError:
    return StripeError(
        429,
        "invalid_request_error",
        code,
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        headers={"Stripe-Rate-Limited-Reason": reason, "Stripe-Should-Retry": "false"},
    )


def make_plan(params: dict[str, Any]) -> Faults:
    """A chaos run: `seed`, `rates`, `longest` delay in seconds, `paths`."""
    if unknown := set(params.get("rates", {})) - set(KINDS):
        raise ValueError(f"unknown faults {unknown}")
    return Faults(**params)
