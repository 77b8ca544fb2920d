from typing import Any

import pytest

from billing import lifecycle
from billing.models import StripeCustomer, StripeMirroring
from billing.stripe.mirroring.promising import MIRROR_SUBSCRIPTION, promise_account, promise_moved
from billing.subscriptions import SubscriptionFact
from jobs.models import Job
from tests.billing.makers import JAN, MID_JAN, make_plan, make_subscription

pytestmark = pytest.mark.django_db


def connect(subscription: SubscriptionFact, **fields: Any) -> None:
    StripeCustomer.objects.create(account_id=subscription.account_id, asked_at=JAN, **({"stripe_id": "cus_1"} | fields))


def list_keys() -> list[str]:
    return list(Job.objects.filter(kind=MIRROR_SUBSCRIPTION).order_by("pk").values_list("key", flat=True))


def test_a_subscription_of_a_customer_is_promised_once() -> None:
    subscription = make_subscription()
    connect(subscription)
    assert promise_moved(JAN) == 1
    assert promise_moved(JAN) == 0
    assert list_keys() == [f"{subscription.id} 1"]


def test_each_move_is_one_more_errand() -> None:
    subscription = make_subscription()
    connect(subscription)
    promise_moved(JAN)
    lifecycle.pause(subscription.id, at=MID_JAN)
    lifecycle.resume(subscription.id, at=MID_JAN)
    assert promise_moved(MID_JAN) == 1
    assert promise_moved(MID_JAN) == 0
    assert list_keys() == [f"{subscription.id} 1", f"{subscription.id} 2"]


@pytest.mark.parametrize("fields", [{"stripe_id": None}, {"problem": "deleted", "problem_at": JAN}])
def test_nothing_is_promised_for_a_customer_that_nothing_may_be_told_about(fields: dict[str, Any]) -> None:
    connect(make_subscription(), **fields)
    assert promise_moved(JAN) == 0


def test_nothing_is_promised_for_an_account_that_was_never_connected() -> None:
    make_subscription()
    assert promise_moved(JAN) == 0


def test_one_with_a_problem_waits_for_somebody() -> None:
    subscription = make_subscription()
    connect(subscription)
    promise_moved(JAN)
    StripeMirroring.objects.update(problem="refused")
    lifecycle.pause(subscription.id, at=MID_JAN)
    assert promise_moved(MID_JAN) == 0
    assert promise_account(subscription.account_id, at=MID_JAN) == 1
    assert StripeMirroring.objects.get().problem == ""


@pytest.mark.parametrize("count", [1, 3])
def test_a_look_where_nothing_moved_costs_the_same_for_any_number(count: int, django_assert_num_queries: Any) -> None:
    plan = make_plan()
    for number in range(count):
        connect(make_subscription(f"acme-{number}", plan=plan), stripe_id=f"cus_{number}")
    promise_moved(JAN)
    with django_assert_num_queries(4):
        promise_moved(JAN)
