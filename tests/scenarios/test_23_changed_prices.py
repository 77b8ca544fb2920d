"""23: prices change within a period. Each part is rated by its own, and what was foreseen is what is billed."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import switching
from billing.models import Invoice
from billing.previews import preview_period
from billing.rating import per_unit
from tests.billing.makers import make_meters, make_plan, use
from tests.billing.stripe.makers import DEC, NOV_10, list_subscriptions, make_mirrored, tell_catalogue
from tests.scenarios.beat import live_at
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def price(amount: str) -> list:
    make_meters()
    return [per_unit("Requests", meter_key="requests", unit_amount=Decimal(amount))]


def test_scenario_23_usage_is_split_where_the_price_changed(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator, plan=make_plan(prices=price("0.10"), limits=[]))
    make_plan("cheaper", prices=price("0.07"), limits=[])
    tell_catalogue(NOV_10)
    live_at(simulator, NOV_10 + HOUR)
    use("acme", sizes=[1] * 10, time=NOV_10 + 2 * HOUR)
    change = NOV_10 + 5 * DAY
    live_at(simulator, NOV_10 + 4 * HOUR, change)
    switching.change_plan(subscription.id, "cheaper", at=change)
    live_at(simulator, change)
    use("acme", sizes=[1] * 10, time=change + HOUR)
    live_at(simulator, change + 3 * HOUR)
    foreseen = preview_period(account_id=subscription.account_id, at=DEC - HOUR)
    live_at(simulator, DEC + timedelta(minutes=5), DEC + 2 * HOUR)
    assert [each.due_minor for each in Invoice.objects.order_by("period_start")] == [100, 70]
    assert foreseen.total_minor == 70
    assert [each.status for each in list_subscriptions(simulator)] == ["canceled", "active"]
    asked = [each.total for each in simulator.client().v1.invoices.list({"limit": 100}).data]
    assert sorted(asked)[-2:] == [70, 100]
    assert sum(asked) == 170


def test_scenario_23_what_stripe_draws_because_it_learnt_of_a_change_too_late_is_asked_of_nobody(
    simulator: SimulatorClient,
) -> None:
    subscription = make_mirrored(simulator, plan=make_plan(prices=price("0.10"), limits=[]))
    make_plan("cheaper", prices=price("0.07"), limits=[])
    tell_catalogue(NOV_10)
    live_at(simulator, NOV_10 + HOUR)
    use("acme", sizes=[1] * 10, time=NOV_10 + 2 * HOUR)
    live_at(simulator, NOV_10 + 4 * HOUR)
    switching.change_plan(subscription.id, "cheaper", at=DEC - HOUR)  # and every worker is down until the month is over
    live_at(simulator, DEC + HOUR / 2, DEC + 3 * HOUR)
    theirs = simulator.client().v1.invoices.list({"limit": 100}).data
    assert [(each.status, each.total) for each in theirs if each.billing_reason == "subscription_cycle"] == [
        ("void", 100)
    ]
    assert sum(each.total for each in theirs if each.status != "void") == 100
    assert sum(each.due_minor for each in Invoice.objects.all()) == 100
