import pytest
import time_machine
from django.db import transaction

from billing import invariants, invoicing, tasks
from billing.models import Invoice, Period
from jobs.models import Job, JobState
from jobs.queue import JobContext
from jobs.runner import run_job
from tests.billing.makers import FEB, HOUR, MID_JAN, make_plan, make_subscription

pytestmark = pytest.mark.django_db


def make_context(period_id, *, at, attempt=1):
    return JobContext(id=1, kind="billing.close_period", key=str(period_id), payload={}, attempt=attempt, at=at)


@time_machine.travel(FEB + HOUR, tick=False)
def test_beats_task_opens_what_comes_and_promises_the_closing_of_what_ended():
    subscription = make_subscription(started_at=MID_JAN)
    tasks.enqueue_due_periods()
    tasks.enqueue_due_periods()
    assert Period.objects.count() == 2
    assert [(job.kind, job.key) for job in Job.objects.all()] == [("billing.close_period", str(subscription.period_id))]


def test_the_job_runner_closes_the_period_it_was_promised():
    make_subscription(started_at=MID_JAN)
    invoicing.enqueue_due_periods(FEB + HOUR)
    job = Job.objects.get()
    assert run_job(job.pk, clock=lambda: FEB + 2 * HOUR) == JobState.DONE
    assert Invoice.objects.get().issued_at == FEB + 2 * HOUR
    assert run_job(job.pk, clock=lambda: FEB + 3 * HOUR) is None
    assert Invoice.objects.count() == 1


def test_the_job_closes_its_period_and_a_second_run_changes_nothing():
    subscription = make_subscription(started_at=MID_JAN)
    for attempt in (1, 2):
        tasks.close_one(make_context(subscription.period_id, at=FEB + attempt * HOUR, attempt=attempt))
    assert [(invoice.number, invoice.issued_at) for invoice in Invoice.objects.all()] == [("2026-000001", FEB + HOUR)]
    assert list(invariants.check()) == []


def test_a_run_that_is_killed_before_its_commit_leaves_nothing_to_the_next():
    subscription = make_subscription(started_at=MID_JAN, plan=make_plan())
    with pytest.raises(KeyboardInterrupt):
        run_and_die(make_context(subscription.period_id, at=FEB))
    assert not Invoice.objects.exists()
    tasks.close_one(make_context(subscription.period_id, at=FEB, attempt=2))
    assert Invoice.objects.get().number == "2026-000001"


@transaction.atomic
def run_and_die(context):
    tasks.close_one(context)
    raise KeyboardInterrupt
