"""Ingestion in process over one connection, at no and at five million stored events, with limits and without.

Floor F1: COPY of the same batches of 1,000 into a table with the same columns, indexes and number of rows. Also what an
event takes on disk, everything counted, and what a web worker takes in memory before and after a million events.
"""

import json
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import psutil

from bench.figures import Figure, at_least, at_most, seconds
from bench.ingestion import send_all
from bench.load import Ground, copy_floor, copy_text, make_batches, make_ground
from bench.stack import run_web

ROUNDS = 7
BATCHES = 20
SIZE = 1_000
STORED = 5_000_000
STEP = 500_000  # rows filled by a statement
MEMORY_EVENTS = 200_000

# Stored events of the thirty days before, in order of time, each with its claim; and the floor's rows beside them.
FILL = """
    WITH made AS (
        SELECT n, gen_random_uuid() AS id, a.id AS account_id, a.key,
            %(end)s::timestamptz - interval '1 day' - interval '30 days' * (1 - n::float8 / %(stored)s) AS at,
            (array['api_call', 'tokens_in', 'tokens_out', 'storage_gb_h', 'seat_active'])[1 + (n %% 5)] AS type
        FROM (
            SELECT n, %(base)s + floor(1000 * power(random(), 4))::bigint AS account_id
            FROM generate_series(%(first)s, %(first)s + %(step)s - 1) AS n OFFSET 0  -- drawn for each row
        ) AS drawn JOIN metering_account a ON a.id = drawn.account_id
    ), claimed AS (
        INSERT INTO metering_claim (claim, digest, received_at)
        SELECT encode(substring(sha256(convert_to('3:api' || id, 'UTF8')) FOR 16), 'hex')::uuid, n, at FROM made
    ), floor AS (
        INSERT INTO bench_floor
            (claim, digest, happened_at, received_at, account_id, api_key_id, source, event_id, type, subject, data)
        SELECT gen_random_uuid(), n, at, at, account_id, 1, 'api', id::text, type, key, jsonb_build_object(
            'value', n %% 5000, 'region', 'eu-central-1', 'model', 'atlas-large-2026-05') FROM made
    )
    INSERT INTO metering_event
        (happened_at, received_at, account_id, api_key_id, source, event_id, type, subject, data)
    SELECT at, at, account_id, 1, 'api', id::text, type, key, jsonb_build_object(
        'value', n %% 5000, 'region', 'eu-central-1', 'model', 'atlas-large-2026-05') FROM made ORDER BY at
"""

# The rollups of what was filled, so that the database is one that could have come about.
FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total, digest)
    SELECT e.account_id, m.id, date_bin('1 hour', e.happened_at, 'epoch'), '', count(*),
        CASE m.aggregation WHEN 'count' THEN count(*) ELSE sum((e.data ->> 'value')::numeric) END,
        sum(('0x' || encode(sha256(convert_to(e.event_id, 'UTF8')), 'hex'))::numeric)  -- as long as that of a seal
    FROM metering_event e
    JOIN metering_meterversion v ON v.event_type = e.type JOIN metering_meter m ON m.id = v.meter_id
    GROUP BY e.account_id, m.id, m.aggregation, 3
    ON CONFLICT (account_id, meter_id, hour, dimensions)
    DO UPDATE SET event_count = excluded.event_count, total = excluded.total, digest = excluded.digest
"""


def run() -> Iterator[Figure]:
    from django.db import connection

    ground = make_ground()
    connection.ensure_connection()
    chance = random.Random(1)  # noqa: S311 (a repeatable load, not a secret)
    empty = measure_rounds(ground, chance)
    yield at_least("in process / COPY", values=empty["limits"], floors=empty["floor"], unit="ev/s", target=0.45)
    yield at_least("limits on / off", values=empty["limits"], floors=empty["none"], unit="ev/s", target=0.85)
    fill(ground)
    full = measure_rounds(ground, chance)
    yield at_least("5 M: in process / COPY", values=full["limits"], floors=full["floor"], unit="ev/s", target=0.45)
    yield at_least("5 M: limits on / off", values=full["limits"], floors=full["none"], unit="ev/s", target=0.85)
    kept = [a / b for a, b in zip(full["limits"], empty["limits"], strict=True)]
    floor_kept = [a / b for a, b in zip(full["floor"], empty["floor"], strict=True)]
    yield at_least("rate kept at 5 M / COPY's", values=kept, floors=floor_kept, unit="of 1", target=0.95)
    yield measure_disk()
    yield from measure_memory(ground, chance)


def measure_rounds(ground: Ground, chance: random.Random) -> dict[str, list[float]]:
    """Events a second by kind: COPY, with limits, with none. The kinds take turns."""
    from django.db import connection

    rates: dict[str, list[float]] = {"floor": [], "limits": [], "none": []}
    for round_number in range(-1, ROUNDS):  # the first warms up
        for kind in ("floor", "limits", "floor", "none"):
            batches = make_batches(ground, BATCHES, SIZE, chance)
            if kind == "floor":
                texts = [copy_text(batch, ground) for batch in batches]
                took = seconds(partial(copy_floor, connection.connection, texts))
            else:
                with_limits(on=kind == "limits")
                took = seconds(partial(ingest_all, [json.dumps(batch).encode() for batch in batches], ground))
                with_limits(on=True)
            if round_number >= 0:
                rates[kind].append(BATCHES * SIZE / took)
    rates["floor"] = [max(pair) for pair in zip(rates["floor"][::2], rates["floor"][1::2], strict=True)]
    return rates


def with_limits(*, on: bool) -> None:
    """Move the limits' windows out of the way, or back: ingestion finds none to count in."""
    from django.db import connection

    with connection.cursor() as cursor:
        years = "0 years" if on else "10 years"
        cursor.execute("ALTER TABLE metering_limit ADD COLUMN IF NOT EXISTS bench_end timestamptz")
        cursor.execute("UPDATE metering_limit SET bench_end = ends_at WHERE bench_end IS NULL")
        cursor.execute(
            "UPDATE metering_limit SET starts_at = bench_end - interval '31 days' - %s::interval,"
            " ends_at = bench_end - %s::interval",
            [years, years],
        )
        cursor.execute("VACUUM ANALYZE metering_limit")


def ingest_all(bodies: list[bytes], ground: Ground) -> None:
    """What the view does between reading a body and writing the answer."""
    from django.utils import timezone

    from metering.decoding import decode_events
    from metering.events import Fate, UsageEvent
    from metering.ingest import ingest_events
    from metering.keys import authenticate

    for body in bodies:
        at = timezone.now()
        key = authenticate(f"Bearer {ground.secret}", scope="events:write", at=at)
        events = [row for row in decode_events(body, maximum=SIZE) if isinstance(row, UsageEvent)]
        fates = ingest_events(events, at=at, api_key_id=key.id)
        if any(fate.fate is not Fate.ACCEPTED for fate in fates):
            raise RuntimeError("an event was not accepted")


def fill(ground: Ground) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT metering_open_month(%s::timestamptz - n * interval '1 day') FROM generate_series(0, 32) AS n",
            [ground.end],
        )
        base = min(ground.account_ids.values())
        for first in range(0, STORED, STEP):
            values: dict[str, Any] = {"end": ground.end, "stored": STORED, "first": first, "step": STEP, "base": base}
            cursor.execute(FILL, values)
        cursor.execute(FILL_ROLLUPS)
        cursor.execute("VACUUM ANALYZE")


def measure_disk() -> Figure:
    """Bytes an event, of every table that holds something of it, indexes and all."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_event")
        [events] = cursor.fetchone() or (1,)
        cursor.execute(
            """
            SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
            WHERE c.relkind = 'r' AND (c.relname LIKE 'metering_event%%' OR c.relname IN
                ('metering_claim', 'metering_hourlyrollup', 'metering_valuerollup', 'metering_adjustment'))
            """
        )
        [size] = cursor.fetchone() or (0,)
    return at_most("disk an event", values=[float(size) / events], floors=[1.0], unit="bytes", target=280)


def measure_memory(ground: Ground, chance: random.Random) -> Iterator[Figure]:
    """The greater of two workers, after a warm-up and after many events more."""
    with run_web() as port:
        resident: list[float] = []
        for _ in range(2):
            batches = make_batches(ground, MEMORY_EVENTS // SIZE, SIZE, chance)
            bodies = [json.dumps(batch).encode() for batch in batches]
            send_all(port, ground.secret, bodies, expected=b'"accepted":1000')
            resident.append(max(worker.memory_info().rss for worker in find_workers(psutil.Process())))
    yield at_most("worker's memory", values=[resident[1] / 2**20], floors=[1.0], unit="MiB", target=150)
    yield at_most("worker's memory, later / earlier", values=[resident[1]], floors=[resident[0]], unit="B", target=1.05)


def find_workers(process: psutil.Process) -> list[psutil.Process]:
    """The workers are the children of gunicorn's master."""
    masters = [child for child in process.children() if "gunicorn" in " ".join(child.cmdline())]
    return [worker for master in masters for worker in master.children()]
