import socket
import time
from datetime import timedelta

import pytest
import redis
from django.db import IntegrityError, transaction

from jobs import handlers
from jobs.handlers import Handler, JobContext
from jobs.models import Job, JobState
from jobs.queue import (
    HandlerAlreadyRegistered,
    UnknownJob,
    UnknownJobKind,
    do_now,
    enqueue,
    errand,
    handler,
    read_dead,
    retry_dead,
)
from tests.jobs.conftest import PointToBroker
from tests.jobs.makers import AT, count_effects, make_job

QUEUE = "celery"


@pytest.mark.django_db
def test_a_promise_is_written_as_a_queued_row():
    assert enqueue("tests.count", "account 1", {"month": "2026-10"}, at=AT) is True

    job = Job.objects.get()
    assert (job.kind, job.key, job.payload, job.state) == ("tests.count", "account 1", {"month": "2026-10"}, "queued")
    assert (job.run_at, job.created_at, job.attempts, job.max_attempts) == (AT, AT, 0, 10)


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["queued", "running", "done", "dead"])
def test_the_same_kind_and_key_is_promised_once_whatever_became_of_it(state: str):
    job = make_job(key="account 1", state=state)

    assert enqueue("tests.count", "account 1", {"other": 1}, at=AT + timedelta(days=1)) is False

    assert list(Job.objects.values_list("pk", "state", "payload")) == [(job.pk, state, {})]


@pytest.mark.django_db
def test_the_same_key_of_another_kind_is_another_promise():
    enqueue("tests.count", "account 1", at=AT)

    assert enqueue("tests.hang_at_first", "account 1", at=AT) is True


@pytest.mark.django_db(transaction=True)
def test_a_promise_in_a_transaction_that_fails_leaves_nothing(valkey: redis.Redis):
    def promise_and_fail() -> None:
        with transaction.atomic():
            enqueue("tests.count", "account 1", at=AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        promise_and_fail()

    assert Job.objects.count() == 0
    assert valkey.llen(QUEUE) == 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_woken_after_the_commit_and_not_before(valkey: redis.Redis):
    with transaction.atomic():
        enqueue("tests.count", "account 1", at=AT)
        assert valkey.llen(QUEUE) == 0

    assert valkey.llen(QUEUE) == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_urgent_waits_in_a_queue_of_its_own(valkey: redis.Redis):
    enqueue("tests.hurry", "account 1", at=AT)

    assert (valkey.llen("urgent"), valkey.llen(QUEUE)) == (1, 0)


@pytest.mark.django_db
def test_a_promise_for_later_wakes_nobody_now(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        enqueue("tests.count", "account 1", at=AT, run_at=AT + timedelta(hours=1))

    assert Job.objects.get().run_at == AT + timedelta(hours=1)
    assert callbacks == []


@pytest.mark.django_db
def test_a_kind_that_nobody_does_is_refused():
    with pytest.raises(UnknownJobKind, match=r"no handler is registered for jobs of kind 'tests\.misspelt'"):
        enqueue("tests.misspelt", "1", at=AT)


@pytest.mark.django_db
def test_a_broker_that_is_down_does_not_trouble_who_promises(
    to_broker: PointToBroker, django_capture_on_commit_callbacks
):
    to_broker("unix:///nowhere/valkey.sock")

    before = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(100):
            enqueue("tests.count", f"account {number}", at=AT)

    assert Job.objects.filter(state=JobState.QUEUED).count() == 100
    assert time.monotonic() - before < 10


@pytest.mark.django_db
def test_a_broker_that_never_answers_costs_a_transaction_one_timeout(
    to_broker: PointToBroker, django_capture_on_commit_callbacks
):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to_broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", socket_timeout=0.5)
        before = time.monotonic()
        with django_capture_on_commit_callbacks(execute=True):
            for number in range(100):
                enqueue("tests.count", f"account {number}", at=AT)

    assert Job.objects.count() == 100
    assert 0.4 < time.monotonic() - before < 10  # a hundred timeouts would be fifty seconds


def do_nothing(job: JobContext) -> None:
    pass


def test_one_kind_has_one_handler(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handlers, "HANDLERS", {})
    handler("tests.mine", lease=timedelta(minutes=1), max_attempts=3)(do_nothing)
    handler("tests.mine", lease=timedelta(minutes=1), max_attempts=3)(do_nothing)  # a module imported again

    with pytest.raises(HandlerAlreadyRegistered, match=r"tests\.mine is already done by tests\.jobs\.test_queue"):
        handler("tests.mine")(lambda job: None)
    assert {"tests.mine": Handler("tests.mine", timedelta(minutes=1), 3, do_nothing)} == handlers.HANDLERS


@pytest.mark.parametrize("terms", [{"lease": timedelta(0)}, {"max_attempts": 0}])
def test_a_handler_without_time_or_attempts_is_refused(terms: dict[str, object]):
    with pytest.raises(ValueError, match="a lease above zero and at least one attempt"):
        handler("tests.mine", **terms)
    with pytest.raises(ValueError, match="a lease above zero and at least one attempt"):
        errand("tests.mine", **terms)


def test_a_handler_can_be_called_without_a_runner():
    JobContext(1, "tests.count", "1", {}, 1, AT).report_progress(done=1, total=2)


@pytest.mark.django_db
def test_a_dead_job_can_be_tried_again_with_fresh_attempts(django_capture_on_commit_callbacks):
    job = make_job(state="dead")

    with django_capture_on_commit_callbacks() as callbacks:
        assert retry_dead(job.pk, at=AT + timedelta(days=1)) is True

    assert len(callbacks) == 1
    job.refresh_from_db()
    assert (job.state, job.attempts, job.run_at, job.finished_at) == ("queued", 0, AT + timedelta(days=1), None)


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["queued", "running", "done"])
def test_a_job_that_is_not_dead_is_not_tried_again(state: str):
    job = make_job(state=state)

    assert retry_dead(job.pk, at=AT + timedelta(days=1)) is False

    job.refresh_from_db()
    assert (job.state, job.run_at) == (state, AT)


@pytest.mark.django_db
def test_an_unknown_job_cannot_be_tried_again():
    with pytest.raises(UnknownJob, match="there is no job 404"):
        retry_dead(404, at=AT)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"state": "running", "lease_token": None}, "job_has_a_lease_exactly_while_it_runs"),
        ({"state": "done", "finished_at": None}, "job_has_an_end_exactly_when_finished"),
        ({"state": "running", "attempts": 11}, "job_attempts_within_maximum"),
        ({"state": "queued", "attempts": 10}, "job_has_an_attempt_left_while_queued"),
        ({"state": "done", "attempts": 0}, "job_was_attempted_once_it_left_the_queue"),
        ({"state": "dead", "error": ""}, "job_says_why_it_is_dead"),
    ],
)
def test_the_database_refuses_a_row_that_makes_no_sense(fields: dict[str, object], constraint: str):
    with pytest.raises(IntegrityError, match=constraint):
        make_job(**fields)


@pytest.mark.django_db
def test_the_dead_among_some_jobs_say_why():
    for key, state in [("a", "dead"), ("b", "done"), ("c", "dead")]:
        make_job(key=key, state=state)
    Job.objects.filter(key="a").update(error="no attempt left")
    assert read_dead("tests.count", ["a", "b", "d"]) == {"a": "no attempt left"}
    assert read_dead("tests.other", ["a"]) == {}


def test_a_promised_job_can_be_done_here_and_now_once(effects: None):
    enqueue("tests.count", "account 1", at=AT)
    assert do_now("tests.count", "account 1", clock=lambda: AT) == "done"
    assert do_now("tests.count", "account 1", clock=lambda: AT) is None
    assert count_effects() == {"account 1": 1}


@pytest.mark.django_db
def test_what_was_not_promised_or_is_not_due_is_not_done_now():
    enqueue("tests.count", "later", at=AT, run_at=AT + timedelta(hours=1))
    assert do_now("tests.count", "later", clock=lambda: AT) is None
    assert do_now("tests.count", "never", clock=lambda: AT) is None
