"""Ingestion over HTTP against a bare COPY of the same rows.

Value: events a second that gunicorn takes in batches of 1,000 over loopback, each claimed, stored, counted in rollups
and in the running totals of limits, and committed before its 200. Floor: COPY of the same rows, 1,000 a time over one
connection, a commit each, into a copy of the events' table with the same columns and indexes.
"""

import itertools
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from queue import Empty, SimpleQueue
from typing import Any

import psycopg

from bench.figures import Figure, at_least, seconds
from bench.stack import run_web

ROUNDS = 7
BATCHES = 40  # of each kind in a round
SIZE = 1_000
SENDERS = 4
ACCOUNTS = 1_000
TARGET = 0.40

METERS = {"api_call": "", "tokens_in": "value", "tokens_out": "value", "storage_gb_h": "value", "seat_active": ""}
REGIONS = ["eu-central-1", "us-east-1", "ap-south-1"]
MODELS = ["atlas-large-2026-05", "atlas-small-2026-05", "embed-v3-1024-dim"]
WEIGHTS = list(itertools.accumulate(1 / (n + 1) ** 1.1 for n in range(ACCOUNTS)))  # a few customers do most


@dataclass(frozen=True, slots=True)
class Ground:
    secret: str
    account_ids: dict[str, int]
    end: datetime


def run() -> Iterator[Figure]:
    from django.db import connection

    ground = make_ground()
    connection.ensure_connection()
    with run_web() as port:
        chance = random.Random(1)  # noqa: S311 (a repeatable load, not a secret)
        rates: list[float] = []
        floors: list[float] = []
        for round_number in range(-1, ROUNDS):  # the first warms up
            batches = [make_batch(ground, round_number, number, chance) for number in range(BATCHES)]
            bodies = [json.dumps(batch).encode() for batch in batches]
            texts = [copy_text(batch, ground) for batch in batches]
            floor = BATCHES * SIZE / seconds(partial(copy_all, connection.connection, texts))
            rate = BATCHES * SIZE / seconds(partial(send_all, port, ground.secret, bodies))
            if round_number >= 0:
                rates.append(rate)
                floors.append(floor)
    require_exact(ROUNDS + 1)
    yield at_least("ingestion", values=rates, floors=floors, unit="events/s", target=TARGET)


def make_ground() -> Ground:
    """A thousand accounts with a limit on each of five meters, a key, and the floor's table."""
    from django.db import connection

    from metering.accounts import create_accounts
    from metering.keys import issue_key
    from metering.meters import create_meter
    from metering.models import Limit

    end = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    account_ids = create_accounts(((f"cus_{n:06d}", "") for n in range(ACCOUNTS)), at=end)
    for key, value in METERS.items():
        meter = create_meter(
            key=key,
            name=key,
            event_type=key,
            aggregation="sum" if value else "count",
            value=value,
            unit="unit",
            at=end,
        )
        Limit.objects.bulk_create(
            Limit(
                account_id=account_id,
                meter_id=meter.id,
                starts_at=end - timedelta(days=30),
                ends_at=end + timedelta(days=1),
                quantity=10**15,
                next_crossing=8 * 10**14,
            )
            for account_id in account_ids.values()
        )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_floor (LIKE metering_event INCLUDING ALL)")
    return Ground(issue_key(name="bench", scopes=["events:write"], at=end).secret, account_ids, end)


def make_batch(ground: Ground, round_number: int, number: int, chance: random.Random) -> list[dict[str, Any]]:
    """A thousand events in order of time, of a day that the batches of a round share among them."""
    step = timedelta(days=1) / (BATCHES * SIZE)
    start = ground.end - timedelta(days=1) + number * SIZE * step
    customers = chance.choices(range(ACCOUNTS), cum_weights=WEIGHTS, k=SIZE)
    return [
        {
            "specversion": "1.0",
            "id": str(uuid.UUID(int=chance.getrandbits(128))),
            "source": "api",
            "type": chance.choice(list(METERS)),
            "subject": f"cus_{customer:06d}",
            "time": (start + position * step).isoformat(),
            "data": {
                "value": chance.randint(1, 5000),
                "region": chance.choice(REGIONS),
                "model": chance.choice(MODELS),
            },
        }
        for position, customer in enumerate(customers)
    ]


def copy_text(batch: Sequence[dict[str, Any]], ground: Ground) -> str:
    """The same rows as the text that COPY takes, made before the clock runs."""
    from metering.events import find_claim

    received = ground.end.isoformat()
    return "".join(
        "\t".join([
            str(find_claim(row["source"], row["id"])), row["source"], row["id"], row["type"], row["subject"],
            str(ground.account_ids[row["subject"]]), row["time"], received, json.dumps(row["data"]), "1",
        ]) + "\n"
        for row in batch
    )  # fmt: skip


def copy_all(connection: "psycopg.Connection[Any]", texts: Sequence[str]) -> None:
    columns = "claim, source, event_id, type, subject, account_id, happened_at, received_at, data, api_key_id"
    for text in texts:
        statement = f"COPY bench_floor ({columns}) FROM STDIN"
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(text)


def send_all(port: int, secret: str, bodies: Sequence[bytes]) -> None:
    """Post the bodies over a few connections that stay open; every row must have been accepted."""
    queue: SimpleQueue[bytes] = SimpleQueue()
    for body in bodies:
        queue.put(body)
    with ThreadPoolExecutor(SENDERS) as senders:
        for sent in [senders.submit(send_from, queue, port, secret) for _ in range(SENDERS)]:
            sent.result()


def send_from(queue: "SimpleQueue[bytes]", port: int, secret: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Authorization": f"Bearer {secret}",
        "Content-Type": "application/cloudevents-batch+json",
        "Prefer": "return=representation",
    }
    while not queue.empty():
        try:
            body = queue.get_nowait()
        except Empty:
            break
        connection.request("POST", "/api/v1/events", body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200 or b'"accepted":1000' not in answer:
            raise RuntimeError(f"{response.status}: {answer[-400:]!r}")
    connection.close()


def require_exact(rounds: int) -> None:
    """What was timed must also be right: every event is stored and in the rollups and totals, once."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM metering_event), (SELECT sum(event_count) FROM metering_hourlyrollup)"
        )
        expected = rounds * BATCHES * SIZE
        if cursor.fetchone() != (expected, expected):
            raise RuntimeError("the rollups do not add up to the events that were sent")
