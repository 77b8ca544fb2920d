"""What somebody did in Stripe's dashboard, found on its lists."""

from datetime import timedelta

import pytest

from billing.models import StripeDrift
from billing.stripe.reconciling.running import reconcile
from tests.billing.makers import BASE_FEE, make_plan
from tests.billing.stripe.makers import NOV_10, list_subscriptions, make_mirrored
from tests.scenarios.beat import live_at

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def look(at):
    return {(drift.kind, drift.theirs) for drift in reconcile(at, since=NOV_10 - HOUR).open}


@pytest.fixture
def mirrored(simulator):
    subscription = make_mirrored(simulator, plan=make_plan(prices=[BASE_FEE], limits=()))
    live_at(simulator, NOV_10 + HOUR)
    return subscription


def test_a_subscription_that_was_ended_there_is_found(simulator, mirrored):
    assert look(NOV_10 + HOUR) == set()
    [theirs] = list_subscriptions(simulator)
    simulator.client().v1.subscriptions.cancel(theirs.id)
    assert look(NOV_10 + 3 * HOUR) == {("subscription", "ended, or is gone")}
    drift = StripeDrift.objects.get()
    assert (drift.key, drift.account_id) == (f"{mirrored.id} {theirs.id}", mirrored.account_id)
