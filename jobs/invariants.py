"""What must be true of background work at any moment, checked over the whole database."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import F, Q
from django_celery_beat.models import PeriodicTask

from jobs.handlers import list_kinds
from jobs.models import Job, JobState
from jobs.wake import RUN_TASK

SWEEP_TASK = "jobs.tasks.sweep_jobs"

UNFINISHED = [JobState.QUEUED, JobState.RUNNING]
HAS_LEASE = Q(lease_token__isnull=False, lease_until__isnull=False)
HAS_NO_LEASE = Q(lease_token__isnull=True, lease_until__isnull=True)

# What a row must never look like. Each is a constraint too: this finds what came in while one was missing.
FORBIDDEN = {
    "a job holds a lease exactly while it runs": (Q(state=JobState.RUNNING) & ~HAS_LEASE)
    | (~Q(state=JobState.RUNNING) & ~HAS_NO_LEASE),
    "a job has an end exactly when it is finished": Q(state__in=UNFINISHED, finished_at__isnull=False)
    | (~Q(state__in=UNFINISHED) & Q(finished_at__isnull=True)),
    "a job is tried no more often than allowed": Q(attempts__gt=F("max_attempts")),
    "a queued job has an attempt left": Q(state=JobState.QUEUED, attempts__gte=F("max_attempts")),
    "a dead job says why": Q(state=JobState.DEAD, error=""),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: which rule, of what, and what was found. Shared by every app's invariants."""

    rule: str
    subject: str
    detail: str


def check() -> Iterator[Violation]:
    """Yield what is wrong. A job whose lease ran out is not: the sweeper takes it over, as long as there is one."""
    yield from check_rows()
    yield from check_handlers()
    yield from check_sweeper()


def check_rows() -> Iterator[Violation]:
    for rule, condition in FORBIDDEN.items():
        for job in Job.objects.filter(condition).order_by("pk").iterator():
            yield Violation(rule, f"job {job.pk}", f"{job}: {job.state}, attempt {job.attempts} of {job.max_attempts}")


def check_handlers() -> Iterator[Violation]:
    orphans = Job.objects.filter(state__in=UNFINISHED).exclude(kind__in=list_kinds()).order_by("pk")
    for job in orphans.iterator():
        yield Violation("an unfinished job has a handler", f"job {job.pk}", f"nothing does jobs of kind {job.kind}")


def check_sweeper() -> Iterator[Violation]:
    """Without the sweeper a lost message or a dead worker leaves its job waiting for ever."""
    if not PeriodicTask.objects.filter(task=SWEEP_TASK, enabled=True).exists():
        yield Violation("the sweeper is scheduled", SWEEP_TASK, f"no enabled periodic task resends {RUN_TASK}")
