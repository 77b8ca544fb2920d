"""The suite's ground: a throw-away PostgreSQL and Valkey, and no network but loopback and unix sockets."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations

from config import embedded


def stop_server(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGINT)
    server.wait(timeout=20)


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[None]:
    """Start what DATABASE_URL and REDIS_URL do not name, and throw it away at the end."""
    started = []
    if "DATABASE_URL" not in os.environ:
        started.append(embedded.start_postgres(settings.TEST_DIR))
    if "REDIS_URL" not in os.environ:
        started.append(embedded.start_valkey(settings.TEST_DIR))
    yield
    for server in started:
        stop_server(server)
    shutil.rmtree(embedded.socket_dir(settings.TEST_DIR), ignore_errors=True)
    shutil.rmtree(settings.TEST_DIR, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(services: None) -> None:
    """The servers must answer before pytest-django makes the test database."""


@pytest.fixture(scope="session", autouse=True)
def emptying_passes_triggers() -> Iterator[None]:
    """Between transactional tests Django empties every table, also those whose triggers forbid it to everybody else."""
    execute_sql_flush = DatabaseOperations.execute_sql_flush

    def flush_as_replica(self: DatabaseOperations, sql_list: list[str]) -> None:
        execute_sql_flush(self, ["SET LOCAL session_replication_role = replica", *sql_list])

    DatabaseOperations.execute_sql_flush = flush_as_replica
    yield
    DatabaseOperations.execute_sql_flush = execute_sql_flush
