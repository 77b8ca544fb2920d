"""Work with other services: outside of a transaction, with an ending that is committed together with the mark."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from jobs import handlers
from jobs.handlers import ErrandFunction, Handler, JobContext, Postponed
from jobs.models import Job, JobState
from jobs.queue import do_now, enqueue, errand
from jobs.runner import LeaseLost, claim_job, perform_job, run_job
from tests.jobs.makers import AT, StandingClock, add_effect, count_effects, make_job

Register = Callable[[ErrandFunction], None]
LEASE = timedelta(minutes=5)


@pytest.fixture
def goes(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Makes a function the errand of `tests.mine`, with a lease of five minutes and three attempts."""

    def register(function: ErrandFunction) -> None:
        monkeypatch.setitem(handlers.HANDLERS, "tests.mine", Handler("tests.mine", LEASE, 3, function, is_errand=True))

    return register


@pytest.mark.usefixtures("lasting_effects")
def test_an_errand_runs_outside_of_a_transaction_and_its_ending_inside_of_one(goes: Register, clock: StandingClock):
    seen: list[bool] = []

    def go(job: JobContext) -> Callable[[], object]:
        seen.append(connection.in_atomic_block)
        return lambda: seen.append(connection.in_atomic_block)

    goes(go)
    job = make_job(kind="tests.mine")

    assert run_job(job.pk, clock=clock) == JobState.DONE
    assert seen == [False, True]


@pytest.mark.usefixtures("lasting_effects")
def test_an_errand_without_an_ending_is_marked_done_and_keeps_its_own_steps(goes: Register, clock: StandingClock):
    goes(lambda job: add_effect(job.key, 1))
    job = make_job(kind="tests.mine", key="account 1")

    assert run_job(job.pk, clock=clock) == JobState.DONE
    assert run_job(job.pk, clock=clock) is None
    assert count_effects() == {"account 1": 1}


@pytest.mark.usefixtures("lasting_effects")
def test_a_worker_that_dies_between_errand_and_ending_has_the_ending_done_once(goes: Register, clock: StandingClock):
    """The kill is a SystemExit, which nothing records: the row stays as a dead worker leaves it."""

    def go(job: JobContext) -> Callable[[], object]:
        add_effect(f"sent {job.key}", job.attempt)
        if job.attempt == 1:
            raise SystemExit
        return lambda: add_effect(f"ended {job.key}", job.attempt)

    goes(go)
    job = make_job(kind="tests.mine", key="1")

    with pytest.raises(SystemExit):
        run_job(job.pk, clock=clock)
    assert run_job(job.pk, clock=clock) is None  # its lease still runs
    clock.move(minutes=5)
    assert run_job(job.pk, clock=clock) == JobState.DONE

    assert count_effects() == {"sent 1": 2, "ended 1": 1}


@pytest.mark.usefixtures("lasting_effects")
def test_an_ending_that_fails_is_undone_and_the_job_tried_again(goes: Register, clock: StandingClock):
    def end(job: JobContext) -> None:
        add_effect("ended", job.attempt)
        if job.attempt == 1:
            raise RuntimeError("the well is dry")

    goes(lambda job: lambda: end(job))
    job = make_job(kind="tests.mine")

    assert run_job(job.pk, clock=clock) == JobState.QUEUED
    assert count_effects() == {}
    clock.move(hours=1)
    assert run_job(job.pk, clock=clock) == JobState.DONE
    assert count_effects() == {"ended": 1}


@pytest.mark.usefixtures("effects")
def test_an_errand_that_lost_its_lease_cannot_end(goes: Register, clock: StandingClock):
    goes(lambda job: lambda: add_effect("ended", job.attempt))
    job = make_job(kind="tests.mine")
    slow = claim_job(job.pk, at=AT)
    assert slow is not None
    clock.move(minutes=5)
    assert run_job(job.pk, clock=clock) == JobState.DONE

    with pytest.raises(LeaseLost):
        perform_job(slow, clock=clock)

    assert count_effects() == {"ended": 1}


@pytest.mark.django_db
def test_a_postponed_job_waits_until_then_and_keeps_its_attempts(goes: Register, clock: StandingClock):
    def wait(job: JobContext) -> None:
        raise Postponed(job.at + timedelta(hours=2), "the other side is busy")

    goes(wait)
    job = make_job(kind="tests.mine", max_attempts=1)

    assert run_job(job.pk, clock=clock) == JobState.QUEUED

    job.refresh_from_db()
    assert (job.state, job.attempts, job.run_at) == ("queued", 0, AT + timedelta(hours=2))
    assert (job.lease_token, job.finished_at, job.error) == (None, None, "the other side is busy")
    assert run_job(job.pk, clock=clock) is None
    clock.move(hours=2)
    goes(lambda job: None)
    assert run_job(job.pk, clock=clock) == JobState.DONE


@pytest.mark.usefixtures("effects")
def test_a_handler_that_is_postponed_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, clock: StandingClock):
    def wait(job: JobContext) -> None:
        add_effect(job.key, 1)
        raise Postponed(AT + timedelta(hours=2))

    monkeypatch.setitem(handlers.HANDLERS, "tests.mine", Handler("tests.mine", LEASE, 3, wait))

    assert run_job(make_job(kind="tests.mine").pk, clock=clock) == JobState.QUEUED
    assert count_effects() == {}


@pytest.mark.django_db
def test_who_lost_the_lease_cannot_postpone(goes: Register, clock: StandingClock):
    def wait_too_long(job: JobContext) -> None:
        if job.attempt == 1:
            clock.move(minutes=5)
            claim_job(job.id, at=clock())
        raise Postponed(clock.at + timedelta(days=1))

    goes(wait_too_long)
    job = make_job(kind="tests.mine")

    assert run_job(job.pk, clock=clock) is None

    job.refresh_from_db()
    assert (job.state, job.attempts) == ("running", 2)


@pytest.mark.django_db(transaction=True)
def test_an_errand_is_done_now_outside_of_a_transaction_only(goes: Register, clock: StandingClock):
    goes(lambda job: None)
    enqueue("tests.mine", "1", at=AT)

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        do_now("tests.mine", "1", clock=clock)
    assert do_now("tests.mine", "1", clock=clock) == "done"
    assert Job.objects.get().state == JobState.DONE


def test_an_errand_is_registered_as_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(handlers.HANDLERS, "tests.mine", raising=False)

    errand("tests.mine", lease=timedelta(minutes=1), max_attempts=4)(go_nowhere)

    found = handlers.HANDLERS.pop("tests.mine")
    assert (found.run, found.lease, found.max_attempts, found.is_errand) == (
        go_nowhere,
        timedelta(minutes=1),
        4,
        True,
    )


def go_nowhere(job: JobContext) -> None:
    pass
