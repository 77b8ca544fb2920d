from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import Plan
from billing.periods import Interval
from billing.plan_changes import compare_plans
from billing.plans import PeriodTerms, add_version, publish_version
from billing.previews import NotSubscribed
from billing.rating import flat_fee, per_unit
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_account, make_plan, make_subscription, use

pytestmark = pytest.mark.django_db

MAR_11 = MAR + timedelta(days=10)


def make_plans():
    small = make_plan(
        "small", rank=1, prices=[per_unit("R", meter_key="requests", unit_amount=Decimal("0.10"))], limits=()
    )
    large = make_plan("large", rank=2, prices=[flat_fee("Fee", Decimal(5))], limits=())
    return small, large


def test_the_period_under_way_and_real_past_ones_are_told_on_every_plan():
    small, _ = make_plans()
    subscription = make_subscription(plan=small, at=MAR_11)
    use("acme", sizes=[1] * 80, time=MID_JAN)
    use("acme", sizes=[1] * 30, time=MAR + HOUR)
    costs = compare_plans(account_id=subscription.account_id, at=MAR_11)
    shown = [
        (
            cost.terms.slug,
            cost.is_current,
            cost.so_far.total_minor,
            cost.at_close.total_minor,
            [(each.start, each.total_minor) for each in cost.past],
        )
        for cost in costs
    ]
    assert shown == [
        ("small", True, 300, 930, [(JAN, 800), (FEB, 0)]),
        ("large", False, 500, 500, [(JAN, 500), (FEB, 500)]),
    ]
    assert {(cost.so_far.start, cost.so_far.end) for cost in costs} == {
        (subscription.period_start, subscription.period_end)
    }


def test_the_account_stays_on_its_own_version():
    small, _ = make_plans()
    subscription = make_subscription(plan=small, at=MAR_11)
    plan = Plan.objects.get(slug="small")
    publish_version(add_version(plan_id=plan.pk, currency="EUR", prices=[flat_fee("F", Decimal(9))]), at=MAR_11)
    costs = compare_plans(account_id=subscription.account_id, at=MAR_11)
    assert [(cost.terms.slug, cost.terms.version_number) for cost in costs] == [("small", 1), ("large", 1)]


def test_a_plan_with_other_periods_is_marked():
    small, _ = make_plans()
    make_plan(
        "yearly", rank=3, prices=[flat_fee("F", Decimal(99))], limits=(), periods=PeriodTerms(interval=Interval.YEAR)
    )
    subscription = make_subscription(plan=small, at=MAR_11)
    costs = compare_plans(account_id=subscription.account_id, at=MAR_11)
    assert [(cost.terms.slug, cost.is_comparable) for cost in costs] == [
        ("small", True),
        ("large", True),
        ("yearly", False),
    ]


def test_what_no_invoice_can_hold_is_not_told():
    small, _ = make_plans()
    make_plan("bytes", rank=3, prices=[per_unit("B", meter_key="bandwidth", unit_amount=Decimal(10))], limits=())
    subscription = make_subscription(plan=small, at=FEB)
    use("acme", sizes=[10**15], time=MID_JAN)
    cost = compare_plans(account_id=subscription.account_id, at=FEB)[2]
    assert (cost.so_far.total_minor, cost.past[0].total_minor) == (0, None)


def test_without_a_subscription_nothing_is_compared():
    with pytest.raises(NotSubscribed):
        compare_plans(account_id=make_account().id, at=MAR_11)
