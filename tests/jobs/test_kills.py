"""Promised work against real kills: workers, the broker's content, the broker itself, too many of everything."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config import embedded
from config.celery import app
from jobs.models import Job, JobState
from jobs.queue import enqueue
from jobs.sweeper import sweep_jobs
from tests.jobs.conftest import PointToBroker
from tests.jobs.engine import Engine, kill
from tests.jobs.makers import count_effects, count_workers

QUEUE = "celery"


def enqueue_counts(keys: list[str], *, seconds: float = 0) -> None:
    with transaction.atomic():
        for key in keys:
            enqueue("tests.count", key, {"seconds": seconds}, at=timezone.now())


def are_all_done() -> bool:
    return not Job.objects.exclude(state=JobState.DONE).exists()


def sweep_now() -> None:
    sweep_jobs(at=timezone.now())


def test_a_worker_killed_in_mid_job_leaves_the_effect_to_the_next_one_exactly_once(engine: Engine, tmp_path: Path):
    started = tmp_path / "started"
    workers = {worker.pid: worker for worker in (engine.start_worker(), engine.start_worker())}
    enqueue("tests.hang_at_first", "close 2026-10", {"started": str(started)}, at=timezone.now())
    engine.wait_until(started.exists)
    victim = workers[int(started.read_text())]

    kill(victim)
    engine.wait_until(are_all_done, each_time=sweep_now)

    assert count_effects() == {"close 2026-10": 1}
    assert Job.objects.get().attempts == 2


def test_a_pool_whose_child_is_killed_in_mid_job_finishes_it_exactly_once(engine: Engine, tmp_path: Path):
    started = tmp_path / "started"
    engine.start_worker("-P", "prefork", "-c", "1")
    enqueue("tests.hang_at_first", "close 2026-10", {"started": str(started)}, at=timezone.now())
    engine.wait_until(started.exists)

    os.kill(int(started.read_text()), signal.SIGKILL)
    engine.wait_until(are_all_done, each_time=sweep_now)

    assert count_effects() == {"close 2026-10": 1}
    assert Job.objects.get().attempts == 2


@pytest.mark.usefixtures("every_second")
def test_wiping_the_broker_loses_no_job(engine: Engine, valkey: redis.Redis):
    keys = [f"account {number}" for number in range(40)]
    enqueue_counts(keys)
    assert valkey.llen(QUEUE) == 40
    valkey.flushall()
    assert valkey.llen(QUEUE) == 0

    engine.start_worker()
    engine.start_beat()
    engine.wait_until(are_all_done)

    assert count_effects() == dict.fromkeys(keys, 1)


@pytest.fixture
def own_valkey(
    lasting_effects: None, tmp_path: Path, to_broker: PointToBroker
) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts a broker of this test alone, again and again on the same socket."""
    servers: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        servers.append(embedded.start_valkey(tmp_path))
        return servers[-1]

    to_broker(embedded.redis_url(tmp_path))
    yield start
    for server in servers:
        server.kill()
        server.wait(timeout=10)
    embedded.socket_dir(tmp_path).joinpath("valkey.sock").unlink(missing_ok=True)
    embedded.socket_dir(tmp_path).rmdir()


@pytest.mark.usefixtures("every_second")
def test_killing_the_broker_loses_no_job(own_valkey: Callable[[], "subprocess.Popen[bytes]"], tmp_path: Path):
    engine = Engine(tmp_path, embedded.redis_url(tmp_path))
    try:
        server = own_valkey()
        engine.start_worker()
        engine.start_beat()
        enqueue_counts(["before"])
        engine.wait_until(are_all_done)

        server.kill()
        server.wait(timeout=10)
        keys = [f"account {number}" for number in range(20)]
        enqueue_counts(keys)
        own_valkey()
        engine.wait_until(are_all_done)
    finally:
        engine.stop()

    assert count_effects() == dict.fromkeys(["before", *keys], 1)


@pytest.mark.usefixtures("every_second")
def test_two_beats_and_three_workers_do_each_job_once_whatever_dies(engine: Engine, valkey: redis.Redis):
    interval = IntervalSchedule.objects.get(every=1)
    PeriodicTask.objects.create(name="tests: promise", task="tests.promise_for_the_period", interval=interval)
    workers = [engine.start_worker() for _ in range(3)]
    beats = [engine.start_beat() for _ in range(2)]
    engine.wait_for_workers(3)
    keys = [f"account {number}" for number in range(200)]
    enqueue_counts(keys, seconds=0.01)
    engine.wait_until(lambda: count_workers() == 3)

    kill(workers[0])
    valkey.flushall()
    Job.objects.filter(state=JobState.RUNNING).update(lease_until=timezone.now())
    engine.wait_until(lambda: are_all_done() and count_effects().get("task ran", 0) >= 4)

    effects = count_effects()
    assert effects.pop("task ran") >= 4
    assert effects == dict.fromkeys([*keys, "period 2026-11"], 1)
    assert [process.exitcode for process in (*workers[1:], *beats)] == [None] * 4


def test_without_the_claim_a_message_that_comes_twice_is_done_twice(engine: Engine):
    """The negative control: the same body, the same engine, the same double delivery."""
    engine.start_worker()
    enqueue("tests.count", "claimed", at=timezone.now())
    job = Job.objects.get()
    for _ in range(2):
        app.send_task("jobs.tasks.run_job", args=[job.pk])
        app.send_task("tests.do_without_claim", args=["not claimed"])

    engine.wait_until(lambda: count_effects().get("not claimed") == 2)

    assert count_effects() == {"claimed": 1, "not claimed": 2}
