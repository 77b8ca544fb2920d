from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import plans, subscriptions
from billing.models import AddOn, Plan, PlanVersion, Subscription
from billing.plans import AddOnTerms, InvalidPlan, UnknownPlan
from billing.rating import flat_fee
from billing.subscriptions import read_currency
from tests.billing.makers import (
    BASE_FEE,
    FEB,
    JAN,
    MAR,
    MID_JAN,
    make_account,
    make_meters,
    make_plan,
    make_subscription,
)

pytestmark = pytest.mark.django_db

SUPPORT = AddOnTerms("support", "Support by phone", Decimal("99.00"), max_quantity=1)
SEAT = AddOnTerms("seat", "Further seat", Decimal("7.50"))


def add_version(slug="growth", *, currency="EUR", amount=59, **terms):
    plan_id = Plan.objects.get(slug=slug).pk
    prices = [flat_fee("Base fee", Decimal(amount))]
    return plans.add_version(plan_id=plan_id, currency=currency, prices=prices, **terms)


def assert_refused(constraint, write):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write()
    assert refusal.value.__cause__.diag.constraint_name == constraint


def test_a_scheduled_version_is_frozen_now_and_on_offer_later():
    make_plan()
    scheduled = plans.schedule_version(add_version(), offered_from=FEB, at=MID_JAN)
    assert (scheduled.published_at, scheduled.offered_from) == (MID_JAN, FEB)
    assert plans.find_plan("growth", at=FEB - timedelta(microseconds=1)).version_number == 1
    assert plans.find_plan("growth", at=FEB) == scheduled
    assert plans.schedule_version(scheduled.version_id, offered_from=MAR, at=JAN) == scheduled


def test_the_version_that_came_last_is_on_offer_whatever_its_number():
    make_plan()
    plans.schedule_version(add_version(), offered_from=MAR, at=JAN)
    plans.schedule_version(add_version(), offered_from=FEB, at=JAN)
    assert plans.find_plan("growth", at=FEB).version_number == 3
    assert plans.find_plan("growth", at=MAR).version_number == 2


def test_nothing_is_offered_before_it_is_published():
    make_plan()
    with pytest.raises(InvalidPlan) as refusal:
        plans.schedule_version(draft := add_version(), offered_from=JAN, at=MID_JAN)
    assert refusal.value.field == "offered_from"
    assert PlanVersion.objects.get(pk=draft).published_at is None


def test_a_retired_version_is_not_on_offer_and_its_subscribers_stay():
    subscription = make_subscription()
    retired = plans.retire_version(subscription.version_id, at=FEB)
    assert retired.retired_at == FEB
    assert plans.retire_version(subscription.version_id, at=MAR) == retired
    assert plans.list_slugs(at=MID_JAN) == ["growth"]
    assert plans.list_slugs(at=FEB) == []
    with pytest.raises(UnknownPlan):
        plans.find_plan("growth", at=FEB)
    assert subscriptions.read_subscription(account_id=subscription.account_id, at=FEB).version_id == retired.version_id


def test_a_version_that_was_replaced_does_not_come_back():
    make_plan()
    newer = plans.publish_version(add_version(), at=FEB)
    plans.retire_version(newer.version_id, at=MAR)
    with pytest.raises(UnknownPlan):
        plans.find_plan("growth", at=MAR)


def test_a_schedule_is_called_off_by_retiring_it_before_its_day():
    first = make_plan()
    scheduled = plans.schedule_version(add_version(), offered_from=FEB, at=JAN)
    plans.retire_version(scheduled.version_id, at=MID_JAN)
    assert plans.find_plan("growth", at=MAR).version_id == first.version_id


def test_a_draft_is_not_retired():
    make_plan()
    with pytest.raises(InvalidPlan, match="is a draft and not on offer"):
        plans.retire_version(add_version(), at=JAN)


def test_a_published_version_may_be_retired_once_and_nothing_else():
    version = PlanVersion.objects.filter(pk=make_plan().version_id)
    assert_refused("plan_version_frozen_once_published", lambda: version.update(retired_at=FEB, currency="USD"))
    assert_refused("plan_version_frozen_once_published", lambda: version.update(offered_from=FEB))
    assert version.update(retired_at=FEB) == 1
    assert_refused("plan_version_frozen_once_published", lambda: version.update(retired_at=None))
    assert_refused("plan_version_frozen_once_published", lambda: version.update(retired_at=MAR))


def test_a_version_keeps_what_was_agreed_beside_its_prices():
    make_meters()
    made = plans.create_plan(
        slug="scale",
        name="Scale",
        rank=1,
        currency="EUR",
        prices=[BASE_FEE],
        commitment_minor=100_000,
        included_credit_minor=5_000,
        add_ons=[SUPPORT, SEAT],
        at=JAN,
    )
    assert (made.commitment_minor, made.included_credit_minor) == (100_000, 5_000)
    assert made.add_ons == (SUPPORT, SEAT)
    copy = plans.read_version(plans.copy_last_version(Plan.objects.get().pk))
    assert (copy.commitment_minor, copy.included_credit_minor, copy.add_ons) == (100_000, 5_000, (SUPPORT, SEAT))


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"commitment_minor": -1}, "commitment"),
        ({"included_credit_minor": -1}, "included_credit"),
        ({"add_ons": [SEAT, SEAT]}, "add_ons[1].key"),
        ({"add_ons": [AddOnTerms("seat", "Seat", Decimal("0.0000000000001"))]}, "add_ons[0].unit_amount"),
        ({"add_ons": [AddOnTerms("seat", "Seat", Decimal(-1))]}, "add_ons[0].unit_amount"),
        ({"add_ons": [AddOnTerms("seat", "Seat", Decimal(1), max_quantity=0)]}, "add_ons[0].max_quantity"),
    ],
)
def test_what_cannot_be_agreed_is_refused_with_its_field(terms, field):
    make_plan()
    with pytest.raises(InvalidPlan) as refusal:
        add_version(**terms)
    assert refusal.value.field == field


def test_add_ons_are_frozen_with_their_version():
    make_plan()
    version = plans.publish_version(add_version(add_ons=[SEAT]), at=JAN).version_id
    add_ons = AddOn.objects.filter(version=version)
    assert_refused("plan_version_frozen_once_published", lambda: add_ons.update(unit_amount=Decimal(1)))
    assert_refused("plan_version_frozen_once_published", add_ons.delete)
    assert_refused(
        "plan_version_frozen_once_published",
        lambda: AddOn.objects.create(version_id=version, position=2, key="x", description="X", unit_amount=Decimal(1)),
    )


def test_a_plan_is_offered_in_each_currency_and_first_in_its_own():
    euros = make_plan()
    dollars = plans.publish_version(add_version(currency="USD"), at=JAN)
    assert plans.find_plan("growth", at=JAN) == euros
    assert plans.find_plan("growth", currency="USD", at=JAN) == dollars
    assert plans.list_plans(at=JAN) == [euros]
    assert plans.list_plans(currency="USD", at=JAN) == [dollars]
    with pytest.raises(UnknownPlan, match="no plan 'growth' on offer in JPY"):
        plans.find_plan("growth", currency="JPY", at=JAN)
    plans.retire_version(euros.version_id, at=FEB)
    assert plans.find_plan("growth", at=FEB) == dollars


def test_an_account_keeps_its_currency():
    make_plan("growth")
    make_plan("scale", currency="USD")
    make_plan("yen", currency="JPY")
    plans.publish_version(add_version("growth", currency="USD"), at=JAN)
    account = make_account()
    assert read_currency(account.id) is None
    first = subscriptions.create_subscription(account_id=account.id, plan_slug="scale", started_at=JAN, at=JAN)
    assert read_currency(account.id) == "USD"
    Subscription.objects.filter(pk=first.id).update(state="ended", ended_at=FEB)
    with pytest.raises(UnknownPlan, match="on offer in USD"):
        subscriptions.create_subscription(account_id=account.id, plan_slug="yen", started_at=FEB, at=FEB)
    second = subscriptions.create_subscription(account_id=account.id, plan_slug="growth", started_at=FEB, at=FEB)
    assert second.currency == "USD"


def test_the_database_itself_keeps_an_account_to_its_currency():
    subscription = make_subscription()
    dollars = make_plan("scale", currency="USD").version_id
    ours = Subscription.objects.filter(pk=subscription.id)
    assert_refused("subscription_keeps_the_currency_of_its_account", lambda: ours.update(version=dollars))
    assert_refused(
        "subscription_keeps_the_currency_of_its_account",
        lambda: Subscription.objects.create(
            account_id=subscription.account_id,
            version_id=dollars,
            started_at=JAN,
            anchor=JAN,
            state="ended",
            ended_at=FEB,
        ),
    )


def test_many_at_once_leave_accounts_of_another_currency_alone():
    billed = make_subscription()
    Subscription.objects.filter(pk=billed.id).update(state="ended", ended_at=FEB)
    make_plan("scale", currency="USD")
    fresh = make_account("beta")
    made = subscriptions.create_subscriptions(
        account_ids=[billed.account_id, fresh.id], plan_slug="scale", started_at=FEB, at=FEB
    )
    assert made == 1
    assert read_currency(fresh.id) == "USD"


def test_a_subscription_of_the_past_is_on_the_first_version_that_there_was():
    first = make_plan(at=FEB)
    plans.publish_version(add_version(), at=MAR)
    made = subscriptions.create_subscription(account_id=make_account().id, plan_slug="growth", started_at=JAN, at=JAN)
    assert made.version_id == first.version_id


def test_a_plan_that_is_still_to_come_is_not_on_offer():
    make_plan("growth")
    plan = Plan.objects.create(slug="scale", name="Scale", rank=1_000)
    draft = plans.add_version(plan_id=plan.pk, currency="EUR", prices=[BASE_FEE])
    plans.schedule_version(draft, offered_from=MAR, at=JAN)
    with pytest.raises(UnknownPlan):
        plans.find_offer("scale", at=FEB)
    assert plans.find_offer("scale", at=MAR).pk == draft


def test_the_next_plan_is_told_also_to_who_is_on_one_that_is_retired():
    small, large = make_plan("growth", rank=1), make_plan("scale", rank=2)
    plans.retire_version(small.version_id, at=FEB)
    assert plans.next_plan("growth", at=FEB) == large
