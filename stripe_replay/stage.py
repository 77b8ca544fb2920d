"""Where scenarios run: one client, one run, and what was answered, step by step."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from stripe import StripeClient, StripeError, StripeObject
from stripe.test_helpers import TestClock

from stripe_replay.redacting import Redactor

LONGEST_WAIT = 180  # seconds for a test clock
T = TypeVar("T", bound=StripeObject)


class Broken(Exception):
    """A step that the rest of its scenario needs was refused; the refusal is among the answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One step: `status` of HTTP, 0 for what was only noted, and the redacted body."""

    scenario: str
    step: str
    status: int
    body: Any


@dataclass(slots=True)
class Stage:
    """`run` makes names unique among runs; `lag` is how many seconds Stripe needs to count meter events."""

    client: StripeClient
    run: str
    lag: float = 0
    scenario: str = ""
    answers: list[Answer] = field(default_factory=list)
    redactor: Redactor = field(init=False)

    def __post_init__(self) -> None:
        self.redactor = Redactor(self.run)

    def begin(self, scenario: str) -> None:
        """Ids are counted from one again, so that what differs in one scenario is no difference in the next."""
        self.scenario, self.redactor = scenario, Redactor(self.run)

    def keep(self, step: str, status: int, body: Any) -> None:
        self.answers.append(Answer(self.scenario, step, status, self.redactor.redact(body)))

    def do(self, step: str, call: Callable[[], T]) -> T:
        """A step that the rest needs. Raises Broken."""
        found = self.attempt(step, call)
        if found is None:
            raise Broken(step)
        return found

    def attempt(self, step: str, call: Callable[[], T]) -> T | None:
        """A step that may be refused: None then."""
        try:
            found = call()
        except StripeError as error:
            self.keep(step, error.http_status or 0, error.json_body)
            return None
        response = found.last_response
        if response is None:
            raise TypeError(f"{step}: what it gave did not come from a call of its own")
        self.keep(step, response.code, json.loads(response.body, parse_float=str))
        return found

    def post(self, step: str, path: str, params: dict[str, Any]) -> None:
        """Parameters that the types refuse, to see that Stripe does."""
        self.attempt(
            step, lambda: self.client.deserialize(self.client.raw_request("post", path, **params), api_mode="V1")
        )

    def note(self, step: str, what: Any) -> None:
        """What was made of answers: times among it, as days, are compared."""
        self.keep(step, 0, what)

    def start_clock(self, at: datetime) -> TestClock:
        return self.do("clock", lambda: self.client.v1.test_helpers.test_clocks.create({"frozen_time": unix(at)}))

    def move_clock(self, clock: TestClock, to: datetime) -> None:
        """Go there, and wait until all that is due was done."""
        time.sleep(self.lag)
        clocks = self.client.v1.test_helpers.test_clocks
        clocks.advance(clock.id, {"frozen_time": unix(to)})
        deadline = time.monotonic() + LONGEST_WAIT
        while clocks.retrieve(clock.id).status != "ready":
            if time.monotonic() > deadline:
                raise Broken(f"the test clock did not come to {to}")
            time.sleep(0.2 + self.lag / 30)


def unix(at: datetime) -> int:
    return int(at.timestamp())


def day(moment: int) -> str:
    """Unix seconds as a minute that is compared: `2027-02-28 00:00`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"
