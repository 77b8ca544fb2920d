from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from jobs import backoff, handlers
from jobs.handlers import Handler, HandlerFunction, JobContext
from jobs.models import Job, JobState
from jobs.queue import enqueue
from jobs.runner import LeaseLost, claim_job, perform_job, record_failure, run_job
from tests.jobs.makers import AT, StandingClock, add_effect, count_effects, make_job

Register = Callable[[HandlerFunction], None]


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Makes a function the handler of `tests.mine`, with a lease of five minutes and three attempts."""

    def register(function: HandlerFunction) -> None:
        monkeypatch.setitem(handlers.HANDLERS, "tests.mine", Handler("tests.mine", timedelta(minutes=5), 3, function))

    return register


def fail(job: JobContext) -> None:
    add_effect(job.key, 1)
    raise RuntimeError("the well is dry")


@pytest.mark.usefixtures("effects")
def test_a_due_job_is_done_once_and_says_so(clock: StandingClock):
    job = make_job(key="account 1", error="an old failure")

    assert run_job(job.pk, clock=clock) == JobState.DONE
    assert run_job(job.pk, clock=clock) is None

    job.refresh_from_db()
    assert (job.state, job.attempts, job.started_at, job.finished_at) == ("done", 1, AT, AT)
    assert (job.lease_token, job.lease_until, job.error) == (None, None, "")
    assert count_effects() == {"account 1": 1}


@pytest.mark.django_db
def test_a_handler_is_told_what_it_does(does: Register, clock: StandingClock):
    told: list[JobContext] = []
    does(told.append)
    enqueue("tests.mine", "account 1", {"month": "2026-10"}, at=AT)
    job = Job.objects.get()

    run_job(job.pk, clock=clock)

    assert told == [JobContext(job.pk, "tests.mine", "account 1", {"month": "2026-10"}, 1, AT)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"state": "queued", "run_at": AT + timedelta(seconds=1)},
        {"state": "running", "lease_until": AT + timedelta(seconds=1)},
        {"state": "done"},
        {"state": "dead"},
    ],
)
def test_a_job_that_is_not_due_or_held_or_finished_is_left_alone(fields: dict[str, object], clock: StandingClock):
    job = make_job(**fields)

    assert run_job(job.pk, clock=clock) is None

    assert Job.objects.get().state == fields["state"]


@pytest.mark.django_db
def test_a_job_that_is_not_there_is_nothing_to_do(clock: StandingClock):
    assert run_job(404, clock=clock) is None


@pytest.mark.django_db
def test_a_claim_takes_a_lease_as_long_as_the_handler_asks_for(does: Register):
    does(lambda job: None)
    job = make_job(kind="tests.mine")

    claim = claim_job(job.pk, at=AT)

    job.refresh_from_db()
    assert claim is not None
    assert (job.state, job.attempts, job.lease_until) == ("running", 1, AT + timedelta(minutes=5))
    assert job.lease_token == claim.token


@pytest.mark.usefixtures("effects")
def test_a_failure_undoes_the_effect_and_queues_the_job_for_later(
    does: Register, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backoff.random, "random", lambda: 0.5)
    does(fail)
    job = make_job(kind="tests.mine", max_attempts=3)

    assert run_job(job.pk, clock=clock) == JobState.QUEUED

    job.refresh_from_db()
    assert (job.state, job.attempts, job.run_at) == ("queued", 1, AT + timedelta(seconds=5))
    assert job.error.endswith("RuntimeError: the well is dry\n")
    assert count_effects() == {}


@pytest.mark.django_db
def test_the_wait_counts_from_the_failure_and_not_from_the_start(
    does: Register, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backoff.random, "random", lambda: 0.5)

    def fail_late(job: JobContext) -> None:
        clock.move(minutes=4)
        raise RuntimeError

    does(fail_late)
    job = make_job(kind="tests.mine")
    run_job(job.pk, clock=clock)

    job.refresh_from_db()
    assert job.run_at == AT + timedelta(minutes=4, seconds=5)


@pytest.mark.usefixtures("effects")
def test_after_its_last_attempt_a_job_is_dead_and_says_why(does: Register, clock: StandingClock):
    does(fail)
    job = make_job(kind="tests.mine", max_attempts=3)

    states = []
    for _ in range(4):
        states.append(run_job(job.pk, clock=clock))
        clock.move(hours=1)

    job.refresh_from_db()
    assert states == ["queued", "queued", "dead", None]
    assert (job.state, job.attempts, job.finished_at) == ("dead", 3, AT + timedelta(hours=2))
    assert "the well is dry" in job.error


@pytest.mark.django_db
def test_a_job_whose_worker_vanished_is_taken_over(clock: StandingClock, does: Register):
    attempts: list[int] = []
    does(lambda job: attempts.append(job.attempt))
    job = make_job(kind="tests.mine", state="running", lease_until=AT)

    assert run_job(job.pk, clock=clock) == JobState.DONE

    assert attempts == [2]


@pytest.mark.django_db
def test_a_job_whose_last_attempt_vanished_is_dead_and_not_tried_for_ever(clock: StandingClock):
    job = make_job(state="running", attempts=10, lease_until=AT)

    assert run_job(job.pk, clock=clock) is None

    job.refresh_from_db()
    assert (job.state, job.attempts, job.finished_at) == ("dead", 10, AT)
    assert job.error == "Attempt 10 of 10 vanished: its lease ran out at 2026-11-02 09:00:00+00:00."


@pytest.mark.django_db
def test_a_kind_that_this_worker_does_not_know_is_a_failure_that_is_recorded(clock: StandingClock):
    job = make_job(kind="tests.of_tomorrow")

    assert run_job(job.pk, clock=clock) == JobState.QUEUED

    assert "no handler is registered for jobs of kind 'tests.of_tomorrow'" in Job.objects.get().error


@pytest.mark.django_db
def test_an_error_that_is_no_clean_text_is_recorded_all_the_same(
    does: Register, clock: StandingClock, caplog: pytest.LogCaptureFixture
):
    def fail_badly(job: JobContext) -> None:
        raise ValueError("nul \x00 and half a \ud83d pair" + "x" * 100)

    does(fail_badly)
    job = make_job(kind="tests.mine")
    with caplog.at_level("CRITICAL", logger="jobs.runner"):  # such text cannot leave a process of a parallel run
        run_job(job.pk, clock=clock)

    job.refresh_from_db()
    assert "nul \\x00 and half a \\ud83d pair" in job.error


@pytest.mark.usefixtures("lasting_effects")
def test_a_handler_that_breaks_its_transaction_fails_like_any_other(does: Register, clock: StandingClock):
    def break_connection(job: JobContext) -> None:
        add_effect(job.key, 1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    does(break_connection)
    job = make_job(kind="tests.mine")

    assert run_job(job.pk, clock=clock) == JobState.QUEUED

    assert "terminating connection" in Job.objects.get().error
    assert count_effects() == {}


@pytest.mark.usefixtures("lasting_effects")
def test_what_fails_after_the_commit_does_not_undo_or_repeat_the_job(does: Register, clock: StandingClock):
    def raise_late() -> None:
        raise RuntimeError("too late")

    def fail_after_commit(job: JobContext) -> None:
        add_effect(job.key, 1)
        transaction.on_commit(raise_late)

    does(fail_after_commit)
    job = make_job(kind="tests.mine", key="account 1")
    run_job(job.pk, clock=clock)
    clock.move(hours=1)
    run_job(job.pk, clock=clock)

    assert Job.objects.get().state == JobState.DONE
    assert count_effects() == {"account 1": 1}


@pytest.mark.usefixtures("effects")
def test_a_worker_that_lost_its_lease_cannot_commit(clock: StandingClock):
    job = make_job(kind="tests.count", key="account 1")
    slow = claim_job(job.pk, at=AT)
    assert slow is not None
    clock.move(minutes=5)
    assert run_job(job.pk, clock=clock) == JobState.DONE

    with pytest.raises(LeaseLost, match=f"job {job.pk} is no longer ours"):
        perform_job(slow, clock=clock)

    assert count_effects() == {"account 1": 1}
    assert Job.objects.get().attempts == 2


@pytest.mark.usefixtures("effects")
def test_without_the_token_a_worker_that_lost_its_lease_does_it_twice(
    clock: StandingClock, monkeypatch: pytest.MonkeyPatch
):
    """The negative control: the same story with a finish that does not look at the token."""
    monkeypatch.setattr("jobs.runner.release_job", lambda claim, **changes: None)
    job = make_job(kind="tests.count", key="account 1")
    slow = claim_job(job.pk, at=AT)
    assert slow is not None
    clock.move(minutes=5)
    run_job(job.pk, clock=clock)

    perform_job(slow, clock=clock)

    assert count_effects() == {"account 1": 2}


@pytest.mark.django_db
def test_a_worker_that_lost_its_lease_cannot_record_a_failure(clock: StandingClock):
    job = make_job(key="account 1")
    slow = claim_job(job.pk, at=AT)
    assert slow is not None
    claim_job(job.pk, at=AT + timedelta(minutes=5))

    assert record_failure(slow, RuntimeError("late"), at=AT) is None

    job.refresh_from_db()
    assert (job.state, job.attempts) == ("running", 2)
    assert "late" not in job.error


@pytest.mark.django_db(transaction=True)
def test_a_claim_inside_somebody_elses_transaction_is_refused():
    """It would not be committed before the handler runs."""
    job = make_job()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim_job(job.pk, at=AT)


@pytest.mark.django_db
def test_what_a_handler_promises_is_there_exactly_when_its_job_is_done(does: Register, clock: StandingClock):
    def promise_and_fail_at_first(job: JobContext) -> None:
        enqueue("tests.count", f"attempt {job.attempt}", at=job.at)
        if job.attempt == 1:
            raise RuntimeError

    does(promise_and_fail_at_first)
    job = make_job(kind="tests.mine")
    run_job(job.pk, clock=clock)
    clock.move(hours=1)
    run_job(job.pk, clock=clock)

    assert list(Job.objects.exclude(pk=job.pk).values_list("key", flat=True)) == ["attempt 2"]
