"""Runs against kill -9: at every statement of a part, and of real workers in the midst of many parts."""

import signal

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import invariants
from billing.closing import close_periods
from billing.models import BillingRun, BillingRunEntry, Invoice, InvoiceSeries, Period
from billing.runs import opening
from billing.runs.opening import open_run
from billing.runs.work import bill_part
from jobs.models import Job
from jobs.queue import JobContext
from jobs.sweeper import sweep_jobs
from tests.billing.runs.dying import run_and_die
from tests.billing.runs.makers import DUE, list_totals, make_customers
from tests.jobs.conftest import valkey  # noqa: F401 - a fixture
from tests.jobs.engine import CONTEXT, Engine, build_environment, environment, kill

pytestmark = pytest.mark.django_db(transaction=True)


def work_in_a_process(job_id, *, fatal=0):
    """How a worker of its own ended that dies before its `fatal`th statement."""
    process = CONTEXT.Process(target=run_and_die, args=(job_id, DUE, fatal))
    with environment(build_environment()):
        process.start()
    process.join(timeout=60)
    return process.exitcode


def read_traces():
    """All that a part would leave behind: invoices, numbers, closed periods, entries that are settled, an ended run."""
    return (
        Invoice.objects.count(),
        InvoiceSeries.objects.count(),
        Period.objects.filter(closed_at__isnull=False).count(),
        BillingRunEntry.objects.exclude(state="pending").count(),
        BillingRun.objects.exclude(state="issuing").count(),
    )


def count_statements(run):
    """How many a part takes, by doing it and undoing it."""
    context = JobContext(id=1, kind="", key=f"{run.pk}:1", payload={"run": run.pk}, attempt=1, at=DUE)
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        bill_part(context)
        transaction.set_rollback(True)
    return len(queries)


def test_a_worker_killed_at_any_statement_leaves_nothing_and_the_next_one_does_it_all():
    make_customers("a", "b")
    run = open_run(at=DUE, is_approved=True)
    job = Job.objects.get()
    total = count_statements(run)
    step = max(1, total // 25)  # each takes a process
    for fatal in sorted({*range(1, total, step), *range(total - 3, total + 4)}):
        ended = work_in_a_process(job.pk, fatal=fatal)
        if ended == 0:  # the statement was beyond its last
            break
        assert (ended, read_traces()) == (-signal.SIGKILL, (0, 0, 0, 0, 0)), fatal
        # What the sweeper finds once the lease is over; attempts are given back, for this worker dies on purpose.
        Job.objects.filter(pk=job.pk).update(
            state="queued", attempts=0, lease_token=None, lease_until=None, started_at=None
        )
    assert work_in_a_process(job.pk) == 0
    job.refresh_from_db()
    run.refresh_from_db()
    assert (job.state, run.state) == ("done", "done")
    assert list_totals() == [("a", 1_050), ("b", 1_050)]
    assert list(Invoice.objects.order_by("number").values_list("number", flat=True)) == ["2026-000001", "2026-000002"]
    assert list(invariants.check()) == []


def test_control_a_worker_that_commits_as_it_goes_leaves_half_a_part_behind():
    """What the kills would leave if a part were not one transaction."""
    make_customers("a", "b")
    run = open_run(at=DUE, is_approved=True)
    first = run.entries.order_by("account__key").first()
    close_periods([first.period_id], at=DUE)
    assert read_traces() == (1, 1, 1, 0, 0)


@pytest.fixture
def engine(valkey, tmp_path):  # noqa: F811 - the fixture
    engine = Engine(tmp_path, settings.REDIS_URL)
    yield engine
    engine.stop()


def count_blocked():
    """Sessions that wait for a lock of somebody else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_real_workers_killed_in_mid_part_bill_each_account_once(engine, monkeypatch):
    monkeypatch.setattr(opening, "PART", 2)
    keys = [f"account-{number:02d}" for number in range(16)]
    make_customers(*keys)
    run = open_run(at=timezone.now(), is_approved=True)
    with transaction.atomic():  # one of them gets so far with a part, and waits
        held = Period.objects.select_for_update().get(subscription__account__key=keys[5])
        victims = [engine.start_worker() for _ in range(2)]
        engine.wait_until(lambda: count_blocked() == 1)
        for victim in victims:
            kill(victim)
    assert BillingRunEntry.objects.get(period=held).state == "pending"
    done = run.entries.filter(state="done")
    assert list_totals() == sorted(done.values_list("account__key", "billed_minor"))
    assert Job.objects.filter(state="running").update(lease_until=timezone.now()) >= 1
    engine.start_worker()
    engine.wait_until(
        lambda: BillingRun.objects.filter(state="done").exists(), each_time=lambda: sweep_jobs(at=timezone.now())
    )
    assert list_totals() == [(key, 1_050) for key in keys]
    assert set(run.entries.values_list("state", flat=True)) == {"done"}
    assert list(invariants.check()) == []
