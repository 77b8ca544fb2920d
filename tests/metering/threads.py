"""Real threads with their own connections, and a look at who waits for a lock."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection

PATIENCE = 20  # seconds


class Threads:
    """Runs functions beside the test, each on a connection of its own that is closed when it ends."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> "Future[Any]":
        return self.pool.submit(run_and_close, function, *args, **options)

    def run_all(self, *functions: Callable[[], Any]) -> list[Any]:
        return [each.result(PATIENCE) for each in [self.start(function) for function in functions]]


@contextmanager
def open_threads(count: int) -> Iterator[Threads]:
    with ThreadPoolExecutor(count) as pool:
        yield Threads(pool)


def run_and_close(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return function(*args, **options)
    finally:
        connection.close()


def wait_until_blocked(count: int = 1) -> None:
    """Until so many sessions of this database wait for a lock."""
    deadline = time.monotonic() + PATIENCE
    while count_blocked() < count:
        assert time.monotonic() < deadline, f"no {count} sessions came to wait for a lock"
        time.sleep(0.01)


def count_blocked() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])
