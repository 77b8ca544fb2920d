"""Usage is told with the time of its own hour: late, and across the end of its period, it stays in that."""

from datetime import timedelta

import pytest

from billing.invoicing import close_period
from billing.models import InvoiceLine, StripeMeterEvent
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.flushing import flush_period
from billing.subscriptions import open_next_periods
from tests.billing.makers import FEB, HOUR, MAR, use
from tests.billing.stripe.usage.makers import MINUTE, read_stripe, send_all
from tests.scenarios.usage import begin

pytestmark = pytest.mark.django_db


def test_scenario_03_usage_told_in_the_grace_stays_in_its_period(simulator, settings):
    period = begin(simulator, settings)
    open_next_periods(FEB)
    use("acme", sizes=[1, 1], time=FEB - MINUTE, at=FEB + 20 * MINUTE)
    use("acme", sizes=[1], time=FEB, at=FEB + 20 * MINUTE)
    simulator.set_time(FEB + HOUR)
    collect_usage(FEB + 30 * MINUTE)
    close_period(period.pk, at=FEB + HOUR)
    assert flush_period(period.pk, FEB + HOUR).is_complete
    collect_usage(FEB + 2 * HOUR)
    send_all(FEB + 2 * HOUR)
    assert read_stripe(simulator, period) == 4
    assert read_stripe(simulator, period, start=FEB, end=MAR) == 1
    assert InvoiceLine.objects.get(invoice__period=period, meter__key="requests").quantity == 4


def test_scenario_03_every_event_says_its_time_within_its_period(simulator, settings):
    period = begin(simulator, settings)
    use("acme", sizes=[1], time=FEB - timedelta(seconds=1))
    collect_usage(FEB)
    for event in StripeMeterEvent.objects.all():
        assert period.starts_at <= event.starts_at <= event.timestamp < event.ends_at <= period.ends_at


def test_scenario_03_control_without_a_time_it_would_be_of_the_next_period(simulator, settings):
    period = begin(simulator, settings)
    simulator.set_time(FEB + HOUR)
    event = StripeMeterEvent.objects.get(event_name="palier_requests")
    payload = {"stripe_customer_id": event.customer_id, "value": "2"}
    simulator.client().v1.billing.meter_events.create({"event_name": event.event_name, "payload": payload})
    assert read_stripe(simulator, period) == 0
    assert read_stripe(simulator, period, start=FEB, end=MAR) == 2
