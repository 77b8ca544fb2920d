"""Stripe takes one call at a time of a customer and meter: workers beside one another never make two."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.models import StripeMeterEvent
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.transports import Fate, send_one
from tests.billing.makers import HOUR, use
from tests.billing.stripe.usage.makers import MINUTE, read_stripe, send_all
from tests.billing.threads import run_together
from tests.scenarios.usage import EVENTS, NOW, TEN, begin, count_states

pytestmark = pytest.mark.django_db(transaction=True)


def begin_hours(simulator, settings):
    """Four hours of one customer and two meters, all due; each call takes a while, and the limits are on."""
    period = begin(simulator, settings)
    for number in range(1, 4):
        use("acme", sizes=[1], time=TEN + number * HOUR)
    collect_usage(NOW + 3 * HOUR)
    simulator.set_time(NOW + 3 * HOUR)
    simulator.set_limits("on")
    simulator.fault("hold_inside", EVENTS, times=100, seconds=0.05)
    return period


def test_scenario_07_workers_at_once_make_one_call_at_a_time(simulator, settings):
    period = begin_hours(simulator, settings)
    at = NOW + 3 * HOUR
    run_together(*[lambda: send_all(at)] * 3)
    send_all(at)
    assert count_states() == {"accepted": 8}
    assert simulator.limits()["violations"] == {}
    assert simulator.limits()["calls"][f"POST {EVENTS}"] == 8
    assert read_stripe(simulator, period) == 5


def test_scenario_07_control_calls_at_once_are_refused_and_lose_nothing(simulator, settings):
    period = begin_hours(simulator, settings)
    events = list(StripeMeterEvent.objects.filter(event_name="palier_requests"))
    client = simulator.client()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda event: send_one(client, event, api="v1"), events))
    refused = [outcome for outcome in outcomes if outcome.fate is Fate.BUSY]
    assert refused
    assert simulator.limits()["violations"]["meter_concurrency"] == len(refused)
    at = NOW + 3 * HOUR
    for minutes in range(3):
        send_all(at + minutes * MINUTE)
    assert count_states() == {"accepted": 8}
    assert read_stripe(simulator, period) == 5
