"""Stripe may tell of an object before the transaction that stores its id has committed."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from billing.models import StripeCursor, StripeEvent, StripeEventState
from billing.stripe.inbox import NotYet, handlers
from tests.billing.threads import run_together
from tests.scenarios.webhooks import KIND, tell, work

pytestmark = pytest.mark.django_db(transaction=True)


def test_scenario_15_an_event_about_a_row_that_is_not_committed_is_handled_once_it_is(handled, monkeypatch):
    def look(event, at):
        if not StripeCursor.objects.filter(name=event.object_id).exists():
            raise NotYet("The object's row is not there.")
        handled.append(event.stripe_id)

    monkeypatch.setitem(handlers.HANDLERS, KIND, look)
    now = timezone.now()
    with transaction.atomic():
        StripeCursor.objects.create(name="in_1", reached_at=now)  # our own step, which has not committed
        [answer, state] = run_together(tell, lambda: None)
        [state] = run_together(lambda: work(at=now + timedelta(seconds=1)))
        assert (answer, state) == (200, "queued")
    assert handled == []
    assert work(at=now + timedelta(minutes=2)) == "done"
    assert handled == ["evt_1"]
    assert StripeEvent.objects.get().state == StripeEventState.HANDLED
