"""A retry after Stripe forgot the identifier would count again: our own ledger decides, and the meter is asked."""

from datetime import timedelta

import pytest

from billing.models import StripeMeterEvent
from billing.stripe.usage.lookups import look_up_lost
from billing.stripe.usage.sending import Sent
from tests.billing.stripe.usage.makers import read_stripe, send_all
from tests.scenarios.usage import EVENTS, NOW, begin, count_states

pytestmark = pytest.mark.django_db

NEXT_DAY = NOW + timedelta(hours=25)


def test_scenario_02_what_was_accepted_is_never_sent_again(simulator, settings):
    period = begin(simulator, settings)
    send_all(NOW)
    simulator.set_time(NEXT_DAY)
    assert send_all(NEXT_DAY) == Sent()
    assert read_stripe(simulator, period) == 2


def test_scenario_02_what_is_not_known_after_a_day_is_looked_up_and_not_sent(simulator, settings):
    period = begin(simulator, settings)
    simulator.fault("drop_after", EVENTS, times=2)
    send_all(NOW)
    simulator.set_time(NEXT_DAY)
    assert send_all(NEXT_DAY) == Sent()
    look_up_lost(NEXT_DAY)
    assert count_states() == {"accepted": 2}
    assert read_stripe(simulator, period) == 2


def test_scenario_02_control_sent_again_it_would_count_twice(simulator, settings):
    period = begin(simulator, settings)
    simulator.fault("drop_after", EVENTS, times=2)
    send_all(NOW)
    simulator.set_time(NEXT_DAY)
    StripeMeterEvent.objects.update(unsure_since=None)  # as if nobody knew
    send_all(NEXT_DAY)
    assert read_stripe(simulator, period) == 4
