"""Events whose outcome nobody knows, a day later: the meter is asked, and nothing is sent blindly."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.models import StripeDrift, StripeMeterEvent
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.lookups import is_close, look_up_lost
from tests.billing.makers import HOUR, JAN, use
from tests.billing.stripe.usage.makers import MINUTE, SEEN, make_connected, read_stripe, send_all, tell_stripe

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 1, 5, 10, tzinfo=JAN.tzinfo)
NOW = TEN + HOUR + SEEN
LATER = NOW + timedelta(hours=23)
EVENTS = "/v1/billing/meter_events"


@pytest.fixture
def period(simulator, settings):
    settings.STRIPE_METER_EVENT_RATE = 1_000
    period = make_connected()
    tell_stripe(simulator, period, at=NOW)
    use("acme", sizes=[100, 250], time=TEN + MINUTE)
    collect_usage(NOW)
    return period


def find_states():
    return sorted(StripeMeterEvent.objects.values_list("state", "revision", "error_code"))


def test_what_is_there_is_accepted_without_being_sent_again(period, simulator):
    simulator.fault("drop_after", EVENTS, times=2)
    send_all(NOW)
    simulator.set_time(LATER)
    assert look_up_lost(LATER) == 2
    assert find_states() == [("accepted", 1, ""), ("accepted", 1, "")]
    assert read_stripe(simulator, period) == 2


def test_what_is_not_there_is_queued_anew_under_another_identifier(period, simulator):
    simulator.fault("drop_before", EVENTS, times=2)
    send_all(NOW)
    simulator.set_time(LATER)
    assert look_up_lost(LATER) == 2
    assert find_states() == [("failed", 1, "lost")] * 2 + [("queued", 2, "")] * 2
    send_all(LATER)
    assert read_stripe(simulator, period) == 2
    assert not StripeDrift.objects.exists()


def test_where_the_meter_says_something_else_staff_decides(period, simulator):
    simulator.fault("drop_before", EVENTS, times=2)
    send_all(NOW)
    simulator.set_time(LATER)
    event = StripeMeterEvent.objects.get(event_name="palier_requests")
    params = {"event_name": event.event_name, "timestamp": int(event.timestamp.timestamp())}
    payload = {"stripe_customer_id": event.customer_id, "value": "7"}
    simulator.client().v1.billing.meter_events.create(params | {"identifier": "foreign", "payload": payload})
    look_up_lost(LATER)
    event.refresh_from_db()
    assert (event.state, event.error_code) == ("failed", "unresolved")
    assert [drift.kind for drift in StripeDrift.objects.all()] == ["usage_failed"]


def test_nothing_is_looked_up_before_its_time(period, simulator):
    simulator.fault("drop_after", EVENTS, times=2)
    send_all(NOW)
    assert look_up_lost(LATER - MINUTE) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("3", "3", True), ("3", "4", False), ("123456789012345.0", "123456789012345", True), ("0.1", "0.2", False)],
)
def test_figures_are_compared_as_closely_as_floats_tell(one, other, same):
    assert is_close(Decimal(one), Decimal(other)) is same
