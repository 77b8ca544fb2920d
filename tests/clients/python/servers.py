"""Palier under gunicorn on the suite's database, and programs beside it, as processes of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

PROJECT = Path(settings.BASE_DIR)
CLIENT_SOURCE = PROJECT / "clients" / "python" / "src"
PATIENCE = 30  # seconds


def wait_until(is_so: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"still not so after {seconds} seconds"
        time.sleep(0.02)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_environ() -> dict[str, str]:
    """What lets another process work on the database of this test."""
    there = connection.settings_dict
    user, host, name = (quote(str(there[part]), safe="") for part in ("USER", "HOST", "NAME"))
    password = f":{quote(there['PASSWORD'], safe='')}" if there["PASSWORD"] else ""
    port = f":{there['PORT']}" if there["PORT"] else ""
    return os.environ | {
        "DATABASE_URL": f"postgres://{user}{password}@{host}{port}/{name}",
        "REDIS_URL": settings.REDIS_URL,
        "PALIER_TEST_DIR": str(settings.TEST_DIR),
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": str(CLIENT_SOURCE),
    }


class WebServer:
    """gunicorn with an application on a port that stays its own. Killed, it can be started again."""

    process: "subprocess.Popen[bytes]"

    def __init__(self, application: str, *options: str, log: Path, environ: dict[str, str]) -> None:
        self.application, self.options, self.log, self.environ = application, options, log, environ
        self.port = find_free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable, "-m", "gunicorn", self.application, "--bind", f"127.0.0.1:{self.port}", *self.options,
            "--worker-class", "gthread", "--threads", "4", "--log-level", "warning",
        ]  # fmt: skip
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=self.environ, stdout=output, stderr=output, start_new_session=True
            )
        wait_until(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End it with its workers; what has ended already stays so."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
            self.process.wait(PATIENCE)

    def kill(self) -> None:
        """All of its processes at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


@contextmanager
def run_server(server: WebServer) -> Iterator[WebServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def start_host(*arguments: str) -> "subprocess.Popen[str]":
    """A program with the client in it: see host.py."""
    command = [sys.executable, str(Path(__file__).with_name("host.py")), *arguments]
    return subprocess.Popen(command, env=make_environ(), stdout=subprocess.PIPE, text=True)


def run_host(*arguments: str) -> str:
    """What it printed; it must have ended well."""
    with start_host(*arguments) as host:
        output, _ = host.communicate(timeout=PATIENCE)
    assert host.returncode == 0
    return output
