from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import invariants, invoicing, plans, previews, profiles, subscriptions
from billing.models import Invoice, Period, Plan, Subscription, SubscriptionChange
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms, PlanLimitTerms, UnknownPlan
from billing.rating import flat_fee
from billing.subscriptions import AlreadySubscribed, MeterTaken, StartsInFuture, SubscriptionFact
from metering.limits import read_limits
from tests.billing.makers import (
    BANDWIDTH,
    FEB,
    HOUR,
    JAN,
    MAR,
    MID_JAN,
    make_account,
    make_plan,
    make_subscription,
    use,
)
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def list_bounds(subscription):
    return list(
        Period.objects.filter(subscription_id=subscription.id).order_by("pk").values_list("starts_at", "ends_at")
    )


def test_the_first_period_runs_from_the_start_to_the_end_of_the_month():
    plan = make_plan(rank=7)
    subscription = make_subscription(plan=plan, started_at=MID_JAN)
    assert subscription == SubscriptionFact(
        id=subscription.id,
        account_id=subscription.account_id,
        plan_slug="growth",
        plan_name="Growth",
        version_id=plan.version_id,
        version_number=1,
        currency="EUR",
        time_zone="UTC",
        started_at=MID_JAN,
        period_id=Period.objects.get().pk,
        period_start=MID_JAN,
        period_end=FEB,
    )


def test_months_end_at_the_customers_midnight():
    subscription = make_subscription(time_zone="America/New_York", started_at=MID_JAN)
    assert subscription.period_end == datetime(2026, 2, 1, 5, tzinfo=UTC)


def test_a_start_in_the_past_opens_every_period_since_and_limits_only_what_goes_on():
    subscription = make_subscription(started_at=MID_JAN, at=MAR)
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert list_bounds(subscription) == [(MID_JAN, FEB), (FEB, MAR), (MAR, april)]
    assert (subscription.period_start, subscription.period_end) == (MAR, april)
    assert read_limits(account_id=subscription.account_id, at=MAR - HOUR) == []
    assert [limit.meter_key for limit in read_limits(account_id=subscription.account_id, at=MAR)] == [
        "bandwidth",
        "requests",
    ]


YEARLY = PeriodTerms(Interval.YEAR, Anchoring.ANNIVERSARY)


@pytest.mark.parametrize(
    ("periods", "bounds"),
    [
        (PeriodTerms(Interval.QUARTER), [(MID_JAN, datetime(2026, 4, 1, tzinfo=UTC))]),
        (PeriodTerms(Interval.HALF_YEAR), [(MID_JAN, datetime(2026, 7, 1, tzinfo=UTC))]),
        (YEARLY, [(MID_JAN, datetime(2027, 1, 15, 12, tzinfo=UTC))]),
        (
            PeriodTerms(Interval.MONTH, Anchoring.ANNIVERSARY),
            [(MID_JAN, datetime(2026, 2, 15, 12, tzinfo=UTC))],
        ),
        (
            PeriodTerms(Interval.WEEK),
            [
                (MID_JAN, datetime(2026, 1, 19, tzinfo=UTC)),
                (datetime(2026, 1, 19, tzinfo=UTC), datetime(2026, 1, 26, tzinfo=UTC)),
            ],
        ),
    ],
)
def test_periods_are_those_of_the_plan_version(periods, bounds):
    subscription = make_subscription(plan=make_plan(periods=periods), started_at=MID_JAN, at=MID_JAN + 5 * DAY)
    assert list_bounds(subscription) == bounds


def test_an_anchor_of_the_31st_survives_short_months_from_one_opening_to_the_next():
    last = datetime(2026, 1, 31, 9, tzinfo=UTC)
    monthly = make_plan(periods=PeriodTerms(Interval.MONTH, Anchoring.ANNIVERSARY))
    subscription = make_subscription(plan=monthly, started_at=last)
    for day in (27, 27 + 31, 27 + 61):
        subscriptions.open_next_periods(FEB + (day + 1) * DAY)
    starts = [start for start, _ in list_bounds(subscription)]
    assert [f"{start:%d %b %H}" for start in starts] == ["31 Jan 09", "28 Feb 09", "31 Mar 09", "30 Apr 09"]


def test_an_anchor_of_its_own_makes_the_first_period_partial():
    plan, account = make_plan(periods=PeriodTerms(Interval.MONTH, Anchoring.ANNIVERSARY)), make_account("acme")
    subscription = subscriptions.create_subscription(
        account_id=account.id,
        plan_slug=plan.slug,
        started_at=MID_JAN,
        anchor=datetime(2026, 1, 20, tzinfo=UTC),
        at=MID_JAN,
    )
    assert (subscription.period_start, subscription.period_end) == (MID_JAN, datetime(2026, 1, 20, tzinfo=UTC))


def test_many_accounts_are_subscribed_by_the_periods_of_the_version():
    plan = make_plan(periods=YEARLY)
    ids = [make_account(key).id for key in ("acme", "beta")]
    subscriptions.create_subscriptions(account_ids=ids, plan_slug=plan.slug, started_at=MID_JAN, at=FEB)
    for account_id in ids:
        subscription = subscriptions.read_subscription(account_id=account_id, at=FEB)
        assert subscription.period_end == datetime(2027, 1, 15, 12, tzinfo=UTC)


def test_limits_are_handed_over_with_what_was_used_before():
    plan = make_plan(limits=[PlanLimitTerms("requests", Decimal(10), is_hard=True)])
    account = make_account("acme")
    use("acme", sizes=[100, 200], time=MID_JAN)
    use("acme", sizes=[100], time=JAN - HOUR, at=JAN)
    subscriptions.create_subscription(account_id=account.id, plan_slug=plan.slug, started_at=JAN, at=MID_JAN)
    bandwidth, requests = read_limits(account_id=account.id, at=MID_JAN)
    assert (requests.used, requests.quantity, requests.is_hard) == (Decimal(2), Decimal(10), True)
    assert (requests.start, requests.resets_at) == (JAN, FEB)
    assert (bandwidth.used, bandwidth.quantity) == (Decimal(300), None)


def test_an_account_has_one_active_subscription():
    subscription = make_subscription()
    with pytest.raises(AlreadySubscribed):
        subscriptions.create_subscription(
            account_id=subscription.account_id, plan_slug="growth", started_at=JAN, at=JAN
        )
    assert Subscription.objects.count() == 1


def subscribe(account_id, slug):
    return subscriptions.create_subscription(account_id=account_id, plan_slug=slug, started_at=JAN, at=JAN)


def test_an_account_has_several_subscriptions_and_the_highest_plan_is_its_main_one():
    large = make_subscription(plan=make_plan("scale", rank=9_001))
    support = make_plan("support", rank=9_000, prices=[flat_fee("Support", Decimal(20))], limits=[])
    small = subscribe(large.account_id, support.slug)
    assert subscriptions.read_subscription(account_id=large.account_id, at=MID_JAN) == large
    assert [limit.meter_key for limit in read_limits(account_id=large.account_id, at=MID_JAN)] == [
        "bandwidth",
        "requests",
    ]
    totals = {each.subscription_id: invoicing.close_period(each.pk, at=FEB).total_minor for each in list_periods()}
    assert totals == {large.id: 4_900, small.id: 2_000}
    assert list(invariants.check()) == []


def list_periods():
    return Period.objects.order_by("pk")


def test_two_subscriptions_of_an_account_may_not_bill_the_same_meter():
    first = make_subscription()
    other = make_plan("storage", prices=[BANDWIDTH], limits=[])
    with pytest.raises(MeterTaken):
        subscribe(first.account_id, other.slug)
    assert Subscription.objects.count() == 1


def test_a_trial_is_a_free_period_and_billing_begins_with_its_end():
    plan = make_plan(periods=PeriodTerms(trial_days=14))
    subscription = make_subscription(plan=plan)
    use("acme", sizes=[100], time=MID_JAN - 2 * DAY)
    trial_end = datetime(2026, 1, 15, tzinfo=UTC)
    assert (subscription.state, subscription.is_free) == ("trialing", True)
    assert list_bounds(subscription) == [(JAN, trial_end)]
    subscriptions.open_next_periods(trial_end)
    assert list_bounds(subscription) == [(JAN, trial_end), (trial_end, FEB)]
    assert previews.preview_period(account_id=subscription.account_id, at=JAN).total_minor == 0
    assert invoicing.close_period(subscription.period_id, at=trial_end) is None
    assert invoicing.close_period(subscription.period_id, at=trial_end) is None
    assert not Invoice.objects.exists()
    assert list(invariants.check()) == []


def test_the_history_says_who_made_a_subscription_and_cannot_be_changed():
    make_subscription()
    change = SubscriptionChange.objects.get()
    assert (change.move, change.after, change.at, change.made_by) == ("created", "Growth v1, active", JAN, None)
    for spoil in (lambda: SubscriptionChange.objects.update(after="x"), SubscriptionChange.objects.all().delete):
        with pytest.raises(IntegrityError, match="is history"), transaction.atomic():
            spoil()


def test_a_refused_subscription_leaves_nothing():
    make_plan()
    account = make_account("acme")
    with pytest.raises(UnknownPlan, match="Known plans: growth"):
        subscriptions.create_subscription(account_id=account.id, plan_slug="gold", started_at=JAN, at=JAN)
    with pytest.raises(StartsInFuture):
        subscriptions.create_subscription(account_id=account.id, plan_slug="growth", started_at=FEB, at=JAN)
    assert not Subscription.objects.exists()


def test_subscribers_stay_on_the_version_they_chose():
    old = make_subscription("acme")
    plan_id = Plan.objects.get().pk
    plans.publish_version(
        plans.add_version(plan_id=plan_id, currency="EUR", prices=[flat_fee("Base fee", Decimal(59))]), at=JAN
    )
    new = make_subscription("beta", plan=plans.find_plan("growth"))
    assert subscriptions.read_subscription(account_id=old.account_id, at=JAN).version_number == 1
    assert new.version_number == 2


def test_a_subscription_is_read_with_the_period_of_that_time():
    subscription = make_subscription(started_at=MID_JAN, at=MAR)
    account_id = subscription.account_id
    assert subscriptions.read_subscription(account_id=account_id, at=MAR) == subscription
    earlier = subscriptions.read_subscription(account_id=account_id, at=MAR - timedelta(microseconds=1))
    assert (earlier.period_start, earlier.period_end) == (FEB, MAR)
    assert subscriptions.read_subscription(account_id=account_id, at=MID_JAN - HOUR) is None
    assert subscriptions.read_subscription(account_id=make_account("beta").id, at=MAR) is None


def test_the_next_period_is_opened_a_day_before_it_begins_with_its_limits():
    subscription = make_subscription(started_at=MID_JAN)
    assert subscriptions.open_next_periods(FEB - timedelta(days=1, microseconds=1)) == 0
    assert subscriptions.open_next_periods(FEB - timedelta(days=1)) == 1
    assert subscriptions.open_next_periods(FEB - timedelta(days=1)) == 0
    assert list_bounds(subscription) == [(MID_JAN, FEB), (FEB, MAR)]
    limits = read_limits(account_id=subscription.account_id, at=FEB)
    assert [(limit.meter_key, limit.quantity) for limit in limits] == [
        ("bandwidth", None),
        ("requests", Decimal(50_000)),
    ]


def test_after_a_long_stop_every_missed_period_is_opened():
    subscription = make_subscription(started_at=MID_JAN)
    assert subscriptions.open_next_periods(datetime(2026, 4, 10, tzinfo=UTC)) == 3
    assert list_bounds(subscription)[-1] == (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    assert read_limits(account_id=subscription.account_id, at=MAR) == []


def test_a_customer_who_moves_keeps_periods_without_gap_or_overlap():
    subscription = make_subscription(time_zone="Asia/Tokyo", started_at=MID_JAN)
    profiles.set_profile(account_id=subscription.account_id, legal_name="Acme", time_zone="America/Los_Angeles")
    subscriptions.open_next_periods(FEB)
    assert list_bounds(subscription) == [
        (MID_JAN, datetime(2026, 1, 31, 15, tzinfo=UTC)),
        (datetime(2026, 1, 31, 15, tzinfo=UTC), datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ]


def test_periods_of_a_subscription_cannot_overlap():
    subscription = make_subscription(started_at=MID_JAN)
    with pytest.raises(IntegrityError, match="periods_do_not_overlap"), transaction.atomic():
        Period.objects.create(
            subscription_id=subscription.id, version_id=subscription.version_id, starts_at=FEB - HOUR, ends_at=MAR
        )


def test_many_accounts_are_subscribed_at_once():
    plan = make_plan()
    ids = [make_account(key).id for key in ("acme", "beta", "gamma")]
    use("acme", sizes=[100], time=MID_JAN)
    alone = subscriptions.create_subscription(account_id=ids[0], plan_slug=plan.slug, started_at=JAN, at=FEB)
    both = {"account_ids": [*ids, 404], "plan_slug": plan.slug, "started_at": JAN, "at": FEB}
    assert subscriptions.create_subscriptions(**both) == 2
    assert subscriptions.create_subscriptions(**both) == 0
    others = [subscriptions.read_subscription(account_id=pk, at=FEB) for pk in ids[1:]]
    assert [(each.period_start, each.period_end, each.plan_slug) for each in others] == [(FEB, MAR, "growth")] * 2
    assert [list_bounds(each) for each in others] == [list_bounds(alone)] * 2
    assert [len(read_limits(account_id=pk, at=FEB)) for pk in ids] == [2, 2, 2]


def test_creating_a_subscription_costs_a_fixed_number_of_queries(django_assert_max_num_queries):
    plan = make_plan()
    account = make_account("acme")
    with django_assert_max_num_queries(25):
        subscriptions.create_subscription(account_id=account.id, plan_slug=plan.slug, started_at=JAN, at=JAN)


@pytest.mark.django_db(transaction=True)
def test_many_beats_open_each_next_period_once():
    plan = make_plan()
    for number in range(12):
        make_subscription(f"customer-{number}", plan=plan, started_at=MID_JAN)
    opened = run_together(*[lambda: subscriptions.open_next_periods(FEB)] * 4)
    assert sum(opened) + subscriptions.open_next_periods(FEB) == 12
    assert Period.objects.filter(starts_at=FEB, ends_at=MAR).count() == 12
    assert list(invariants.check()) == []


@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_two_beats_collide_and_the_constraint_stops_one():
    subscription = make_subscription(started_at=MID_JAN)
    add_period = lambda: Period.objects.create(  # noqa: E731
        subscription_id=subscription.id, version_id=subscription.version_id, starts_at=FEB, ends_at=MAR
    )
    results = run_together(add_period, add_period)
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "Period"]
