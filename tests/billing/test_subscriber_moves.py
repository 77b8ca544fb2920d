from decimal import Decimal

import pytest

from billing import plans
from billing.lifecycle import pause
from billing.models import Plan, Subscription
from billing.rating import flat_fee
from billing.subscriber_moves import When, move_subscribers, preview_moves
from tests.billing.makers import FEB, JAN, MID_JAN, make_plan, make_subscription

pytestmark = pytest.mark.django_db


def make_dearer_version():
    draft = plans.add_version(
        plan_id=Plan.objects.get(slug="growth").pk, currency="EUR", prices=[flat_fee("Base fee", Decimal(59))]
    )
    return plans.publish_version(draft, at=MID_JAN)


@pytest.fixture
def old():
    """Two subscribers of the first version, a second one on offer."""
    plan = make_plan("growth", prices=[flat_fee("Base fee", Decimal(49))], limits=())
    for key in ("acme", "beta"):
        make_subscription(key, plan=plan, at=MID_JAN)
    make_dearer_version()
    return plan


def list_versions():
    return list(Subscription.objects.order_by("pk").values_list("version__number", "next_version__number"))


def test_a_preview_tells_who_moves_when_and_what_changes_and_writes_nothing(old):
    report = preview_moves(old.version_id, "growth", when=When.AT_END, at=MID_JAN)
    assert report.differences == ("± Base fee: €49.00 per period → €59.00 per period",)
    assert [(each.account_name, each.takes_effect_at, each.net_minor) for each in report.subscribers] == [
        ("acme Ltd", FEB, 0),
        ("beta Ltd", FEB, 0),
    ]
    assert list_versions() == [(1, None), (1, None)]


def test_at_the_end_of_the_period_a_change_is_planned_for_each(old):
    planned = move_subscribers(old.version_id, "growth", when=When.AT_END, at=MID_JAN)
    assert planned == preview_moves(old.version_id, "growth", when=When.AT_END, at=MID_JAN)
    assert list_versions() == [(1, 2), (1, 2)]
    assert move_subscribers(old.version_id, "growth", when=When.AT_END, at=MID_JAN) == planned


def test_now_each_is_moved_at_once_and_pays_what_was_told(old):
    told = preview_moves(old.version_id, "growth", when=When.NOW, at=MID_JAN)
    # Of January 33/62 are left at noon of the 15th: €31.40 for €26.08.
    assert [each.net_minor for each in told.subscribers] == [532, 532]
    assert move_subscribers(old.version_id, "growth", when=When.NOW, at=MID_JAN) == told
    assert list_versions() == [(2, None), (2, None)]
    assert move_subscribers(old.version_id, "growth", when=When.NOW, at=MID_JAN).subscribers == ()


def test_one_that_cannot_be_moved_is_told_and_stops_no_other(old):
    first = Subscription.objects.order_by("pk").first()
    pause(first.pk, at=MID_JAN)
    report = move_subscribers(old.version_id, "growth", when=When.AT_END, at=MID_JAN)
    assert [bool(each.refusal) for each in report.subscribers] == [True, False]
    assert list_versions() == [(1, None), (1, 2)]


def test_nobody_moves_to_the_version_that_they_are_on():
    subscription = make_subscription()
    assert preview_moves(subscription.version_id, "growth", when=When.NOW, at=JAN).subscribers == ()
