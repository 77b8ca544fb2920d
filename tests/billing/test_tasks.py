import pytest
import time_machine

from billing import invariants, tasks
from billing.models import BillingRun, Invoice, Period
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.makers import FEB, HOUR, MID_JAN, make_subscription
from tests.billing.runs.makers import break_profile

pytestmark = pytest.mark.django_db


@time_machine.travel(FEB + HOUR, tick=False)
def test_beats_task_opens_what_comes_and_runs_what_is_due():
    make_subscription(started_at=MID_JAN)
    tasks.enqueue_due_periods()
    tasks.enqueue_due_periods()
    assert Period.objects.count() == 2
    run = BillingRun.objects.get()
    assert [(job.kind, job.key) for job in Job.objects.all()] == [("billing.bill_part", f"{run.pk}:1")]


def test_the_job_runner_bills_the_part_it_was_promised():
    make_subscription(started_at=MID_JAN)
    with time_machine.travel(FEB + HOUR, tick=False):
        tasks.enqueue_due_periods()
    job = Job.objects.get()
    assert run_job(job.pk, clock=lambda: FEB + 2 * HOUR) == JobState.DONE
    assert Invoice.objects.get().issued_at == FEB + 2 * HOUR
    assert run_job(job.pk, clock=lambda: FEB + 3 * HOUR) is None
    assert Invoice.objects.count() == 1
    assert list(invariants.check()) == []


@time_machine.travel(FEB + HOUR, tick=False)
def test_a_preview_is_a_job_as_well(settings):
    settings.BILLING_RUN_NEEDS_APPROVAL = True
    make_subscription(started_at=MID_JAN)
    tasks.enqueue_due_periods()
    job = Job.objects.get()
    assert (job.kind, run_job(job.pk, clock=lambda: FEB + HOUR)) == ("billing.preview_part", JobState.DONE)
    assert (BillingRun.objects.get().state, Invoice.objects.count()) == ("awaiting", 0)


@time_machine.travel(FEB + HOUR, tick=False)
def test_a_part_is_done_also_where_an_account_of_it_failed():
    make_subscription(started_at=MID_JAN)
    tasks.enqueue_due_periods()
    break_profile("acme")
    assert run_job(Job.objects.get().pk, clock=lambda: FEB + HOUR) == JobState.DONE
    assert (BillingRun.objects.get().entries.get().state, Invoice.objects.count()) == ("failed", 0)
