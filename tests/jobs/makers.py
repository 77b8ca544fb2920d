"""Jobs in any state, a clock that stands still, and the table that handlers of the tests leave their effects in."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection

from jobs.models import Job, JobState

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@dataclass
class StandingClock:
    """Says the same time until it is moved."""

    at: datetime = AT

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


def make_job(*, kind: str = "tests.count", key: str = "1", state: str = "queued", **fields: Any) -> Job:
    """A job as the machinery would have left it in this state."""
    started = {"attempts": 1, "started_at": AT} if state != JobState.QUEUED else {}
    by_state: dict[str, dict[str, Any]] = {
        "queued": {},
        "running": {"lease_token": uuid4(), "lease_until": AT + timedelta(minutes=5)},
        "done": {"finished_at": AT},
        "dead": {"finished_at": AT, "error": "it broke", "attempts": 10},
    }
    values = {"run_at": AT, "created_at": AT} | started | by_state[state] | fields
    return Job.objects.create(kind=kind, key=key, state=state, **values)


def create_effect_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE tests_effect (id bigserial PRIMARY KEY, key text NOT NULL, worker int NOT NULL)")


def drop_effect_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE tests_effect")


def add_effect(key: str, worker: int) -> None:
    """What a handler of the tests does: one row, so that doing it twice shows."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tests_effect (key, worker) VALUES (%s, %s)", [key, worker])


def count_effects() -> dict[str, int]:
    """How many times each key's effect was committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, count(*) FROM tests_effect GROUP BY key")
        return dict(cursor.fetchall())


def count_workers() -> int:
    """How many processes left an effect."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT worker) FROM tests_effect")
        return int(cursor.fetchone()[0])
