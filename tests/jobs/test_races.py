"""Many workers reach for one job at the same moment."""

from collections.abc import Callable
from threading import Barrier, Thread

import pytest
from django.db import connection

from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.jobs.makers import AT, StandingClock, add_effect, count_effects, make_job

WORKERS = 6

pytestmark = pytest.mark.usefixtures("lasting_effects")


def run_at_once(work: Callable[[], object]) -> list[object]:
    """Let every thread start the work at the same moment; return what each brought back."""
    barrier, results = Barrier(WORKERS), []

    def start() -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            results.append(work())
        finally:
            connection.close()

    threads = [Thread(target=start) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.mark.parametrize("fields", [{"state": "queued"}, {"state": "running", "lease_until": AT}])
def test_of_many_workers_one_does_the_job(clock: StandingClock, fields: dict[str, object]):
    job = make_job(key="account 1", **fields)

    results = run_at_once(lambda: run_job(job.pk, clock=clock))

    assert sorted(results, key=str) == [None] * (WORKERS - 1) + [JobState.DONE]
    assert count_effects() == {"account 1": 1}


def test_without_the_lock_many_workers_do_the_job():
    """The negative control: who looks first and writes later is not alone."""
    job = make_job(key="account 1")
    looked = Barrier(WORKERS)

    def look_and_do() -> None:
        if Job.objects.get(pk=job.pk).state == JobState.QUEUED:
            looked.wait(timeout=30)
            add_effect(job.key, 1)
            Job.objects.filter(pk=job.pk).update(state="done", attempts=1, started_at=AT, finished_at=AT)

    run_at_once(look_and_do)

    assert count_effects() == {"account 1": WORKERS}
