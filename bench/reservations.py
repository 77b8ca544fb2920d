"""Reservations and limit checks over HTTP against a view that does nothing.

Value: the time under which 95 of 100 requests are answered, of `POST /api/v1/reservations` (granted and committed) and
of `GET /api/v1/accounts/{key}/limits`. Floor: the same of `/healthz`, through the same gunicorn and middleware, in the
same round. A few connections stay open and ask one after the other.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection
from statistics import quantiles

from bench.figures import Figure, at_most
from bench.stack import run_web

ROUNDS = 9
SENDERS = 2
REQUESTS = 150  # of each sender and kind in a round
ACCOUNTS = 100
METERS = 5
TARGET = 5

Ask = Callable[[int], tuple[str, str, str | None]]


def run() -> Iterator[Figure]:
    secret = make_ground()
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with run_web() as port, ThreadPoolExecutor(SENDERS) as senders:
        for round_number in range(ROUNDS + 1):
            sent = [senders.submit(send, port, secret, first) for first in range(SENDERS)]
            took = [each for one in sent for each in one.result()]
            if round_number:  # the first warms up
                for kind, seconds in times.items():
                    seconds.append(quantiles([each[kind] for each in took], n=20)[-1])
    require_exact((ROUNDS + 1) * SENDERS * REQUESTS)
    for kind in ("reservation", "limits"):
        yield at_most(f"{kind}_p95", values=times[kind], floors=times["noop"], unit="s", target=TARGET)


def make_ground() -> str:
    """A hundred accounts with a hard limit on each of five meters; returns a key's secret."""
    from metering.accounts import create_accounts
    from metering.keys import issue_key
    from metering.limits import LimitTerms, hand_over_limits
    from metering.meters import create_meter

    at = datetime.now(tz=UTC)
    account_ids = create_accounts(((f"cus_{n}", "") for n in range(ACCOUNTS)), at=at).values()
    meters = [
        create_meter(
            key=f"meter_{n}",
            name=f"Meter {n}",
            event_type=f"job_{n}",
            aggregation="sum",
            value="value",
            unit="minute",
            at=at,
        )
        for n in range(METERS)
    ]
    hand_over_limits(
        account_ids=list(account_ids),
        terms=[LimitTerms(meter.id, Decimal(10**12), is_hard=True) for meter in meters],
        start=at - timedelta(days=1),
        end=at + timedelta(days=1),
        at=at,
    )
    return issue_key(name="bench", scopes=["limits:read", "reservations:write"], at=at).secret


def ask_nothing(number: int) -> tuple[str, str, str | None]:
    return "GET", "/healthz", None


def ask_for_limits(number: int) -> tuple[str, str, str | None]:
    return "GET", f"/api/v1/accounts/cus_{number % ACCOUNTS}/limits", None


def ask_for_hold(number: int) -> tuple[str, str, str | None]:
    asked = {"account": f"cus_{number % ACCOUNTS}", "meter": f"meter_{number % METERS}", "quantity": "1.5"}
    return "POST", "/api/v1/reservations", json.dumps(asked)


KINDS: dict[str, Ask] = {"noop": ask_nothing, "reservation": ask_for_hold, "limits": ask_for_limits}


def send(port: int, secret: str, first: int) -> list[dict[str, float]]:
    """Seconds that each request took, one of each kind after the other, so that they share the machine's moods."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    took = []
    for number in range(first, first + REQUESTS * SENDERS, SENDERS):
        took.append({kind: time_request(connection, headers, ask(number)) for kind, ask in KINDS.items()})
    connection.close()
    return took


def time_request(connection: HTTPConnection, headers: dict[str, str], asked: tuple[str, str, str | None]) -> float:
    method, path, body = asked
    began = time.perf_counter()
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    seconds = time.perf_counter() - began
    if response.status not in (200, 201):
        raise RuntimeError(f"{response.status}: {answer[-400:]!r}")
    return seconds


def require_exact(holds: int) -> None:
    """What was timed must also be right: every hold is there, and the limits hold their sum."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM metering_reservation), (SELECT sum(held) FROM metering_limit)")
        row = cursor.fetchone()
    if row is None or (row[0], float(row[1])) != (holds, holds * 1.5):
        raise RuntimeError(f"{holds} holds were asked for; there are {row}")
