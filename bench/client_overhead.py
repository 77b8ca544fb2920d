"""What the Python client takes from its host: microseconds of one call of track(), while its thread sends.

Value: 2,000 calls, in memory and with the spool, to the server under gunicorn. Floor: as many times a uuid4 as text and
a dict with it appended to a list, which is the least that can be done to send an event later.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.figures import Figure, at_most, seconds
from bench.stack import run_web

ROUNDS = 9
CALLS = 2_000
TARGETS = {"memory": 6.0, "spool": 10.0}  # 15 and 25 microseconds where the floor takes 2.5


def run() -> Iterator[Figure]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "clients" / "python" / "src"))
    from palier_client import Client

    folder = Path(tempfile.mkdtemp(prefix="palier-bench-spool-"))
    try:
        with run_web() as port:
            key = make_ground()
            for name, spool in {"memory": None, "spool": folder}.items():
                with Client(f"http://127.0.0.1:{port}", key, source="bench", spool=spool) as client:
                    values, floors = measure(client)
                yield at_most(f"client_overhead_{name}", values=values, floors=floors, unit="us", target=TARGETS[name])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_ground() -> str:
    """An account, a meter, and a key to send with."""
    from django.utils import timezone

    from metering.accounts import create_account
    from metering.keys import issue_key
    from metering.meters import create_meter

    now = timezone.now()
    create_account(key="acme", name="Acme", at=now)
    create_meter(
        key="requests", name="Requests", event_type="http.request", aggregation="count", unit="request", at=now
    )
    return issue_key(name="bench", scopes=["events:write"], at=now).secret


def measure(client: Any) -> tuple[list[float], list[float]]:
    """Microseconds of a call and of its floor, round by round. Raises RuntimeError unless every event has arrived."""
    values: list[float] = []
    floors: list[float] = []
    for round_number in range(ROUNDS + 1):
        floor, value = seconds(append_dicts), seconds(lambda: track(client))
        if not client.flush(60):
            raise RuntimeError(f"not all events arrived: {client.stats()}")
        if round_number:  # the first warms up
            floors.append(floor / CALLS * 1e6)
            values.append(value / CALLS * 1e6)
    if client.stats().delivered != (ROUNDS + 1) * CALLS:
        raise RuntimeError(f"not all events were counted: {client.stats()}")
    return values, floors


def track(client: Any) -> None:
    for number in range(CALLS):
        client.track("http.request", "acme", bytes=number, status=200)


def append_dicts() -> None:
    waiting: list[dict[str, object]] = []
    for number in range(CALLS):
        waiting.append({"id": str(uuid4()), "type": "http.request", "subject": "acme", "bytes": number, "status": 200})
