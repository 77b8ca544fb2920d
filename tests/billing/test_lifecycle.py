"""Trial, pause, end. January has 31 days, and the fee is a euro for each."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import invariants, invoicing, lifecycle, subscriptions, switching
from billing.lifecycle import MOVES, UnknownSubscription
from billing.models import InvoiceItem, Period, Subscription, SubscriptionChange, SubscriptionState
from billing.parts import MoveRefused
from billing.plans import PeriodTerms, PlanLimitTerms
from billing.rating import flat_fee, per_unit
from metering.limits import read_limits
from tests.billing.makers import FEB, HOUR, JAN, MAR, make_plan, make_subscription, use
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
JAN_21 = datetime(2026, 1, 21, tzinfo=UTC)
DAY = timedelta(days=1)


def make_daily(*, trial_days=0):
    prices = [
        flat_fee("Base fee", Decimal("31.00")),
        per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.10")),
    ]
    limits = [PlanLimitTerms("requests", Decimal(50))]
    plan = make_plan(prices=prices, limits=limits, periods=PeriodTerms(trial_days=trial_days))
    return Subscription.objects.get(pk=make_subscription(plan=plan).id)


def list_bounds():
    return list(Period.objects.order_by("starts_at").values_list("starts_at", "ends_at", "is_free"))


def bill_all(at):
    ended = Period.objects.filter(ends_at__lte=at, is_free=False).order_by("starts_at")
    return [invoicing.close_period(each.pk, at=at).total_minor for each in ended]


def list_moves():
    return list(SubscriptionChange.objects.values_list("move", "at"))


def test_cancelled_now_the_period_ends_and_the_unused_part_of_its_fee_is_given_back():
    subscription = make_daily()
    use("acme", sizes=[1] * 4, time=JAN)
    for at in (JAN_11, JAN_21):
        lifecycle.cancel(subscription.pk, at=at)
    subscription.refresh_from_db()
    assert (subscription.state, subscription.ended_at) == ("ended", JAN_11)
    assert (list_bounds(), read_limits(account_id=subscription.account_id, at=JAN_11)) == ([(JAN, JAN_11, False)], [])
    assert (bill_all(JAN_21), list_moves()[1:]) == ([1_000 + 40], [("ended", JAN_11)])
    assert subscriptions.open_next_periods(MAR) == 0
    assert list(invariants.check()) == []


def test_what_cancelling_gives_back_is_known_before():
    subscription = make_daily()
    preview = switching.preview_cancel(subscription.pk, at=JAN_11)
    assert (preview.net_minor, InvoiceItem.objects.count()) == (-2_100, 0)


def test_cancelled_at_the_end_nothing_is_given_back_and_no_period_follows():
    subscription = make_daily()
    subscriptions.open_next_periods(FEB - HOUR)
    for _ in range(2):
        assert lifecycle.cancel_at_end(subscription.pk, at=FEB - HOUR) == FEB
    assert (subscriptions.open_next_periods(FEB + DAY), list_bounds()) == (0, [(JAN, FEB, False)])
    assert (lifecycle.settle_due(FEB - HOUR), lifecycle.settle_due(FEB + DAY), lifecycle.settle_due(FEB + DAY)) == (
        0,
        1,
        0,
    )
    subscription.refresh_from_db()
    assert (subscription.state, subscription.ended_at) == ("ended", FEB)
    assert (bill_all(FEB + DAY), InvoiceItem.objects.count()) == ([3_100], 0)
    assert list(invariants.check()) == []


def test_a_planned_end_can_be_undone_until_it_has_come():
    subscription = make_daily()
    lifecycle.cancel_at_end(subscription.pk, at=JAN_11)
    for _ in range(2):
        lifecycle.undo_cancel(subscription.pk, at=JAN_21)
    assert (subscriptions.open_next_periods(FEB), lifecycle.settle_due(FEB)) == (1, 0)
    assert [move for move, _ in list_moves()] == ["created", "end_planned", "end_undone"]


def test_an_account_may_subscribe_again_after_the_end():
    subscription = make_daily()
    lifecycle.cancel(subscription.pk, at=JAN_11)
    again = subscriptions.create_subscription(
        account_id=subscription.account_id, plan_slug="growth", started_at=JAN_21, at=JAN_21
    )
    assert subscriptions.read_subscription(account_id=subscription.account_id, at=JAN_21) == again
    assert list(invariants.check()) == []


def test_a_pause_bills_nothing_and_the_fee_only_what_is_outside_of_it():
    subscription = make_daily()
    for at in (JAN_11, JAN_11 + HOUR):
        lifecycle.pause(subscription.pk, at=at)
    use("acme", sizes=[1] * 4, time=JAN_11 + DAY)
    assert (subscriptions.open_next_periods(JAN_21), list_bounds()) == (0, [(JAN, JAN_11, False)])
    for at in (JAN_21, JAN_21 + HOUR):
        lifecycle.resume(subscription.pk, at=at)
    assert list_bounds() == [(JAN, JAN_11, False), (JAN_21, FEB, False)]
    assert bill_all(FEB) == [1_000, 1_100]
    assert [move for move, _ in list_moves()] == ["created", "paused", "resumed"]
    assert list(invariants.check()) == []


@pytest.mark.parametrize(("used_at", "due"), [(JAN_11 - HOUR, [1_040]), (JAN_11, [1_000])])
def test_what_is_used_in_the_moment_of_a_pause_is_billed_to_nobody(used_at, due):
    subscription = make_daily()
    use("acme", sizes=[1] * 4, time=used_at)
    lifecycle.pause(subscription.pk, at=JAN_11)
    assert bill_all(FEB) == due


def test_a_gap_that_no_pause_explains_is_a_violation():
    subscription = make_daily()
    lifecycle.pause(subscription.pk, at=JAN_11)
    lifecycle.resume(subscription.pk, at=JAN_21)
    Period.objects.filter(starts_at=JAN_21).update(starts_at=JAN_21 + HOUR)
    assert [each.rule for each in invariants.check()] == ["periods follow one another from the start"]


def test_a_pause_may_end_with_the_subscription():
    subscription = make_daily()
    lifecycle.pause(subscription.pk, at=JAN_11)
    lifecycle.cancel(subscription.pk, at=JAN_21)
    subscription.refresh_from_db()
    assert (subscription.state, subscription.ended_at, bill_all(FEB)) == ("ended", JAN_21, [1_000])


def test_the_clock_ends_a_trial_once():
    subscription = make_daily(trial_days=10)
    assert (lifecycle.settle_due(JAN_11 - HOUR), lifecycle.settle_due(JAN_11 + HOUR), lifecycle.settle_due(FEB)) == (
        0,
        1,
        0,
    )
    subscription.refresh_from_db()
    assert (subscription.state, list_moves()[1:]) == ("active", [("trial_ended", JAN_11)])
    subscriptions.open_next_periods(JAN_11)
    assert (list_bounds(), bill_all(FEB)) == ([(JAN, JAN_11, True), (JAN_11, FEB, False)], [3_100])


def test_a_trial_ended_by_hand_is_billed_from_that_moment():
    subscription = make_daily(trial_days=20)
    for at in (JAN_11, JAN_11 + HOUR):
        lifecycle.end_trial(subscription.pk, at=at)
    assert list_bounds() == [(JAN, JAN_11, True), (JAN_11, FEB, False)]
    assert (lifecycle.settle_due(FEB), list_moves()[1:]) == (0, [("trial_ended", JAN_11)])
    assert list(invariants.check()) == []


def test_a_trial_cancelled_costs_nothing():
    subscription = make_daily(trial_days=20)
    use("acme", sizes=[1], time=JAN)
    lifecycle.cancel(subscription.pk, at=JAN_11)
    assert (list_bounds(), InvoiceItem.objects.count()) == ([(JAN, JAN_11, True)], 0)
    assert invoicing.close_period(Period.objects.get().pk, at=FEB) is None
    assert list(invariants.check()) == []


def test_another_plan_on_trial_goes_on_with_the_trial():
    subscription = make_daily(trial_days=20)
    make_plan("scale", prices=[flat_fee("Base fee", Decimal(310))], limits=[])
    switching.change_plan(subscription.pk, "scale", at=JAN_11)
    assert (list_bounds(), InvoiceItem.objects.count()) == ([(JAN, JAN_11, True), (JAN_11, JAN_21, True)], 0)


@pytest.mark.parametrize("state", list(SubscriptionState))
def test_every_state_says_what_may_follow_and_the_end_is_final(state):
    assert MOVES[state] <= set(SubscriptionState) - {state}
    assert bool(MOVES[state]) == (state != SubscriptionState.ENDED)


def test_moves_that_the_table_does_not_have_are_refused_and_change_nothing():
    subscription = make_daily()
    lifecycle.cancel(subscription.pk, at=JAN_11)
    before = list_moves()
    for move in (lifecycle.pause, lifecycle.resume, lifecycle.end_trial, lifecycle.cancel_at_end):
        with pytest.raises(MoveRefused):
            move(subscription.pk, at=JAN_21)
    assert list_moves() == before
    with pytest.raises(UnknownSubscription):
        lifecycle.pause(subscription.pk + 1, at=JAN_21)


def test_the_database_refuses_a_trial_without_an_end():
    subscription = make_daily()
    with pytest.raises(IntegrityError, match="subscription_trial_has_an_end"), transaction.atomic():
        Subscription.objects.filter(pk=subscription.pk).update(state="trialing")


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_a_pause_at_once_end_it_once():
    subscription = make_daily()
    results = run_together(
        lambda: lifecycle.pause(subscription.pk, at=JAN_11), *[lambda: lifecycle.cancel(subscription.pk, at=JAN_11)] * 3
    )
    assert {type(each).__name__ for each in results} <= {"NoneType", "MoveRefused"}
    subscription.refresh_from_db()
    assert (subscription.state, InvoiceItem.objects.count(), bill_all(FEB)) == ("ended", 1, [1_000])
    assert list(invariants.check()) == []
