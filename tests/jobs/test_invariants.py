from datetime import timedelta

import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask

from jobs.invariants import Violation, check
from tests.jobs.makers import AT, make_job

pytestmark = pytest.mark.django_db


def break_row(constraint: str, change: str) -> None:
    """Damage every job as nobody can while the constraint is there."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE jobs_job DROP CONSTRAINT {constraint}")
        cursor.execute(f"UPDATE jobs_job SET {change}")  # noqa: S608 - literals of this file


def test_jobs_in_every_state_are_sound():
    for state in ("queued", "running", "done", "dead"):
        make_job(key=state, state=state)
    make_job(key="vanished", state="running", lease_until=AT - timedelta(days=1))

    assert list(check()) == []


@pytest.mark.parametrize(
    ("state", "constraint", "change", "rule"),
    [
        (
            "running",
            "job_has_a_lease_exactly_while_it_runs",
            "lease_until = NULL",
            "a job holds a lease exactly while it runs",
        ),
        (
            "done",
            "job_has_a_lease_exactly_while_it_runs",
            "lease_token = gen_random_uuid()",
            "a job holds a lease exactly while it runs",
        ),
        (
            "done",
            "job_has_an_end_exactly_when_finished",
            "finished_at = NULL",
            "a job has an end exactly when it is finished",
        ),
        ("done", "job_attempts_within_maximum", "attempts = 11", "a job is tried no more often than allowed"),
        ("queued", "job_has_an_attempt_left_while_queued", "attempts = 10", "a queued job has an attempt left"),
        ("dead", "job_says_why_it_is_dead", "error = ''", "a dead job says why"),
    ],
)
def test_a_damaged_row_is_found(state: str, constraint: str, change: str, rule: str):
    job = make_job(key="account 1", state=state)
    break_row(constraint, change)

    found = list(check())

    assert [(violation.rule, violation.subject) for violation in found] == [(rule, f"job {job.pk}")]
    assert found[0].detail.startswith(f"tests.count account 1: {state}, attempt ")


def test_work_that_nobody_does_is_found():
    job = make_job(kind="tests.of_yesterday")
    make_job(kind="tests.of_yesterday", key="2", state="done")

    assert list(check()) == [
        Violation("an unfinished job has a handler", f"job {job.pk}", "nothing does jobs of kind tests.of_yesterday")
    ]


def test_a_sweeper_that_is_off_is_found():
    PeriodicTask.objects.filter(task="jobs.tasks.sweep_jobs").update(enabled=False)

    assert [violation.rule for violation in check()] == ["the sweeper is scheduled"]
