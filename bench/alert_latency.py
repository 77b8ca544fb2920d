"""From the event that reaches a level to the lead that a rep sees, while others send: by both paths.

Value: seconds from the moment before an event is posted until its lead can be read over another connection. Floor: a
second. The direct path: ingestion sees the crossing, and a job takes the alert up. The schedule: ingestion is kept from
seeing it (the total that speaks next is taken from the limit), so that beat's check finds it a minute later at most.
Real gunicorn, worker and beat; the load is batches of 100 at a steady rate for as long as the measurement takes.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from threading import Event

from bench.figures import Figure, at_most
from bench.load import Ground, make_batches, make_ground
from bench.stack import run_web, stop

CROSSINGS = 60  # of each path
MEASURED_SECONDS = 150  # over which they are spread
LOAD_BATCHES = 8  # a second, of a hundred events: 800 events a second
WAIT_SECONDS = 90  # for the last lead
DIRECT_SECONDS, SCHEDULE_SECONDS = 5.0, 60.0
PATHS = ("direct", "schedule")

# Limits of a meter of their own, so that the load crosses nothing.
FILL_LIMITS = """
    INSERT INTO metering_limit (account_id, meter_id, starts_at, ends_at, quantity, is_hard, epoch, used,
        next_crossing, needs_check)
    SELECT account_id, %s, %s, %s, 100, false, 1, 0, CASE WHEN path = 'direct' THEN 80 END, false
    FROM unnest(%s::bigint[], %s::text[]) AS crosser (account_id, path)
"""
FIND_LEADS = """
    SELECT account.key FROM crm_lead lead JOIN metering_account account ON account.id = lead.account_id
    JOIN crm_signal signal ON signal.lead_id = lead.id
"""


def run() -> Iterator[Figure]:
    ground = make_ground()
    crossers = make_crossers(ground)
    with (
        run_web() as port,
        run_celery("worker", "--concurrency", "2"),
        run_celery("beat", "--pidfile="),
        keep_sending(ground, port),
    ):
        posted, seen = measure(ground, port, crossers)
    for path, target in zip(PATHS, (DIRECT_SECONDS, SCHEDULE_SECONDS), strict=True):
        waits = [seen[key] - posted[key] for key, its_path in crossers.items() if its_path == path]
        cuts = quantiles(waits, n=100)
        for name, value in (("p50", cuts[49]), ("p95", cuts[94])):
            yield at_most(
                f"ingest to lead, {path}, {name} / 1 s", values=[value], floors=[1.0], unit="s", target=target
            )


def make_crossers(ground: Ground) -> dict[str, str]:
    """account key → path: accounts that each reach 80 % by one event."""
    from django.db import connection

    from metering.accounts import create_accounts
    from metering.meters import create_meter

    crossers = {f"{path}-{number:04d}": path for number in range(CROSSINGS) for path in PATHS}
    ids = create_accounts(((key, "") for key in crossers), at=ground.end)
    meter = create_meter(
        key="crossing",
        name="Crossing",
        event_type="crossing",
        aggregation="sum",
        value="value",
        unit="unit",
        at=ground.end,
    )
    bounds = [ground.end - timedelta(days=30), ground.end + timedelta(days=1)]
    with connection.cursor() as cursor:
        cursor.execute(FILL_LIMITS, [meter.id, *bounds, [ids[key] for key in crossers], list(crossers.values())])
    return crossers


@contextmanager
def run_celery(command: str, *options: str) -> Iterator[None]:
    arguments = [sys.executable, "-m", "celery", "-A", "config", command, *options, "--loglevel", "WARNING"]
    with tempfile.NamedTemporaryFile(prefix="palier-bench-celery-") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=Path(__file__).parents[1], env=os.environ)
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError(f"celery {command} ended:\n{Path(log.name).read_text()[-2000:]}")
        finally:
            stop(process)


@contextmanager
def keep_sending(ground: Ground, port: int) -> Iterator[None]:
    """The load, from one sender that keeps its rate, for as long as the block runs."""
    ending = Event()
    with ThreadPoolExecutor(1) as senders:
        sender: Future[None] = senders.submit(send_steadily, ground, port, ending)
        try:
            yield
        finally:
            ending.set()
            sender.result()


def send_steadily(ground: Ground, port: int, ending: Event) -> None:
    chance = random.Random(1)  # noqa: S311 (a repeatable load, not a secret)
    began, sent = time.monotonic(), 0
    while not ending.is_set():
        for batch in make_batches(ground, LOAD_BATCHES, 100, chance):
            post(ground, port, batch, accepted=100)
            sent += 1
            ending.wait(max(began + sent / LOAD_BATCHES - time.monotonic(), 0))


def measure(ground: Ground, port: int, crossers: Mapping[str, str]) -> tuple[dict[str, float], dict[str, float]]:
    """When each crossing was about to be posted, and when its lead was first seen. Raises RuntimeError without one."""
    posted: dict[str, float] = {}
    seen: dict[str, float] = {}
    step = MEASURED_SECONDS / len(crossers)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as watchers:
        watcher = watchers.submit(watch_leads, crossers, seen, began + MEASURED_SECONDS + WAIT_SECONDS)
        for number, key in enumerate(crossers):
            time.sleep(max(began + number * step - time.monotonic(), 0))
            posted[key] = time.monotonic()
            post(ground, port, [make_crossing(key)], accepted=1)
        watcher.result()
    return posted, seen


def make_crossing(key: str) -> dict[str, object]:
    now = datetime.now(tz=UTC).isoformat()
    return {
        "specversion": "1.0", "id": key, "source": "bench", "type": "crossing", "subject": key, "time": now,
        "data": {"value": 85},
    }  # fmt: skip


def post(ground: Ground, port: int, batch: list[dict[str, object]], *, accepted: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {ground.secret}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/events", json.dumps(batch).encode(), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200 or b'"accepted":%d' % accepted not in text:
        raise RuntimeError(f"{answer.status}: {text[-400:]!r}")


def watch_leads(crossers: Mapping[str, str], seen: dict[str, float], until: float) -> None:
    """Look every 50 ms until each has its lead."""
    from django.db import connection

    while len(seen) < len(crossers):
        if time.monotonic() > until:
            raise RuntimeError(f"{len(crossers) - len(seen)} crossings have no lead")
        with connection.cursor() as cursor:
            cursor.execute(FIND_LEADS)
            now = time.monotonic()
            for (key,) in cursor.fetchall():
                seen.setdefault(key, now)
        time.sleep(0.05)
    connection.close()
