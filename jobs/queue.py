"""The door of `jobs`: promise work, and say which function does it."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from jobs.backoff import draw_backoff
from jobs.handlers import (
    HandlerAlreadyRegistered,
    JobContext,
    Postponed,
    UnknownJobKind,
    errand,
    find_handler,
    handler,
    list_kinds,
)
from jobs.models import Job, JobState
from jobs.runner import Clock, run_job
from jobs.wake import wake_worker

__all__ = [
    "HandlerAlreadyRegistered",
    "JobContext",
    "JobFact",
    "Postponed",
    "UnknownJob",
    "UnknownJobKind",
    "do_now",
    "draw_backoff",
    "enqueue",
    "errand",
    "handler",
    "list_kinds",
    "read_dead",
    "read_job",
    "retry_dead",
]


class UnknownJob(LookupError):
    """There is no job with this id."""


@dataclass(frozen=True, slots=True)
class JobFact:
    """How far a job is; `state` is queued, running, done or dead."""

    state: str
    payload: dict[str, Any]
    progress_done: int
    progress_total: int | None
    attempts: int = 0


INSERT_JOB = """
    INSERT INTO jobs_job (kind, key, payload, state, run_at, attempts, max_attempts, progress_done, error, created_at)
    VALUES (%s, %s, %s, 'queued', %s, 0, %s, 0, '', %s)
    ON CONFLICT (kind, key) DO NOTHING
    RETURNING id
"""


def enqueue(
    kind: str, key: str, payload: dict[str, Any] | None = None, *, at: datetime, run_at: datetime | None = None
) -> bool:
    """Promise one piece of work, in the caller's transaction: it is undone with it, and durable once it commits.

    `payload` holds JSON values; `run_at` is the earliest time (default: `at`). True when the job is new. A second call
    with the same kind and key changes nothing, whatever became of the first job, and returns False.
    Raises UnknownJobKind. Never raises because of the broker.
    """
    earliest = run_at or at
    promised = find_handler(kind)
    with connection.cursor() as cursor:
        cursor.execute(INSERT_JOB, (kind, key, json.dumps(payload or {}), earliest, promised.max_attempts, at))
        row = cursor.fetchone()
    if row is None:
        return False
    if earliest <= at:
        transaction.on_commit(partial(wake_worker, row[0], is_urgent=promised.is_urgent))
    return True


def read_job(kind: str, key: str) -> JobFact | None:
    """None where nothing was promised under this kind and key."""
    job = Job.objects.filter(kind=kind, key=key).first()
    if job is None:
        return None
    return JobFact(str(job.state), job.payload, job.progress_done, job.progress_total, job.attempts)


def read_dead(kind: str, keys: Collection[str]) -> dict[str, str]:
    """Key → why, of those jobs that have no attempt left. What they were to do is not done."""
    dead = Job.objects.filter(kind=kind, key__in=keys, state=JobState.DEAD)
    return dict(dead.values_list("key", "error"))


def do_now(kind: str, key: str, *, clock: Clock) -> str | None:
    """Do a promised job here instead of waiting for a worker; outside of a transaction. The state it is left in.

    None when there is nothing to do: it is done, not yet due, or a worker has it.
    """
    job_id = Job.objects.filter(kind=kind, key=key).values_list("pk", flat=True).first()
    state = None if job_id is None else run_job(job_id, clock=clock)
    return None if state is None else str(state)


@transaction.atomic
def retry_dead(job_id: int, *, at: datetime) -> bool:
    """Give a dead job a fresh set of attempts. True when it was dead; any other state is left alone.

    Raises UnknownJob.
    """
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise UnknownJob(f"there is no job {job_id}")
    if job.state != JobState.DEAD:
        return False
    job.state, job.run_at, job.attempts, job.finished_at = JobState.QUEUED, at, 0, None
    job.save(update_fields=["state", "run_at", "attempts", "finished_at"])
    transaction.on_commit(partial(wake_worker, job.pk))
    return True
