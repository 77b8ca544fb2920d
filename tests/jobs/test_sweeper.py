from datetime import timedelta

import pytest
import redis
from django.db import connection

from jobs.models import Job
from jobs.runner import find_claimable
from jobs.sweeper import list_due_jobs, sweep_jobs
from tests.jobs.conftest import PointToBroker
from tests.jobs.makers import AT, make_job

QUEUE = "celery"

pytestmark = pytest.mark.django_db


def test_what_is_due_is_what_waits_and_what_lost_its_worker():
    waiting = make_job(key="waiting", run_at=AT)
    vanished = make_job(key="vanished", state="running", lease_until=AT)
    make_job(key="later", run_at=AT + timedelta(seconds=1))
    make_job(key="held", state="running", lease_until=AT + timedelta(seconds=1))
    make_job(key="done", state="done")
    make_job(key="dead", state="dead")

    assert list(list_due_jobs(at=AT, limit=10)) == [vanished.pk, waiting.pk]


def test_the_oldest_come_first_and_no_more_than_asked_for():
    second = make_job(key="second", run_at=AT - timedelta(minutes=1))
    first = make_job(key="first", run_at=AT - timedelta(minutes=2))
    make_job(key="third", run_at=AT)

    assert list(list_due_jobs(at=AT, limit=2)) == [first.pk, second.pk]


def test_a_sweep_fills_the_queue_and_does_not_flood_it(valkey: redis.Redis):
    for number in range(5):
        make_job(key=f"account {number}")

    assert [sweep_jobs(at=AT, batch=3) for _ in range(3)] == [3, 0, 0]

    assert valkey.llen(QUEUE) == 3


def test_a_sweep_sends_again_what_the_broker_lost(valkey: redis.Redis):
    make_job()
    assert sweep_jobs(at=AT) == 1
    valkey.flushall()

    assert sweep_jobs(at=AT) == 1


def test_a_sweep_without_a_broker_waits_for_the_next(to_broker: PointToBroker):
    make_job()
    to_broker("unix:///nowhere/valkey.sock")

    assert sweep_jobs(at=AT) == 0


@pytest.fixture
def _many_jobs(db: None) -> None:
    """Twenty thousand finished jobs, a thousand that wait and ten that run, and statistics that know it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO jobs_job (kind, key, payload, state, run_at, attempts, max_attempts, progress_done, error,
                                  created_at, started_at, finished_at, lease_token, lease_until)
            SELECT 'tests.count', n::text, '{}',
                   CASE WHEN n > 1010 THEN 'done' WHEN n > 10 THEN 'queued' ELSE 'running' END,
                   %(at)s, 1, 10, 0, '', %(at)s, %(at)s, CASE WHEN n > 1010 THEN %(at)s END,
                   CASE WHEN n <= 10 THEN gen_random_uuid() END, CASE WHEN n <= 10 THEN %(at)s END
            FROM generate_series(1, 21010) n
            """,
            {"at": AT},
        )
        cursor.execute("ANALYZE jobs_job")


@pytest.mark.usefixtures("_many_jobs")
def test_a_sweep_reads_what_is_due_and_not_what_was_done():
    expired = Job.objects.filter(state="running", lease_until__lte=AT).order_by("lease_until")[:500].explain()
    waiting = Job.objects.filter(state="queued", run_at__lte=AT).order_by("run_at")[:500].explain()

    assert "Index Scan using job_running_by_lease" in expired
    assert "Index Scan using job_queued_by_run_at" in waiting


@pytest.mark.usefixtures("_many_jobs")
def test_a_claim_finds_its_row_by_its_primary_key():
    plan = Job.objects.select_for_update(skip_locked=True).filter(find_claimable(AT), pk=1).explain()

    assert "Index Scan using jobs_job_pkey" in plan
