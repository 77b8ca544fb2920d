"""Real Celery workers and beats as child processes, on the suite's database and on any broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import connection

WAIT_SECONDS = 40.0


class StillWaiting(AssertionError):
    """What the test waited for did not come; the message ends with the processes' logs."""


class Engine:
    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder, self.redis_url = folder, redis_url
        self.processes: list[subprocess.Popen[bytes]] = []

    def start_worker(self, *options: str) -> "subprocess.Popen[bytes]":
        name = f"worker{len(self.processes)}@tests"
        quick = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self.start(
            "worker", "--include", "tests.jobs.handlers", "-n", name, *quick, *(options or ["-P", "solo"])
        )

    def start_beat(self) -> "subprocess.Popen[bytes]":
        return self.start("beat", "--max-interval", "1", "--pidfile=")

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        log = self.folder / f"{len(self.processes)}-{command[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "celery", "-A", "config", *command, "-l", "warning"],
                stdout=output, stderr=output, cwd=settings.BASE_DIR, env=self.build_environment(),
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def build_environment(self) -> dict[str, str]:
        """The settings of the suite, but the database that pytest made of it."""
        server, _, _ = settings.DATABASE_URL.rpartition("/")
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            "REDIS_URL": self.redis_url,
            "PALIER_TEST_DIR": str(self.folder),
            "CELERY_SKIP_CHECKS": "1",
        }

    def wait_until(self, is_reached: Callable[[], bool], *, each_time: Callable[[], object] = lambda: None) -> None:
        """Poll until it is reached. Raises StillWaiting."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_reached():
            if time.monotonic() > deadline:
                logs = [f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}" for log in self.folder.glob("*.log")]
                raise StillWaiting("\n".join(logs))
            each_time()
            time.sleep(0.05)

    def stop(self) -> None:
        """End what this engine started, children included, and nothing else."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=10)
