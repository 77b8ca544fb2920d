"""The load that ingestion is measured with: a thousand customers, five types of event, two meters and limits to each.

A few customers do most (zipf), ids are random, and an event has three properties: about 80 bytes of data. Each type is
counted by one meter and summed by another; every account has a limit on each of the ten, far away.
"""

import itertools
import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

ACCOUNTS = 1_000
TYPES = ["api_call", "tokens_in", "tokens_out", "storage_gb_h", "seat_active"]
REGIONS = ["eu-central-1", "us-east-1", "ap-south-1"]
MODELS = ["atlas-large-2026-05", "atlas-small-2026-05", "embed-v3-1024-dim"]
WEIGHTS = list(itertools.accumulate(1 / (n + 1) ** 1.1 for n in range(ACCOUNTS)))

FLOOR_COLUMNS = "claim, digest, happened_at, received_at, account_id, api_key_id, source, event_id, type, subject, data"

FILL_LIMITS = """
    INSERT INTO metering_limit (account_id, meter_id, starts_at, ends_at, quantity, is_hard, epoch, used,
        next_crossing, needs_check)
    SELECT a.id, m.id, %s, %s, 1e15, false, 1, 0, 8e14, true FROM metering_account a, metering_meter m
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """`end` is the last full hour: the events of a run happened in the day before it."""

    secret: str
    account_ids: dict[str, int]
    end: datetime


def make_ground() -> Ground:
    """Accounts, meters, a key, and the floor's table: one table with the columns and the indexes of ours."""
    from django.db import connection

    from metering.accounts import create_accounts
    from metering.keys import issue_key
    from metering.meters import create_meter

    end = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    account_ids = create_accounts(((f"cus_{n:06d}", "") for n in range(ACCOUNTS)), at=end)
    for type_ in TYPES:
        create_meter(key=f"{type_}-count", name=type_, event_type=type_, unit="event", at=end)
        create_meter(
            key=f"{type_}-sum", name=type_, event_type=type_, aggregation="sum", value="value", unit="unit", at=end
        )
    with connection.cursor() as cursor:
        cursor.execute(FILL_LIMITS, [end - timedelta(days=30), end + timedelta(days=1)])
        cursor.execute(
            "CREATE TABLE bench_floor"
            " (LIKE metering_event INCLUDING ALL, claim uuid PRIMARY KEY, digest bigint NOT NULL)"
        )
    return Ground(issue_key(name="bench", scopes=["events:write"], at=end).secret, account_ids, end)


def make_batches(ground: Ground, count: int, size: int, chance: random.Random) -> list[list[dict[str, Any]]]:
    """So many batches, in order of time, of the day before the ground's end."""
    step = timedelta(days=1) / (count * size)
    start = ground.end - timedelta(days=1)
    return [
        [make_event(start + (number * size + position) * step, chance) for position in range(size)]
        for number in range(count)
    ]


def make_event(time: datetime, chance: random.Random) -> dict[str, Any]:
    [customer] = chance.choices(range(ACCOUNTS), cum_weights=WEIGHTS)
    return {
        "specversion": "1.0",
        "id": str(uuid.UUID(int=chance.getrandbits(128))),
        "source": "api",
        "type": chance.choice(TYPES),
        "subject": f"cus_{customer:06d}",
        "time": time.isoformat(),
        "data": {"value": chance.randint(1, 5000), "region": chance.choice(REGIONS), "model": chance.choice(MODELS)},
    }


def copy_text(batch: Sequence[dict[str, Any]], ground: Ground) -> str:
    """The same rows as the text that COPY takes, made before the clock runs."""
    from metering.events import find_claim

    received = ground.end.isoformat()
    return "".join(
        "\t".join([
            str(find_claim(row["source"], row["id"])), str(hash(row["id"])), row["time"], received,
            str(ground.account_ids[row["subject"]]), "1", row["source"], row["id"], row["type"], row["subject"],
            json.dumps(row["data"]),
        ]) + "\n"
        for row in batch
    )  # fmt: skip


def copy_floor(connection: "psycopg.Connection[Any]", texts: Sequence[str]) -> None:
    """F1: each text in a transaction of its own, over one connection."""
    for text in texts:
        statement = f"COPY bench_floor ({FLOOR_COLUMNS}) FROM STDIN"
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(text)


def require_exact(expected: int) -> None:
    """What was timed must also be right: every event is stored, and in the rollups of both of its meters, once."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM metering_event), (SELECT sum(event_count) FROM metering_hourlyrollup)"
        )
        if cursor.fetchone() != (expected, 2 * expected):
            raise RuntimeError("the rollups do not add up to the events that were sent")
