"""Whoever works before answering is told again while at work. We answer first."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import StripeEvent, StripeEventState
from billing.stripe.inbox import handlers
from tests.scenarios.webhooks import KIND, tell, work

pytestmark = pytest.mark.django_db(transaction=True)


def test_scenario_16_stripe_is_answered_before_anything_is_done(handled):
    assert tell() == 200
    assert handled == []
    assert StripeEvent.objects.get().state == StripeEventState.RECEIVED


def test_scenario_16_what_is_told_again_while_it_is_being_handled_is_handled_once(handled, monkeypatch):
    def take_long(event, at):
        handled.append(event.stripe_id)
        assert tell() == 200  # Stripe did not hear our first answer
        assert work(at=at + timedelta(minutes=1)) is None  # and no second worker gets it

    monkeypatch.setitem(handlers.HANDLERS, KIND, take_long)
    tell()
    assert work(at=timezone.now() + timedelta(seconds=1)) == "done"
    assert handled == ["evt_1"]


def test_scenario_16_a_worker_that_dies_in_the_middle_leaves_it_to_the_next(handled, monkeypatch):
    def die(event, at):
        handled.append("died")
        raise SystemExit

    monkeypatch.setitem(handlers.HANDLERS, KIND, die)
    tell()
    now = timezone.now() + timedelta(seconds=1)
    with pytest.raises(SystemExit):
        work(at=now)
    monkeypatch.setitem(handlers.HANDLERS, KIND, lambda event, at: handled.append("done"))
    assert work(at=now + timedelta(minutes=6)) == "done"  # its lease is over
    assert handled == ["died", "done"]
    assert StripeEvent.objects.get().state == StripeEventState.HANDLED
