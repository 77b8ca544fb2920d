"""Real Celery workers and beats as processes of their own, on the suite's database and on any broker.

They run what `celery -A config worker` and `celery -A config beat` run. They are forked from a server that has
imported the project beforehand and has never opened a connection: starting Python a dozen times would take longer
than all that is tested.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from django.conf import settings
from django.db import connection

from jobs.models import Job, JobState

WAIT_SECONDS = 60.0
READY = ".ready"  # what the log of a worker that takes messages has beside it

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.jobs.preload"])


class StillWaiting(AssertionError):
    """What the test waited for did not come; the message ends with the processes' logs."""


def run_celery(arguments: list[str], log: Path, redis_url: str) -> None:
    """The whole life of a child: its own process group, its own log, its own broker."""
    os.setsid()
    with log.open("wb") as output:
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())
    from celery.bin.celery import celery
    from celery.signals import worker_ready

    from config.celery import app
    from config.settings.base import use_broker

    app.conf.broker_url = use_broker(redis_url)
    app.conf.worker_lost_wait = 0.5  # seconds before a pool believes that its child is dead; ten by default
    worker_ready.connect(lambda **_: log.with_suffix(READY).touch(), weak=False)
    celery(args=["--quiet", "-A", "config", *arguments, "-l", "warning"])


class Engine:
    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder, self.redis_url = folder, redis_url
        self.processes: list[ForkServerProcess] = []

    def start_worker(self, *options: str) -> ForkServerProcess:
        name = f"worker{len(self.processes)}@tests"
        quick = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self.start(
            "worker", "--include", "tests.jobs.handlers", "-n", name, *quick, *(options or ["-P", "solo"])
        )

    def start_beat(self) -> ForkServerProcess:
        return self.start("beat", "--max-interval", "1", "--pidfile=")

    def start(self, *command: str) -> ForkServerProcess:
        log = self.folder / f"{len(self.processes)}-{command[0]}.log"
        process = CONTEXT.Process(target=run_celery, args=([*command], log, self.redis_url))
        with environment(build_environment()):  # the server reads it when it starts, with the first process
            process.start()
        self.processes.append(process)
        return process

    def wait_for_workers(self, count: int) -> None:
        """Raises StillWaiting."""
        self.wait_until(lambda: len(list(self.folder.glob(f"*{READY}"))) == count)

    def wait_until(self, is_reached: Callable[[], bool], *, each_time: Callable[[], object] = lambda: None) -> None:
        """Poll until it is reached. Raises StillWaiting."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_reached():
            if time.monotonic() > deadline:
                raise StillWaiting(self.describe())
            each_time()
            time.sleep(0.05)

    def describe(self) -> str:
        unfinished = Job.objects.exclude(state=JobState.DONE).values_list("pk", "key", "state", "attempts", "error")
        logs = [f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}" for log in self.folder.glob("*.log")]
        return "\n".join([f"not done: {list(unfinished[:10])}", *logs])

    def stop(self) -> None:
        """End what this engine started, children included, and nothing else."""
        for process in self.processes:
            kill(process)


def kill(process: ForkServerProcess) -> None:
    """kill -9, with its children, and wait for the end."""
    if process.exitcode is None and process.pid is not None:
        process.kill()
        with suppress(ProcessLookupError):  # it died before it had a group of its own
            os.killpg(process.pid, signal.SIGKILL)
    process.join(timeout=10)


def build_environment() -> dict[str, str]:
    """The settings of the suite, but with the database that pytest made of it."""
    server, _, _ = settings.DATABASE_URL.rpartition("/")
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "PALIER_TEST_DIR": str(settings.TEST_DIR),
        "PYTHONPATH": str(settings.BASE_DIR),
        "CELERY_SKIP_CHECKS": "1",
    }


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
