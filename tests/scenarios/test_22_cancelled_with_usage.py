"""22: a subscription ends within its period, with usage on no invoice. Palier asks it, Stripe's meters do not."""

from datetime import timedelta

import pytest

from billing import lifecycle
from billing.models import Invoice, Period
from billing.stripe.modes import Mode, choose_modes
from tests.billing.makers import BANDWIDTH, BASE_FEE, make_plan, use
from tests.billing.stripe.makers import DEC, NOV_10, list_subscriptions, make_mirrored
from tests.scenarios.beat import live_at
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GIGABYTE = 10**9


def test_scenario_22_what_was_used_before_the_end_is_asked_once(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator, plan=make_plan(prices=[BANDWIDTH], limits=[]))
    live_at(simulator, NOV_10 + HOUR)
    use("acme", sizes=[50 * GIGABYTE], time=NOV_10 + 2 * HOUR)
    live_at(simulator, NOV_10 + 4 * HOUR)
    end = NOV_10 + 5 * DAY
    simulator.set_time(end)
    lifecycle.cancel(subscription.id, at=end)
    live_at(simulator, end, end + 3 * HOUR, DEC + 3 * HOUR)
    [made] = list_subscriptions(simulator)
    assert made.status == "canceled"
    period = Period.objects.get()
    assert set(choose_modes(period).values()) == {Mode.LINES}
    invoice = Invoice.objects.get()
    assert (period.ends_at, invoice.due_minor) == (end, 450)  # 50 GB at 0.00000000009
    asked = [each.total for each in simulator.client().v1.invoices.list({"limit": 100}).data]
    assert sorted(asked) == [0] * (len(asked) - 1) + [450]


def test_scenario_22_the_last_period_of_a_subscription_for_which_stripe_draws_nothing_is_asked_by_a_draft_of_ours(
    simulator: SimulatorClient,
) -> None:
    subscription = make_mirrored(simulator, plan=make_plan(prices=[BASE_FEE], limits=[]))
    live_at(simulator, NOV_10 + HOUR)
    lifecycle.cancel_at_end(subscription.id, at=NOV_10 + 2 * HOUR)
    live_at(simulator, NOV_10 + 3 * HOUR, DEC + HOUR / 2, DEC + 3 * HOUR, DEC + 6 * HOUR)
    assert [made.status for made in list_subscriptions(simulator)] == ["canceled"]
    assert [each.total for each in simulator.client().v1.invoices.list({"limit": 100}).data if each.total] == [49_00]
