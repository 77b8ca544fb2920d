"""Doing one job: claim it, run its handler, finish it. Each step survives a kill before, in and after it.

The claim is committed on its own and takes a lease under a fresh token. The handler then runs in ONE transaction
whose last statement marks the row done *where the token is still ours*: either both its effect and the mark are
committed, or neither is. The row is not locked while the handler works, so that its progress and its lease can be
renewed from outside and a worker that hangs can be replaced; whoever lost the lease cannot commit. An errand does
its work, which may be with other services, between the claim and that transaction, which then holds the mark and what
the errand left to be committed with it.
"""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q

from jobs.backoff import draw_backoff
from jobs.handlers import JobContext, Postponed, find_handler, find_lease
from jobs.models import Job, JobState
from jobs.progress import LeaseLost, ProgressReporter

logger = logging.getLogger(__name__)

ERROR_LENGTH = 4_000  # characters of a traceback that are kept, from its end

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt at one job, held by the worker that knows the token."""

    job_id: int
    kind: str
    key: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    token: UUID
    at: datetime


def run_job(job_id: int, *, clock: Clock) -> JobState | None:
    """Do the job if it is due and nobody holds it; return the state it is left in, None when there was nothing to do.

    `clock` is asked again as time passes: a handler may run long. Calling this twice, or in many places at once,
    commits the job's effect once. An exception of the handler is recorded on the row, not raised.
    """
    claim = claim_job(job_id, at=clock())
    if claim is None:
        return None
    try:
        perform_job(claim, clock=clock)
    except LeaseLost as loss:
        logger.warning("Attempt %s was given up: %s. Is its lease too short?", claim.attempt, loss)
        return None
    except Postponed as wait:
        return postpone_job(claim, wait)
    except Exception as error:  # a handler may fail in any way; the row remembers how, and the worker lives on
        logger.warning("Job %s (%s %s) failed", claim.job_id, claim.kind, claim.key, exc_info=True)
        return record_failure(claim, error, at=clock())
    return JobState.DONE


@transaction.atomic(durable=True)
def claim_job(job_id: int, *, at: datetime) -> Claim | None:
    """Take the lease of a job that is due, or whose holder let its lease run out. None when it is not to be had.

    A job whose last attempt vanished is buried instead: it may be the job that kills its workers.
    """
    job = Job.objects.select_for_update(skip_locked=True).filter(find_claimable(at), pk=job_id).first()
    if job is None:
        return None
    if job.state == JobState.RUNNING:
        job.error = f"Attempt {job.attempts} of {job.max_attempts} vanished: its lease ran out at {job.lease_until}."
    if job.attempts >= job.max_attempts:
        bury_job(job, at=at)
        return None
    job.state, job.attempts, job.started_at = JobState.RUNNING, job.attempts + 1, at
    job.lease_token, job.lease_until = uuid4(), at + find_lease(job.kind)
    job.progress_done, job.progress_total = 0, None
    job.save()
    return Claim(job.pk, job.kind, job.key, job.payload, job.attempts, job.max_attempts, job.lease_token, at)


def find_claimable(at: datetime) -> Q:
    return Q(state=JobState.QUEUED, run_at__lte=at) | Q(state=JobState.RUNNING, lease_until__lte=at)


def bury_job(job: Job, *, at: datetime) -> None:
    job.state, job.lease_token, job.lease_until, job.finished_at = JobState.DEAD, None, None, at
    job.save()
    logger.error("Job %s (%s %s) is dead: %s", job.pk, job.kind, job.key, job.error)


def perform_job(claim: Claim, *, clock: Clock) -> None:
    """Run the handler and mark the job done, in one transaction; an errand before it, its ending in it.

    Raises LeaseLost, and whatever the handler raises.
    """
    handler = find_handler(claim.kind)
    report = ProgressReporter(job_id=claim.job_id, token=claim.token, lease=handler.lease, clock=clock)
    context = JobContext(claim.job_id, claim.kind, claim.key, claim.payload, claim.attempt, claim.at, reporter=report)
    ending = handler.run(context) if handler.is_errand else partial(handler.run, context)
    with transaction.atomic(durable=True):
        if ending:
            ending()
        release_job(claim, state=JobState.DONE, finished_at=clock(), error="")


def postpone_job(claim: Claim, wait: Postponed) -> JobState | None:
    """Queue the job again for the time it asked for, its attempt given back. None when the lease is lost."""
    try:
        release_job(
            claim, state=JobState.QUEUED, run_at=wait.until, attempts=claim.attempt - 1, error=clean_text(wait.why)
        )
    except LeaseLost as loss:
        logger.warning("Attempt %s was not postponed: %s.", claim.attempt, loss)
        return None
    return JobState.QUEUED


def record_failure(claim: Claim, error: Exception, *, at: datetime) -> JobState | None:
    """Queue the job again after a drawn backoff, or bury it after its last attempt. None when the lease is lost."""
    is_last = claim.attempt >= claim.max_attempts
    state = JobState.DEAD if is_last else JobState.QUEUED
    when = {"finished_at": at} if is_last else {"run_at": at + draw_backoff(claim.attempt)}
    try:
        release_job(claim, state=state, error=describe_error(error), **when)
    except LeaseLost as loss:
        logger.warning("The failure of attempt %s is not recorded: %s.", claim.attempt, loss)
        return None
    return state


def release_job(claim: Claim, **changes: Any) -> None:
    """Write the outcome of an attempt where its token still holds the row. Raises LeaseLost."""
    held = Job.objects.filter(pk=claim.job_id, lease_token=claim.token)
    if held.update(lease_token=None, lease_until=None, **changes) != 1:
        raise LeaseLost(f"job {claim.job_id} is no longer ours")


def describe_error(error: Exception) -> str:
    """The end of the traceback, as text that PostgreSQL can store whatever the message holds."""
    return clean_text("".join(traceback.format_exception(error)))


def clean_text(text: str) -> str:
    return text[-ERROR_LENGTH:].encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
