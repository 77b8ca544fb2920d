"""Stripe delivers at least once, and may deliver twice at the same moment."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import StripeEvent, StripeEventState
from tests.billing.threads import run_together
from tests.scenarios.webhooks import tell, without_unique_events, work

pytestmark = pytest.mark.django_db(transaction=True)


def test_scenario_13_an_event_told_four_times_at_once_is_kept_once_and_handled_once(handled):
    assert run_together(*[tell] * 4) == [200] * 4
    assert StripeEvent.objects.count() == 1
    later = timezone.now() + timedelta(seconds=1)
    states = run_together(*[lambda: work(at=later)] * 3)
    assert states.count("done") == 1
    assert handled == ["evt_1"]
    assert tell() == 200
    assert work(at=later) is None
    assert handled == ["evt_1"]
    assert StripeEvent.objects.get().state == StripeEventState.HANDLED


def test_scenario_13_control_without_the_index_it_is_kept_as_often_as_it_was_told(handled):
    with without_unique_events():
        assert run_together(*[tell] * 4) == [200] * 4
        assert StripeEvent.objects.count() == 4
