"""Usage that arrives after its invoice is final goes to no meter: it becomes an item of the next invoice."""

from datetime import timedelta

import pytest

from billing.invoicing import close_period
from billing.late.changes import collect_changes, enqueue_settlements
from billing.late.settling import settle_late
from billing.models import InvoiceItem, StripeMeterEvent
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.flushing import Flushed, flush_period
from tests.billing.makers import FEB, HOUR, use
from tests.billing.stripe.usage.makers import read_stripe
from tests.scenarios.usage import TEN, begin

pytestmark = pytest.mark.django_db


def test_scenario_04_late_usage_is_an_item_and_goes_to_no_meter(simulator, settings):
    period = begin(simulator, settings)
    simulator.set_time(FEB + HOUR)
    invoice = close_period(period.pk, at=FEB + HOUR)
    assert flush_period(period.pk, FEB + HOUR) == Flushed(True, 0, 0)
    told = StripeMeterEvent.objects.count()

    late = FEB + timedelta(days=2)
    use("acme", sizes=[1] * 500, time=TEN, at=late)
    assert collect_usage(late) == 0
    assert flush_period(period.pk, late) == Flushed(True, 0, 0)
    assert StripeMeterEvent.objects.count() == told
    assert read_stripe(simulator, period) == 2

    collect_changes(late)
    enqueue_settlements(late + timedelta(days=2))
    settle_late(invoice.id, at=late + timedelta(days=2))
    items = InvoiceItem.objects.filter(kind="late")
    assert [(item.amount_minor, item.withdrawn_at) for item in items] == [(100, None)]
