"""25: a customer is deleted in Stripe. Telling stops and says why, usage is kept, nothing is made anew by itself."""

from datetime import timedelta

import pytest

from billing.models import StripeCustomer, StripeDrift, StripeSubscription
from billing.profiles import set_profile
from billing.stripe.customers import connect_anew
from metering.usage import read_usage
from tests.billing.makers import use
from tests.billing.stripe.makers import DEC, NOV_10, list_subscriptions, make_mirrored
from tests.scenarios.beat import live_at
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_scenario_25_a_deleted_customer_stops_all_but_the_counting(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    customer = StripeCustomer.objects.get()
    live_at(simulator, NOV_10 + HOUR)
    simulator.client().v1.customers.delete(str(customer.stripe_id))
    set_profile(account_id=subscription.account_id, legal_name="Acme SARL")
    use("acme", sizes=[100, 100], time=NOV_10 + HOUR)
    live_at(simulator, NOV_10 + 2 * HOUR, NOV_10 + 6 * HOUR)
    customer.refresh_from_db()
    assert (customer.problem, customer.problem_detail) == ("deleted", f"{customer.stripe_id} is gone")
    assert StripeDrift.objects.filter(kind="customer", state="open").count() == 1
    assert simulator.client().v1.customers.list().data == []
    used = read_usage(account_id=subscription.account_id, meter_key="requests", start=NOV_10, end=DEC)
    assert used.quantity == 2


def test_scenario_25_connected_anew_the_next_period_is_mirrored_and_the_present_one_is_not(
    simulator: SimulatorClient,
) -> None:
    subscription = make_mirrored(simulator)
    first = StripeCustomer.objects.get().stripe_id
    live_at(simulator, NOV_10 + HOUR)
    simulator.client().v1.customers.delete(str(first))
    live_at(simulator, NOV_10 + 2 * HOUR)
    kinds = set(StripeDrift.objects.filter(state="open").values_list("kind", flat=True))
    assert kinds == {"customer", "subscription"}
    connect_anew(subscription.account_id, at=NOV_10 + 3 * HOUR)
    assert not StripeDrift.objects.filter(state="open").exists()
    live_at(simulator, NOV_10 + 3 * HOUR)
    customer = StripeCustomer.objects.get()
    assert (customer.problem, customer.former_ids) == ("", [first])
    assert [each.status for each in list_subscriptions(simulator)] == ["canceled"]
    live_at(simulator, DEC + HOUR)
    [made] = [each for each in list_subscriptions(simulator) if each.status == "active"]
    assert made.customer == customer.stripe_id != first
    assert list(StripeSubscription.objects.order_by("pk").values_list("customer_id", flat=True)) == [
        first,
        made.customer,
    ]
