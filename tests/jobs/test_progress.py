from datetime import timedelta
from uuid import uuid4

import pytest

from jobs import handlers
from jobs.handlers import Handler, HandlerFunction, JobContext
from jobs.models import JobState
from jobs.progress import LeaseLost, ProgressReporter
from jobs.runner import claim_job, perform_job, run_job
from tests.jobs.makers import AT, StandingClock, add_effect, count_effects, make_job
from tests.jobs.outside import ask_outside

SEE_PROGRESS = "SELECT progress_done, progress_total, lease_until FROM jobs_job"


def make_reporter(clock: StandingClock) -> ProgressReporter:
    return ProgressReporter(job_id=1, token=uuid4(), lease=timedelta(minutes=5), clock=clock)


def register(monkeypatch: pytest.MonkeyPatch, function: HandlerFunction) -> None:
    monkeypatch.setitem(handlers.HANDLERS, "tests.mine", Handler("tests.mine", timedelta(minutes=5), 3, function))


@pytest.mark.usefixtures("lasting_effects")
def test_progress_is_seen_while_the_handlers_transaction_is_open(monkeypatch: pytest.MonkeyPatch, clock: StandingClock):
    seen: list[tuple[object, ...]] = []

    def work(job: JobContext) -> None:
        add_effect(job.key, 1)
        clock.move(minutes=4)
        job.report_progress(done=250, total=1_000)
        seen.extend(ask_outside(SEE_PROGRESS))
        seen.extend(ask_outside("SELECT count(*) FROM tests_effect"))

    register(monkeypatch, work)
    run_job(make_job(kind="tests.mine").pk, clock=clock)

    assert seen == [(250, 1_000, AT + timedelta(minutes=9)), (0,)]


@pytest.mark.usefixtures("lasting_effects")
def test_progress_keeps_a_job_that_works_longer_than_its_lease(monkeypatch: pytest.MonkeyPatch, clock: StandingClock):
    def work(job: JobContext) -> None:
        add_effect(job.key, 1)
        for done in range(1, 11):
            clock.move(minutes=3)
            job.report_progress(done=done, total=10)
            assert claim_job_elsewhere_is_refused(clock)

    register(monkeypatch, work)
    job = make_job(kind="tests.mine", key="half an hour")

    assert run_job(job.pk, clock=clock) == JobState.DONE

    job.refresh_from_db()
    assert (job.attempts, job.progress_done, job.finished_at) == (1, 10, AT + timedelta(minutes=30))
    assert count_effects() == {"half an hour": 1}


def claim_job_elsewhere_is_refused(clock: StandingClock) -> bool:
    due = "SELECT count(*) FROM jobs_job WHERE lease_until <= %s"
    return ask_outside(due, clock()) == [(0,)]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_its_lease_hears_it_at_its_next_report(
    monkeypatch: pytest.MonkeyPatch, clock: StandingClock
):
    register(monkeypatch, lambda job: job.report_progress(done=1))
    job = make_job(kind="tests.mine")
    slow = claim_job(job.pk, at=AT)
    assert slow is not None
    clock.move(minutes=5)
    claim_job(job.pk, at=clock())

    with pytest.raises(LeaseLost, match=f"job {job.pk} is no longer ours"):
        perform_job(slow, clock=clock)

    job.refresh_from_db()
    assert (job.state, job.progress_done, job.lease_until) == ("running", 0, AT + timedelta(minutes=10))


@pytest.mark.django_db(transaction=True)
def test_progress_survives_a_failure_and_starts_anew_with_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch, clock: StandingClock
):
    def work(job: JobContext) -> None:
        job.report_progress(done=7, total=10)
        raise RuntimeError

    register(monkeypatch, work)
    job = make_job(kind="tests.mine")
    run_job(job.pk, clock=clock)
    job.refresh_from_db()
    assert (job.state, job.progress_done, job.progress_total) == ("queued", 7, 10)

    claim_job(job.pk, at=AT + timedelta(hours=1))
    job.refresh_from_db()
    assert (job.state, job.progress_done, job.progress_total) == ("running", 0, None)


def test_reporting_a_million_times_does_not_write_a_million_times(
    clock: StandingClock, monkeypatch: pytest.MonkeyPatch
):
    report = make_reporter(clock)
    written: list[int] = []
    monkeypatch.setattr(report, "write", lambda done, total, lease_until: written.append(done))

    for done in range(1, 1_001):
        clock.move(milliseconds=10)
        report(done, 1_000)

    assert written == [1, 101, 201, 301, 401, 501, 601, 701, 801, 901, 1_000]


@pytest.mark.parametrize(("done", "total"), [(-1, 10), (1, -10)])
def test_numbers_that_are_no_progress_are_refused(clock: StandingClock, done: int, total: int):
    report = make_reporter(clock)

    with pytest.raises(ValueError, match=f"progress cannot be {done} of {total}"):
        report(done, total)
