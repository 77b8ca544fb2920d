from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing import switching
from billing.invoicing import close_period
from billing.models import StripeDrift, StripeMeterEvent, StripeMode, StripeTally
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.flushing import Flushed, flush_period
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_plan, send, use
from tests.billing.stripe.usage.makers import (
    BANDWIDTH,
    BASE_FEE,
    MINUTE,
    SEEN,
    make_connected,
    make_level,
    read_stripe,
    tell_stripe,
)

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 1, 5, 10, tzinfo=JAN.tzinfo)
CLOSED = FEB + HOUR


@pytest.fixture
def period(simulator, settings):
    settings.STRIPE_METER_EVENT_RATE = 1_000
    period = make_connected()
    tell_stripe(simulator, period, at=CLOSED)
    return period


def test_all_usage_of_a_closed_period_is_out_and_accepted(period, simulator):
    use("acme", sizes=[100, 250], time=TEN)
    use("acme", sizes=[1], time=FEB - MINUTE)
    close_period(period.pk, at=CLOSED)
    assert flush_period(period.pk, CLOSED) == Flushed(True, 0, 0)
    assert read_stripe(simulator, period) == 3
    assert read_stripe(simulator, period, meter="bandwidth") == 351
    assert set(StripeTally.objects.values_list("closed_at", flat=True)) == {CLOSED}


def test_flushing_again_sends_nothing(period, simulator):
    use("acme", sizes=[1], time=TEN)
    close_period(period.pk, at=CLOSED)
    flush_period(period.pk, CLOSED)
    calls = simulator.limits()["calls"]
    assert flush_period(period.pk, CLOSED + HOUR) == Flushed(True, 0, 0)
    assert simulator.limits()["calls"] == calls


def test_what_is_counted_between_the_close_and_the_flush_does_not_go_out(period, simulator):
    use("acme", sizes=[1], time=TEN)
    close_period(period.pk, at=CLOSED)
    use("acme", sizes=[1, 1], time=TEN, at=CLOSED)
    assert flush_period(period.pk, CLOSED) == Flushed(True, 0, 0)
    assert read_stripe(simulator, period) == 1


def test_what_is_taken_back_in_between_is_billed_as_the_invoice_says(period, simulator):
    use("acme", sizes=[1, 1], time=TEN)
    collect_usage(TEN + HOUR + SEEN)
    use("acme", sizes=[1], time=TEN, at=FEB)
    close_period(period.pk, at=CLOSED)
    assert flush_period(period.pk, CLOSED).is_complete
    assert read_stripe(simulator, period) == 3


def test_it_is_not_complete_while_something_waits_or_failed(period, simulator):
    use("acme", sizes=[1], time=TEN)
    close_period(period.pk, at=CLOSED)
    simulator.fault("rate_limit", "/v1/billing/meter_events")
    assert flush_period(period.pk, CLOSED) == Flushed(False, 1, 0)
    assert flush_period(period.pk, CLOSED + MINUTE) == Flushed(True, 0, 0)


def test_what_failed_keeps_it_from_being_complete(period, simulator):
    use("acme", sizes=[1], time=TEN)
    close_period(period.pk, at=CLOSED)
    client = simulator.client().v1.billing.meters
    for meter in client.list().data:
        client.deactivate(meter.id)
    assert flush_period(period.pk, CLOSED) == Flushed(False, 0, 2)
    assert StripeTally.objects.filter(closed_at__isnull=True).count() == 2


def test_a_period_without_usage_is_complete_and_decided(period):
    close_period(period.pk, at=CLOSED)
    assert flush_period(period.pk, CLOSED) == Flushed(True, 0, 0)
    assert set(StripeMode.objects.values_list("mode", flat=True)) == {"meters"}
    assert not StripeMeterEvent.objects.exists()


def test_a_period_that_was_never_in_stripe_is_charged_by_lines(period):
    period.subscription.stripe_subscriptions.all().delete()
    use("acme", sizes=[1], time=TEN)
    close_period(period.pk, at=CLOSED)
    assert flush_period(period.pk, CLOSED) == Flushed(True, 0, 0)
    assert set(StripeMode.objects.values_list("mode", "reason")) == {("lines", "unmirrored")}


def test_of_a_cut_period_nothing_more_is_told(period):
    make_plan("scale", prices=[BASE_FEE, BANDWIDTH], limits=[])
    use("acme", sizes=[1], time=TEN)
    collect_usage(TEN + HOUR + SEEN)
    switching.change_plan(period.subscription_id, "scale", at=MID_JAN)
    use("acme", sizes=[1], time=MID_JAN - HOUR)
    close_period(period.pk, at=CLOSED)
    assert flush_period(period.pk, CLOSED) == Flushed(True, 0, 0)
    assert set(StripeMode.objects.filter(period=period).values_list("mode", "reason")) == {("lines", "cut")}
    assert StripeMeterEvent.objects.count() == 2


def test_the_last_value_is_what_the_invoice_bills(simulator, settings):
    settings.STRIPE_METER_EVENT_RATE = 1_000
    period = make_connected(prices=[BASE_FEE, make_level()])
    tell_stripe(simulator, period, at=CLOSED)
    send("acme", "seats.set", (TEN, {"count": 5}), (TEN + HOUR, {"count": 8}))
    close_period(period.pk, at=CLOSED)
    assert flush_period(period.pk, CLOSED).is_complete
    assert read_stripe(simulator, period, meter="seats") == 8


def test_usage_too_old_for_its_own_hour_goes_with_the_last_one_of_its_period(period, simulator):
    use("acme", sizes=[100], time=TEN)
    late = TEN + timedelta(days=40)
    simulator.set_time(late)
    close_period(period.pk, at=late)
    assert flush_period(period.pk, late).is_complete
    event = StripeMeterEvent.objects.get(event_name="palier_requests")
    assert (event.starts_at, event.value) == (FEB - HOUR, Decimal(1))
    assert read_stripe(simulator, period) == 1


def test_usage_of_a_period_that_is_too_old_altogether_is_charged_by_lines(period):
    use("acme", sizes=[100], time=TEN)
    late = FEB + timedelta(days=40)
    close_period(period.pk, at=late)
    assert flush_period(period.pk, late) == Flushed(True, 0, 0)
    assert set(StripeMode.objects.values_list("mode", "reason")) == {("lines", "too_old")}


def test_where_some_of_it_was_told_already_staff_is(period, simulator):
    use("acme", sizes=[100], time=TEN)
    collect_usage(TEN + HOUR + SEEN)
    use("acme", sizes=[100], time=TEN, at=FEB)
    StripeMeterEvent.objects.update(state="accepted", accepted_at=FEB)
    late = FEB + timedelta(days=40)
    close_period(period.pk, at=late)
    assert flush_period(period.pk, late) == Flushed(False, 0, 0, unsent=2)
    drifts = StripeDrift.objects.filter(kind="usage_unsent")
    assert {(each.ours, each.theirs) for each in drifts} == {("2", "1"), ("200", "100")}
