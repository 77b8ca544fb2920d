"""What somebody does in Stripe's Dashboard is a drift, not followed; and repaired when somebody says so."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.models import Period, StripeCustomer, StripeDrift, StripeEvent, StripeSubscription
from billing.stripe.customers import read_customer
from billing.stripe.inbox import NotOurs, NotYet
from billing.stripe.mirroring.watching import check_customer, check_subscription, mirror_anew
from billing.stripe.subscriptions import find_mirror
from tests.billing.stripe.makers import DEC, NOV_10, keep_card, list_subscriptions, make_mirrored, pass_time
from tests.scenarios.beat import live_at
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def check(at: datetime = NOV_10) -> StripeSubscription:
    row = StripeSubscription.objects.get()
    check_subscription(str(row.stripe_id), at=at)
    row.refresh_from_db()
    return row


def list_drifts() -> list[tuple[str, str, str]]:
    return list(StripeDrift.objects.filter(kind="subscription").values_list("state", "ours", "theirs"))


def test_a_subscription_that_is_as_it_was_told_is_no_drift(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    assert (check().status, list_drifts()) == ("active", [])


def test_one_that_was_ended_there_is_a_drift_and_its_period_is_asked_by_lines(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    simulator.client().v1.subscriptions.cancel(str(StripeSubscription.objects.get().stripe_id))
    row = check()
    [(state, ours, theirs)] = list_drifts()
    assert (state, ours, theirs.startswith("ended 2026-11-10")) == ("open", "goes on", True)
    assert (row.status, row.closed_at) == ("canceled", None)
    found = find_mirror(Period.objects.get())
    assert found is not None
    assert (found.is_cycle, found.reason) == (False, "the subscription was ended in Stripe")


def test_mirrored_anew_it_begins_with_the_next_period(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    row = StripeSubscription.objects.get()
    with pytest.raises(ValueError, match="alive"):
        mirror_anew(row.pk, at=NOV_10)
    simulator.client().v1.subscriptions.cancel(str(row.stripe_id))
    check()
    for _ in range(2):
        mirror_anew(row.pk, at=NOV_10 + HOUR)
    assert [state for state, _, _ in list_drifts()] == ["repaired"]
    pass_time(simulator, NOV_10 + 2 * HOUR)
    assert len(list_subscriptions(simulator)) == 1
    pass_time(simulator, DEC + HOUR)
    assert [each.status for each in list_subscriptions(simulator)] == ["canceled", "active"]
    found = find_mirror(Period.objects.get(starts_at=DEC))
    assert found is not None
    assert found.is_cycle


def test_an_item_that_was_removed_charges_nothing_any_more(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    row = StripeSubscription.objects.get()
    price_id, item = next((int(key), item) for key, item in sorted(row.items.items(), reverse=True))
    simulator.client().v1.subscription_items.delete(item, {"proration_behavior": "none"})
    assert check().lost_items == [item]
    assert [(ours, theirs) for _, ours, theirs in list_drifts()] == [(f"item {item}", "removed")]
    found = find_mirror(Period.objects.get())
    assert found is not None
    assert price_id not in found.items


def test_a_quantity_that_was_changed_is_a_drift_until_it_is_put_back(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    client = simulator.client()
    row = StripeSubscription.objects.get()
    items = client.v1.subscriptions.retrieve(str(row.stripe_id))["items"].data
    [fee] = [each for each in items if each.price.recurring.usage_type == "licensed"]
    for quantity, state in ((3, "open"), (0, "repaired")):
        terms: Any = {"quantity": quantity, "proration_behavior": "none"}
        client.v1.subscription_items.update(fee.id, terms)
        check()
        assert [(each, ours, theirs) for each, ours, theirs in list_drifts()] == [
            (state, f"quantity 0 of {fee.id}", "quantity 3")
        ]


def test_an_end_and_a_collection_that_were_set_there_are_told_together(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    row = StripeSubscription.objects.get()
    simulator.client().v1.subscriptions.update(
        str(row.stripe_id), {"cancel_at": int(DEC.timestamp()), "days_until_due": 3}
    )
    check()
    [(_, ours, theirs)] = list_drifts()
    assert (ours, theirs) == ("ends never", "ends 2026-12-01 00:00:00+00:00")


def test_what_palier_did_not_make_is_none_of_its_business(simulator: SimulatorClient) -> None:
    make_mirrored(simulator)
    client, row = simulator.client(), StripeSubscription.objects.get()
    items: Any = [
        {"price": each.price.id, "quantity": 0}
        for each in client.v1.subscriptions.retrieve(str(row.stripe_id))["items"].data
        if each.price.recurring.usage_type == "licensed"
    ]
    other = client.v1.subscriptions.create({"customer": row.customer_id, "items": items})
    with pytest.raises(NotOurs):
        check_subscription(other.id, at=NOV_10)
    StripeSubscription.objects.update(stripe_id="sub_other")
    with pytest.raises(NotYet):
        check_subscription(str(row.stripe_id), at=NOV_10)
    with pytest.raises(NotOurs):
        check_customer("cus_unknown", at=NOV_10)


def test_what_stripe_tells_of_them_is_handled(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    keep_card(simulator, subscription.account_id, at=NOV_10)
    StripeCustomer.objects.update(payment_method_id="", card_brand="", card_last4="", card_expires=None)
    simulator.client().v1.subscriptions.cancel(str(StripeSubscription.objects.get().stripe_id))
    live_at(simulator, NOV_10 + HOUR)
    customer = read_customer(subscription.account_id)
    assert customer is not None
    assert customer.card is not None
    assert customer.card.last4 == "4242"
    assert [state for state, _, _ in list_drifts()] == ["open"]
    assert not StripeEvent.objects.filter(type__startswith="customer.", state="failed").exists()
