from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from billing.models import StripeEvent, StripeEventOrigin, StripeEventState
from billing.stripe.inbox import NotOurs, NotYet, handlers
from billing.stripe.inbox.envelopes import read_envelope
from billing.stripe.inbox.handling import NothingToReplay, handle_event, mark_failed, replay_event
from billing.stripe.inbox.storing import HANDLE_EVENT, store_event
from jobs import queue
from jobs.models import Job
from jobs.runner import run_job
from tests.billing.stripe.inbox.bodies import write_event

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 2, 2, 3, tzinfo=UTC)


@pytest.fixture
def event(handled):
    store_event(read_envelope(write_event("evt_1", "test.done")), origin=StripeEventOrigin.WEBHOOK, at=AT)
    return StripeEvent.objects.get()


def work(key="evt_1 0", at=AT):
    """The state its job is left in."""
    return queue.do_now(HANDLE_EVENT, key, clock=lambda: at)


def read(event):
    event.refresh_from_db()
    return event.state, event.reason, event.handled_at


def answer(monkeypatch, function):
    monkeypatch.setitem(handlers.HANDLERS, "test.done", function)


def fail(error):
    def handler(event, at):
        raise error

    return handler


def test_it_is_handled_once(event, handled):
    assert work() == "done"
    assert handle_event(event.pk, at=AT) is None
    assert handled == ["evt_1"]
    assert read(event) == (StripeEventState.HANDLED, "", AT)


def test_what_its_handler_leaves_to_be_done_is_committed_with_the_mark_or_not_at_all(event, monkeypatch):
    def handler(event, at):
        assert not transaction.get_connection().in_atomic_block
        return lambda: done.append(transaction.get_connection().in_atomic_block) or 1 // left.pop()

    done, left = [], [1, 0]
    answer(monkeypatch, handler)
    assert work() == "queued"
    assert read(event)[0] == StripeEventState.RECEIVED
    run_job(Job.objects.get().pk, clock=lambda: AT.replace(hour=4))
    assert read(event)[0] == StripeEventState.HANDLED
    assert done == [True, True]


def test_what_is_not_ours_is_ignored_with_the_reason(event, monkeypatch):
    answer(monkeypatch, fail(NotOurs("A customer of another system.")))
    assert work() == "done"
    assert read(event) == (StripeEventState.IGNORED, "A customer of another system.", None)


def test_what_is_not_there_yet_is_tried_again(event, monkeypatch, handled):
    answer(monkeypatch, fail(NotYet("The invoice is not stored.")))
    assert work() == "queued"
    assert read(event)[0] == StripeEventState.RECEIVED
    answer(monkeypatch, lambda event, at: handled.append("later"))
    assert work(at=AT.replace(hour=4)) == "done"
    assert handled == ["later"]


def test_one_without_an_attempt_left_has_failed_and_says_why(event, monkeypatch):
    answer(monkeypatch, fail(ValueError("The total is odd.")))
    Job.objects.update(max_attempts=1)
    assert work() == "dead"
    assert (mark_failed(), mark_failed()) == (1, 0)
    assert read(event) == (StripeEventState.FAILED, "ValueError: The total is odd.", None)


@pytest.mark.parametrize("way", ["replay", "retry"])
def test_a_failed_one_is_handled_by_a_replay_or_by_its_job(event, monkeypatch, handled, way):
    answer(monkeypatch, fail(ValueError("Odd.")))
    Job.objects.update(max_attempts=1)
    work()
    mark_failed()
    answer(monkeypatch, lambda event, at: handled.append(way))
    if way == "replay":
        replay_event(event.pk, at=AT)
        work("evt_1 1")
    else:
        queue.retry_dead(Job.objects.get().pk, at=AT)
        work()
    assert read(event) == (StripeEventState.HANDLED, "", AT)
    assert handled == [way]


def test_a_handled_one_is_replayed_by_a_job_of_its_own(event, handled):
    work()
    replay_event(event.pk, at=AT)
    with pytest.raises(NothingToReplay, match=r"^evt_1 waits to be handled as it is\.$"):
        replay_event(event.pk, at=AT)
    work("evt_1 1")
    assert handled == ["evt_1", "evt_1"]
    assert read(event)[0] == StripeEventState.HANDLED


def test_its_body_never_changes(event):
    with pytest.raises(IntegrityError, match="as it came"), transaction.atomic():
        StripeEvent.objects.update(payload="{}")
    with pytest.raises(IntegrityError), transaction.atomic():
        event.delete()
