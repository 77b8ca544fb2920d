"""An account whose usage goes out to the simulator's meters, at a moment in January."""

from datetime import datetime

from billing.models import StripeMeterEvent
from billing.stripe.usage.collecting import collect_usage
from tests.billing.makers import HOUR, JAN, use
from tests.billing.stripe.usage.makers import MINUTE, SEEN, make_connected, tell_stripe

TEN = datetime(2026, 1, 5, 10, tzinfo=JAN.tzinfo)
NOW = TEN + HOUR + SEEN
EVENTS = "/v1/billing/meter_events"


def begin(simulator, settings, *, sizes=(100, 250), at=NOW, **terms):
    """A period whose first hour of usage is queued, with the simulator's clock at that moment."""
    settings.STRIPE_METER_EVENT_RATE = 1_000
    period = make_connected(**terms)
    tell_stripe(simulator, period, at=at)
    use("acme", sizes=sizes, time=TEN + MINUTE)
    collect_usage(at)
    return period


def count_states():
    states = list(StripeMeterEvent.objects.values_list("state", flat=True))
    return {state: states.count(state) for state in sorted(set(states))}
