"""Ingestion over HTTP against a bare COPY of the same rows (F1), through gunicorn with two workers.

Value: events a second, each claimed, stored, counted by two meters in rollups and in the totals of two limits, and
committed before its answer. Floor: COPY of the same rows, in as many rows a commit, over one connection, into a table
with the same columns and indexes. Three kinds take turns: batches of 1,000, batches of 100, and batches of 1,000 that
are all known already, whose floor is the rate of the fresh ones.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from queue import Empty, SimpleQueue
from statistics import median, quantiles

from bench.figures import Figure, at_least, at_most, seconds
from bench.load import copy_floor, copy_text, make_batches, make_ground, require_exact
from bench.stack import run_web

ROUNDS = 7
EVENTS = 40_000  # of each kind in a round
SENDERS = 8  # to two workers of four threads
LARGE, SMALL = 1_000, 100


def run() -> Iterator[Figure]:
    from django.db import connection

    ground = make_ground()
    connection.ensure_connection()
    rates: dict[str, list[float]] = {"large": [], "small": [], "repeated": []}
    floors: dict[str, list[float]] = {"large": [], "small": [], "repeated": []}
    waits: list[tuple[float, float]] = []  # p50 and p99 of the small batches, by round
    chance = random.Random(1)  # noqa: S311 (a repeatable load, not a secret)
    with run_web() as port:
        send = partial(send_all, port, ground.secret)
        for round_number in range(-1, ROUNDS):  # the first warms up
            for kind, size in (("large", LARGE), ("small", SMALL)):
                batches = make_batches(ground, EVENTS // size, size, chance)
                bodies = [json.dumps(batch).encode() for batch in batches]
                texts = [copy_text(batch, ground) for batch in batches]
                floor = EVENTS / seconds(partial(copy_floor, connection.connection, texts))
                took, times = send(bodies, expected=b'"accepted":%d' % size)
                if round_number < 0:
                    continue
                rates[kind].append(EVENTS / took)
                floors[kind].append(floor)
                if kind == "small":
                    waits.append((median(times), quantiles(times, n=100)[98]))
                else:
                    again, _ = send(bodies, expected=b'"duplicate":%d' % size)
                    rates["repeated"].append(EVENTS / again)
                    floors["repeated"].append(EVENTS / took)
    require_exact(2 * (ROUNDS + 1) * EVENTS)
    yield at_least(
        "http, 1,000 a batch / COPY", values=rates["large"], floors=floors["large"], unit="ev/s", target=0.60
    )
    yield at_least("http, 100 a batch / COPY", values=rates["small"], floors=floors["small"], unit="ev/s", target=0.40)
    yield at_most(
        "http, 100 a batch, p99 / p50",
        values=[p99 for _, p99 in waits],
        floors=[p50 for p50, _ in waits],
        unit="s",
        target=3.0,
    )
    yield at_least(
        "http, duplicates / fresh", values=rates["repeated"], floors=floors["repeated"], unit="ev/s", target=1.0
    )


def send_all(port: int, secret: str, bodies: Sequence[bytes], *, expected: bytes) -> tuple[float, list[float]]:
    """Post the bodies over a few connections that stay open; returns the seconds in all and those of each request.

    Raises RuntimeError unless every answer holds what is expected.
    """
    queue: SimpleQueue[bytes] = SimpleQueue()
    for body in bodies:
        queue.put(body)
    times: list[float] = []
    began = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as senders:
        for sent in [senders.submit(send_from, queue, port, secret, expected, times) for _ in range(SENDERS)]:
            sent.result()
    return time.perf_counter() - began, times


def send_from(queue: "SimpleQueue[bytes]", port: int, secret: str, expected: bytes, times: list[float]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    while not queue.empty():
        try:
            body = queue.get_nowait()
        except Empty:
            break
        began = time.perf_counter()
        connection.request("POST", "/api/v1/events", body, headers)
        response = connection.getresponse()
        answer = response.read()
        times.append(time.perf_counter() - began)
        if response.status != 200 or expected not in answer:
            raise RuntimeError(f"{response.status}: {answer[-400:]!r}")
    connection.close()
