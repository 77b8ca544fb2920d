"""Single events on many connections at once: with group commit, and the same code without it.

64 connections that stay open each post one event a time, as soon as the answer to the last is there, to gunicorn with
2 workers of 32 threads. Value: events a second with group commit. Floor: the same without. The second figure is the
99th percentile of the time to an answer, in milliseconds, with group commit; its floor is 100 ms.
"""

import itertools
import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bench.figures import Figure, at_least, at_most
from bench.load import require_exact
from bench.stack import run_web

ROUNDS = 15
CONNECTIONS = 64
SECONDS = 1.5  # a turn: short, so that both kinds meet what else the machine does
ACCOUNTS = 200
TARGET = 3.0
P99_MS = 100.0

numbers = itertools.count()


def run() -> Iterator[Figure]:
    secret = make_ground()
    rates: dict[bool, list[float]] = {True: [], False: []}
    p99s: list[float] = []
    sent = 0
    with (
        run_web(threads=32, EVENT_GROUP_COMMIT="true") as together,
        run_web(threads=32, EVENT_GROUP_COMMIT="false") as alone,
    ):
        for round_number in range(-1, ROUNDS):  # the first warms up
            for port in (together, alone):
                times = post_singly(port, secret)
                sent += len(times)
                if round_number >= 0:
                    rates[port == together].append(len(times) / SECONDS)
                    if port == together:
                        p99s.append(1000 * sorted(times)[len(times) * 99 // 100])
    require_exact(sent)
    yield at_least("single_events", values=rates[True], floors=rates[False], unit="events/s", target=TARGET)
    yield at_most("single_events_p99", values=p99s, floors=[P99_MS] * ROUNDS, unit="ms", target=1.0)


def make_ground() -> str:
    """Accounts, two meters that count the same events, and a key, whose secret is returned."""
    from metering.accounts import create_accounts
    from metering.keys import issue_key
    from metering.meters import create_meter

    at = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    create_accounts(((f"cus_{n:06d}", "") for n in range(ACCOUNTS)), at=at)
    for key, value in {"calls": "", "tokens": "value"}.items():
        create_meter(
            key=key,
            name=key,
            event_type="api_call",
            aggregation="sum" if value else "count",
            value=value,
            unit="unit",
            at=at,
        )
    return issue_key(name="bench", scopes=["events:write"], at=at).secret


class Caller:
    """One connection: it has a request under way until it is told to stop."""

    def __init__(self, port: int, secret: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = (
            f"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n"
            "Content-Type: application/cloudevents+json\r\nContent-Length: "
        )
        self.began = 0.0

    def send(self) -> None:
        number = next(numbers)
        body = json.dumps({
            "specversion": "1.0", "id": f"single-{number}", "source": "bench", "type": "api_call",
            "subject": f"cus_{number % ACCOUNTS:06d}", "data": {"value": number % 5000, "region": "eu-central-1"},
        })  # fmt: skip
        self.began = time.perf_counter()
        self.socket.sendall(f"{self.head}{len(body)}\r\n\r\n{body}".encode())

    def receive(self) -> float:
        """Seconds since it was sent. A 204 has no body, so its head is all there is."""
        answer = self.socket.recv(65536)
        if not (answer.startswith(b"HTTP/1.1 204") and answer.endswith(b"\r\n\r\n")):
            raise RuntimeError(f"an event was not accepted: {answer[:600]!r}")
        return time.perf_counter() - self.began


def post_singly(port: int, secret: str) -> Sequence[float]:
    """The seconds that each event took which was sent within the time of a round; all of them are answered."""
    with selectors.DefaultSelector() as selector:
        callers = [Caller(port, secret) for _ in range(CONNECTIONS)]
        for caller in callers:
            selector.register(caller.socket, selectors.EVENT_READ, caller)
            caller.send()
        times = answer_until(time.perf_counter() + SECONDS, selector)
        for caller in callers:
            caller.socket.close()
    return times


def answer_until(deadline: float, selector: selectors.BaseSelector) -> list[float]:
    times: list[float] = []
    waiting = len(selector.get_map())
    while waiting:
        for key, _ in selector.select():
            caller: Any = key.data
            times.append(caller.receive())
            if time.perf_counter() < deadline:
                caller.send()
            else:
                waiting -= 1
    return times
