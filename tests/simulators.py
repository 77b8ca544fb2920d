"""The Stripe simulator as a fixture: one process for each test worker, empty before each test."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

KEY = "sk_test_palier"
START = datetime(2026, 11, 2, tzinfo=UTC)
WEBHOOK_URL = "https://palier.test/stripe/webhook/"  # not loopback: its webhooks wait to be taken


class SimulatorClient:
    """What a test says to the simulator; `client()` speaks as Palier would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.endpoint = self.webhook_secret = ""

    def client(self, **options: Any) -> stripe.StripeClient:
        """Stripe's official client, pointed at the simulator."""
        addresses = {"api": self.url, "meter_events": self.url, "files": self.url, "connect": self.url}
        options.setdefault("max_network_retries", 0)
        return stripe.StripeClient(KEY, base_addresses=addresses, **options)  # type: ignore[arg-type]

    def control(self, method: str, name: str, /, **params: Any) -> Any:
        """A call of the control API; raises AssertionError with what it answered."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, f"/_sim/{name}", json.dumps(params), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
        finally:
            connection.close()
        assert answer.status == 200, body
        return body

    def reset(self, now: datetime = START) -> None:
        """Empty, frozen at `now`, with one webhook endpoint for all events."""
        self.control("POST", "reset", now=int(now.timestamp()))
        made = self.control("POST", "endpoint", url=WEBHOOK_URL)
        self.endpoint, self.webhook_secret = made["id"], made["secret"]

    def set_time(self, at: datetime) -> None:
        """Go there; all that is due on the way is done in order of time."""
        self.control("POST", "clock", now=int(at.timestamp()))

    def advance(self, **delta: float) -> None:
        self.control("POST", "clock", advance=int(timedelta(**delta).total_seconds()))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.control("GET", "health")["now"], UTC)

    def settings(self, **values: Any) -> None:
        self.control("POST", "settings", **values)

    # Webhooks

    def take_webhooks(self, *, fail: bool = False, limit: int | None = None) -> list[tuple[dict[str, str], bytes]]:
        """(headers, body) of all that waits, in order; they count as delivered, or with `fail` as refused once."""
        taken = self.control("POST", "webhooks/take", fail=fail, limit=limit)
        return [(row["headers"], row["body"].encode()) for row in taken]

    def add_endpoint(self, url: str, **options: Any) -> str:
        """One more endpoint (`enabled_events`, `api_version`, `secret`), really called on loopback. Its secret."""
        secret: str = self.control("POST", "endpoint", url=url, **options)["secret"]
        return secret

    def fault_webhooks(self, kind: str, **options: Any) -> None:
        """`webhooks.KINDS`; `types`, `nth`, `times`, `seconds`."""
        self.control("POST", "webhooks/fault", kind=kind, **options)

    def release_webhooks(self) -> None:
        """Let go what a `hold` keeps."""
        self.control("POST", "webhooks/release")

    def set_endpoints_down(self, is_down: bool) -> None:
        self.control("POST", "webhooks/down", down=is_down)

    def settle(self) -> None:
        """Do what is due by now; wait for advances of test clocks and for webhooks on their way to loopback."""
        self.control("POST", "webhooks/settle")

    def roll_secret(self, **options: Any) -> str:
        """A new secret of the endpoint; the old one signs too for `seconds` (a day)."""
        secret: str = self.control("POST", "endpoint/roll", id=self.endpoint, **options)["secret"]
        return secret

    # Faults and limits

    def fault(self, kind: str, path: str = "*", **options: Any) -> None:
        """`faults.KINDS` (drop_after, rate_limit, error, …) for a route; `method`, `nth` from 1, `times`, `seconds`."""
        self.control("POST", "fault", kind=kind, path=path, **options)

    def chaos(self, seed: int, rates: dict[str, float], **options: Any) -> None:
        """Faults by dice: `longest` delay, `paths`, and `webhooks`, the rates of theirs. Without rates it ends."""
        self.control("POST", "chaos", seed=seed, rates=rates, **options)

    def limits(self) -> dict[str, Any]:
        """`mode`, `violations` by kind, `calls` by route."""
        found: dict[str, Any] = self.control("GET", "limits")
        return found

    def set_limits(self, mode: str, **rates: int) -> None:
        """`on` refuses with 429, `count` only counts, `off` does neither."""
        self.control("POST", "limits", mode=mode, rates=rates)

    def violations(self) -> list[dict[str, Any]]:
        """Where the simulator itself broke the contract, or broke."""
        found: list[dict[str, Any]] = self.control("GET", "violations")
        return found


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[SimulatorClient]:
    command = [sys.executable, "-m", "stripe_simulator", "--port", "0", "--clock", "frozen", "--end-with-input"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, f"the simulator did not start: {line!r}"
        yield SimulatorClient(line.split()[-1])
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def simulator(simulator_process: SimulatorClient, settings: Any) -> Iterator[SimulatorClient]:
    """Empty, at START, and the settings point at it. A breach of the contract fails the test at its end."""
    simulator_process.reset()
    settings.STRIPE_SECRET_KEY = KEY
    settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = simulator_process.url
    settings.STRIPE_WEBHOOK_SECRETS = [simulator_process.webhook_secret]
    yield simulator_process
    assert simulator_process.violations() == []
