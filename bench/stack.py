"""The ground a benchmark stands on: an embedded PostgreSQL and Valkey in a folder of their own, thrown away after."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import cast

STOP_SECONDS = 20


@contextmanager
def run_stack() -> Iterator[None]:
    """Start the servers, point Django at them, migrate; stop them, and remove their folder, whatever happens."""
    from config import embedded  # its settings read the environment that is set below

    folder = Path(tempfile.mkdtemp(prefix="palier-bench-"))
    servers: list[subprocess.Popen[bytes]] = []
    try:
        servers.append(embedded.start_postgres(folder))
        servers.append(embedded.start_valkey(folder))
        embedded.create_database(folder)
        prepare_django(embedded.database_url(folder), embedded.redis_url(folder))
        yield
    finally:
        close_connections()
        for server in servers:
            stop(server, signal.SIGINT)
        shutil.rmtree(embedded.socket_dir(folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def prepare_django(database_url: str, redis_url: str) -> None:
    os.environ |= {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "config.settings.development",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def close_connections() -> None:
    from django.conf import settings

    if settings.configured:
        from django.db import connection
        from django.db.backends.postgresql.base import DatabaseWrapper

        connection.close()
        cast(DatabaseWrapper, connection).close_pool()


def stop(process: "subprocess.Popen[bytes]", sign: int = signal.SIGTERM) -> None:
    process.send_signal(sign)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def run_web(*, workers: int = 2, threads: int = 4, **environ: str) -> Iterator[int]:
    """The project under gunicorn on a free port of the loopback, which it yields. `environ` is for it alone."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--workers", str(workers), "--threads", str(threads), "--keep-alive", "30", "--log-level", "warning",
    ]  # fmt: skip
    with tempfile.NamedTemporaryFile(prefix="palier-bench-web-") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=Path(__file__).parents[1], env=os.environ | environ
        )
        try:
            wait_for(port, server, Path(log.name))
            yield port
        finally:
            stop(server)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/api/v1/events")
            connection.getresponse().read()
            connection.close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"gunicorn did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.05)
