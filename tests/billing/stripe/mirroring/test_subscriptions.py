"""Stretches of subscriptions go out, and end as Palier's do."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing import lifecycle, switching
from billing.models import Period, Price, StripeCustomer, StripeDrift, StripeMirroring, StripeSubscription
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms
from billing.rating import PriceModel, flat_fee
from billing.stripe import client
from billing.stripe.errors import TryLater
from billing.stripe.mirroring import subscriptions as mirroring
from billing.stripe.mirroring.subscriptions import mirror_subscription
from billing.stripe.mirroring.watching import check_subscription
from billing.stripe.reconciling.calls import select_stuck
from billing.stripe.subscriptions import find_mirror
from billing.subscriptions import open_next_periods
from jobs.queue import Postponed
from tests.billing.makers import BANDWIDTH, make_plan, make_subscription
from tests.billing.stripe.makers import (
    DEC,
    JAN,
    NOV_10,
    connect,
    keep_card,
    list_subscriptions,
    make_mirrored,
    mirror_all,
    pass_time,
    tell_catalogue,
)
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
NOV_20 = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def cycle_of(stripes: Any) -> tuple[datetime, datetime]:
    item = stripes["items"].data[0]
    return tuple(datetime.fromtimestamp(each, UTC) for each in (item.current_period_start, item.current_period_end))


def test_a_stretch_is_one_subscription_with_the_periods_of_palier(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    [made] = list_subscriptions(simulator)
    assert (made.status, made.billing_cycle_anchor, made.cancel_at) == ("active", seconds(DEC), None)
    assert (made.collection_method, made.days_until_due) == ("send_invoice", 14)
    assert cycle_of(made) == (NOV_10, DEC)
    assert made.billing_mode.type == "flexible"
    [fee] = [each for each in made["items"].data if each.price.recurring.usage_type == "licensed"]
    assert fee.quantity == 0
    row = StripeSubscription.objects.get()
    fee_price = Price.objects.get(model=PriceModel.FLAT)
    assert (row.stripe_id, row.subscription_id, row.items[str(fee_price.pk)]) == (made.id, subscription.id, fee.id)
    found = find_mirror(Period.objects.earliest("starts_at"))
    assert found is not None
    assert (found.stripe_id, found.is_cycle, set(found.items.values())) == (
        made.id,
        True,
        {each.id for each in made["items"].data},
    )


def test_mirroring_twice_makes_nothing_new(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    for _ in range(2):
        mirror_subscription(subscription.id, at=NOV_10)
    assert len(list_subscriptions(simulator)) == StripeSubscription.objects.count() == 1


def test_a_stretch_that_is_told_late_is_backdated_to_its_start(simulator: SimulatorClient) -> None:
    subscription = make_subscription(started_at=NOV_10)
    simulator.set_time(NOV_20)
    tell_catalogue(NOV_20)
    connect(subscription.account_id, at=NOV_20)
    [made] = list_subscriptions(simulator)
    assert (made.start_date, cycle_of(made)) == (seconds(NOV_10), (NOV_10, DEC))
    found = find_mirror(Period.objects.get())
    assert found is not None
    assert found.is_cycle


def test_a_plan_without_a_fee_is_carried_by_nothing_that_costs(simulator: SimulatorClient) -> None:
    make_mirrored(simulator, plan=make_plan(prices=[BANDWIDTH]))
    [made] = list_subscriptions(simulator)
    assert "fee" in StripeSubscription.objects.get().items
    [carrier] = [each for each in made["items"].data if each.price.recurring.usage_type == "licensed"]
    assert (carrier.quantity, carrier.price.unit_amount) == (0, 0)


def test_a_plan_that_asks_nothing_and_an_account_never_connected_are_not_mirrored(simulator: SimulatorClient) -> None:
    make_mirrored(simulator, plan=make_plan("free", prices=[flat_fee("Free", Decimal(0))], limits=[]))
    make_subscription("other", started_at=NOV_10)
    mirror_all(NOV_10)
    assert list_subscriptions(simulator) == []


def test_a_free_period_is_a_trial(simulator: SimulatorClient) -> None:
    trial = PeriodTerms(Interval.MONTH, Anchoring.ANNIVERSARY, trial_days=7)
    make_mirrored(simulator, plan=make_plan(periods=trial))
    [made] = list_subscriptions(simulator)
    trial_end = NOV_10 + timedelta(days=7)
    assert (made.status, made.trial_end, cycle_of(made)) == ("trialing", seconds(trial_end), (NOV_10, trial_end))
    pass_time(simulator, trial_end + MINUTE)
    [made] = list_subscriptions(simulator)
    assert cycle_of(made) == (trial_end, trial_end.replace(month=12))
    paid = find_mirror(Period.objects.get(starts_at=trial_end))
    assert paid is not None
    assert (paid.is_cycle, paid.reason) == (True, "")


def test_an_end_that_is_planned_and_undone_is_told_both_times(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    for _ in range(2):
        lifecycle.cancel_at_end(subscription.id, at=NOV_20)
        mirror_all(NOV_20)
        assert list_subscriptions(simulator)[0].cancel_at == seconds(DEC)
        lifecycle.undo_cancel(subscription.id, at=NOV_20)
        mirror_all(NOV_20)
        assert list_subscriptions(simulator)[0].cancel_at is None


def test_a_planned_end_is_left_to_stripe_and_seen(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    lifecycle.cancel_at_end(subscription.id, at=NOV_20)
    pass_time(simulator, NOV_20)
    pass_time(simulator, DEC + MINUTE)
    [made] = list_subscriptions(simulator)
    row = StripeSubscription.objects.get()
    assert (made.status, made.ended_at) == ("canceled", seconds(DEC))
    assert (row.ends_at, row.closed_at, row.status) == (DEC, DEC + MINUTE, "canceled")


def test_a_plan_that_changes_with_the_period_follows_in_a_subscription_of_its_own(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    make_plan("scale", prices=[BANDWIDTH])
    tell_catalogue(NOV_10)
    switching.schedule_change(subscription.id, "scale", at=NOV_20)
    pass_time(simulator, NOV_20)
    pass_time(simulator, DEC + MINUTE)
    first, second = list_subscriptions(simulator)
    assert (first.status, second.status, cycle_of(second)) == ("canceled", "active", (DEC, JAN))
    found = find_mirror(Period.objects.get(starts_at=DEC))
    assert found is not None
    assert (found.stripe_id, found.is_cycle) == (second.id, True)


@pytest.mark.parametrize(
    ("cut", "statuses"),
    [
        (lambda pk: switching.change_plan(pk, "scale", at=NOV_20), ["canceled", "active"]),
        (lambda pk: lifecycle.pause(pk, at=NOV_20), ["canceled"]),
        (lambda pk: lifecycle.cancel(pk, at=NOV_20), ["canceled"]),
    ],
    ids=["another plan", "a pause", "the end"],
)
def test_a_cut_ends_the_subscription_without_an_invoice(
    simulator: SimulatorClient, cut: Callable[[int], None], statuses: list[str]
) -> None:
    subscription = make_mirrored(simulator)
    make_plan("scale", prices=[BANDWIDTH])
    tell_catalogue(NOV_10)
    simulator.set_time(NOV_20)
    cut(subscription.id)
    mirror_all(NOV_20)
    assert [each.status for each in list_subscriptions(simulator)] == statuses
    before = simulator.client().v1.invoices.list({"limit": 100}).data
    assert [each.total for each in before] == [0] * len(before)
    part = find_mirror(Period.objects.earliest("starts_at"))
    assert part is not None
    assert not part.is_cycle


def test_a_subscription_that_goes_on_after_a_pause_is_another_one(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    lifecycle.pause(subscription.id, at=NOV_20)
    pass_time(simulator, NOV_20)
    lifecycle.resume(subscription.id, at=NOV_20 + timedelta(days=3))
    pass_time(simulator, NOV_20 + timedelta(days=3))
    first, second = list_subscriptions(simulator)
    assert (first.status, second.status) == ("canceled", "active")
    assert cycle_of(second) == (NOV_20 + timedelta(days=3), DEC)


def test_what_is_due_is_collected_from_a_card_once_there_is_one(simulator: SimulatorClient) -> None:
    subscription = make_mirrored(simulator)
    keep_card(simulator, subscription.account_id, at=NOV_20)
    mirror_all(NOV_20)
    [made] = list_subscriptions(simulator)
    assert (made.collection_method, StripeSubscription.objects.get().collection_method) == (
        ("charge_automatically",) * 2
    )


@pytest.fixture
def no_network_retries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(client, "NETWORK_RETRIES", 0)
    client.build_client.cache_clear()
    yield
    client.build_client.cache_clear()


@pytest.mark.parametrize(
    ("lost", "is_heard_first"),
    [((), False), ((), True), (("drop_after",), False)],
    ids=["refused", "heard first", "refused, and the answer to the end was lost"],
)
def test_one_that_ended_as_planned_before_stripe_heard_that_it_goes_on_is_followed_by_another(
    simulator: SimulatorClient, no_network_retries: None, lost: tuple[str, ...], is_heard_first: bool
) -> None:
    subscription = make_mirrored(simulator)
    lifecycle.cancel_at_end(subscription.id, at=NOV_20)
    for kind in lost:
        simulator.fault(kind, "/v1/subscriptions/*", method="POST")
    mirror_all(NOV_20)
    lifecycle.undo_cancel(subscription.id, at=NOV_20 + MINUTE)
    simulator.fault("rate_limit", "/v1/subscriptions/*", method="POST")
    with pytest.raises(TryLater):
        mirror_subscription(subscription.id, at=NOV_20 + MINUTE)
    simulator.set_time(DEC + MINUTE)
    if is_heard_first:
        check_subscription(str(StripeSubscription.objects.get().stripe_id), at=DEC + MINUTE)
    pass_time(simulator, DEC + timedelta(hours=2))
    first, second = list_subscriptions(simulator)
    assert (first.status, second.status, cycle_of(second)) == ("canceled", "active", (DEC, JAN))
    before, after = (find_mirror(period) for period in Period.objects.order_by("starts_at"))
    assert before is not None
    assert after is not None
    assert (before.stripe_id, before.is_cycle) == (first.id, True)
    assert (after.stripe_id, after.is_cycle) == (second.id, True)
    assert not StripeDrift.objects.exists()
    assert not select_stuck(JAN).exists()


@pytest.mark.parametrize("step", ["note_created", "close"])
def test_a_death_after_a_call_is_made_good_by_the_next_attempt(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    subscription = make_subscription(started_at=NOV_10)
    simulator.set_time(NOV_10)
    tell_catalogue(NOV_10)

    def die(*_args: Any, **_named: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(mirroring, step, die)
        connect(subscription.account_id, at=NOV_10)
        lifecycle.cancel(subscription.id, at=NOV_20)
        mirror_all(NOV_20)
    mirror_subscription(subscription.id, at=NOV_20)
    [made] = list_subscriptions(simulator)
    row = StripeSubscription.objects.get()
    assert (made.status, row.stripe_id, row.ends_at, row.closed_at) == ("canceled", made.id, NOV_20, NOV_20)


def test_it_waits_for_the_catalogue(simulator: SimulatorClient) -> None:
    subscription = make_subscription(started_at=NOV_10)
    connect(subscription.account_id, at=NOV_10)
    with pytest.raises(Postponed, match="not told to Stripe yet"):
        mirror_subscription(subscription.id, at=NOV_10)
    assert list_subscriptions(simulator) == []


def test_what_stripe_refuses_stops_it_until_somebody_has_it_tried_again(simulator: SimulatorClient) -> None:
    subscription = make_subscription(started_at=NOV_10)
    simulator.set_time(NOV_10)
    tell_catalogue(NOV_10)
    connect(subscription.account_id, at=NOV_10)
    StripeSubscription.objects.update(stripe_id="sub_unknown")
    StripeCustomer.objects.update(payment_method_id="pm_gone")
    mirror_subscription(subscription.id, at=NOV_10)
    assert "sub_unknown" in StripeMirroring.objects.get().problem


def test_one_that_was_never_made_before_its_trial_ended_begins_with_the_period_after(
    simulator: SimulatorClient,
) -> None:
    trial = PeriodTerms(Interval.MONTH, Anchoring.CALENDAR, trial_days=7)
    subscription = make_subscription(plan=make_plan(periods=trial), started_at=NOV_10)
    simulator.set_time(NOV_10)
    connect(subscription.account_id, at=NOV_10)  # and the catalogue is not there yet
    trial_end = NOV_10 + timedelta(days=7)
    assert StripeSubscription.objects.get().stripe_id is None
    simulator.set_time(trial_end + MINUTE)
    lifecycle.settle_due(trial_end + MINUTE)
    open_next_periods(trial_end + MINUTE)
    tell_catalogue(trial_end + MINUTE)
    mirror_all(trial_end + MINUTE)
    [made] = list_subscriptions(simulator)
    assert (made.status, cycle_of(made)) == ("active", (trial_end, DEC))
    assert StripeSubscription.objects.get().starts_at == trial_end
