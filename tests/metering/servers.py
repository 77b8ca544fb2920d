"""The project under gunicorn, on the database of the test that asks for it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]
PATIENCE = 30  # seconds


@contextmanager
def run_gunicorn(*, workers: int = 1, threads: int = 4, **environ: str) -> Iterator[int]:
    """Yields the port. The test must have a database whose rows others can see: `transaction=True`."""
    port = find_free_port()
    server = start_gunicorn(port, workers=workers, threads=threads, **environ)
    try:
        yield port
    finally:
        server.terminate()
        server.wait(PATIENCE)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_gunicorn(
    port: int, *, workers: int, threads: int, application: str = "config.wsgi", **environ: str
) -> "subprocess.Popen[bytes]":
    """Returns when it serves. The project is imported once, as in the stack, so that a worker is there in no time."""
    command = [
        sys.executable, "-m", "gunicorn", application, "--preload", "--bind", f"127.0.0.1:{port}", "--workers",
        str(workers), "--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "30",
        "--no-control-socket",
    ]  # fmt: skip
    told = {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PALIER_TEST_DIR": str(settings.TEST_DIR),
        "DATABASE_URL": find_database_url(),
        "REDIS_URL": settings.REDIS_URL,
    }
    log = Path(settings.TEST_DIR) / f"gunicorn-{port}.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env=os.environ | told | environ)
    try:
        wait_for(port, server, log)
    except BaseException:
        server.kill()
        server.wait(PATIENCE)
        raise
    return server


def find_database_url() -> str:
    database = connection.settings_dict
    return f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"


def wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            probe = HTTPConnection("127.0.0.1", port, timeout=5)
            probe.request("GET", "/healthz")
            probe.getresponse().read()
            probe.close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"gunicorn did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)
