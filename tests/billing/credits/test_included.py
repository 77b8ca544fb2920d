"""Credit that comes with a period. January has 31 days; a month brings 31.00, a euro a day, and its fee is 62.00."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import invariants, invoicing, lifecycle, plans, subscriptions, switching
from billing.credits.grants import grant_credit
from billing.credits.ledger import list_entries
from billing.credits.settling import expire_due
from billing.credits.spending import BillLine, burn_credits
from billing.models import CreditGrant, Period, Subscription
from billing.plans import PeriodTerms
from billing.proration import Proration
from billing.rating import flat_fee
from tests.billing.makers import FEB, HOUR, JAN, MAR, make_account, make_meters

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
JAN_21 = datetime(2026, 1, 21, tzinfo=UTC)


def make_offer(slug="team", *, rank=1, credit=3_100, fee="62.00", **terms):
    make_meters()
    prices = [flat_fee("Base fee", Decimal(fee))]
    return plans.create_plan(
        slug=slug,
        name=slug.title(),
        rank=rank,
        currency="EUR",
        prices=prices,
        included_credit_minor=credit,
        at=JAN,
        **terms,
    )


def make_team(*, at=JAN, **terms):
    make_offer(**terms)
    made = subscriptions.create_subscription(account_id=make_account().id, plan_slug="team", started_at=JAN, at=at)
    return Subscription.objects.get(pk=made.id)


def bill_all(at):
    """(what credit paid, what is due) of the periods that ended, in their order."""
    ended = Period.objects.filter(ends_at__lte=at).order_by("starts_at")
    bills = [invoicing.close_period(each.pk, at=at) for each in ended]
    return [(bill.credited_minor, bill.due_minor) for bill in bills]


def list_standing():
    standing = CreditGrant.objects.filter(voided_at=None).order_by("effective_at")
    return list(standing.values_list("source", "amount_minor", "effective_at", "expires_at"))


def test_each_period_brings_its_credit_for_itself_alone():
    make_team(at=FEB)
    assert list_standing() == [("included", 3_100, JAN, FEB), ("included", 3_100, FEB, MAR)]
    assert list(invariants.check()) == []


def test_a_second_run_grants_nothing_more():
    make_team()
    for _ in range(2):
        subscriptions.open_next_periods(FEB - HOUR)
    assert len(list_standing()) == 2


def test_it_pays_for_its_period_and_what_is_left_expires_with_it():
    team = make_team(fee="10.00")
    subscriptions.open_next_periods(FEB)
    assert bill_all(FEB) == [(1_000, 0)]
    assert expire_due(FEB) == 1
    told = [(entry.kind, entry.amount_minor) for entry in list_entries(account_id=team.account_id, currency="EUR")]
    assert ("expired", -2_100) in told
    assert bill_all(MAR)[1] == (1_000, 0)
    assert list(invariants.check()) == []


def test_it_waits_for_the_bill_of_its_period_before_it_expires():
    make_team()
    assert expire_due(FEB + HOUR) == 0
    assert bill_all(FEB + HOUR) == [(3_100, 3_100)]


def test_it_pays_before_credit_that_lasts():
    team = make_team()
    grant_credit(account_id=team.account_id, currency="EUR", amount_minor=5_000, at=JAN)
    assert bill_all(FEB) == [(6_200, 0)]
    left = CreditGrant.objects.order_by("pk").values_list("source", "balance_minor")
    assert list(left) == [("included", 0), ("manual", 1_900)]


def test_a_version_without_it_brings_none():
    make_team(credit=0)
    assert CreditGrant.objects.count() == 0


def test_a_trial_brings_none_until_it_ends():
    make_team(periods=PeriodTerms(trial_days=10), at=JAN_11)
    assert list_standing() == [("included", 3_100, JAN_11, FEB)]


def test_another_plan_takes_over_with_its_own_part():
    make_offer("large", rank=2, credit=31_000)
    team = make_team()
    switching.change_plan(team.pk, "large", at=JAN_11)
    assert list_standing() == [("included", 1_000, JAN, JAN_11), ("included", 21_000, JAN_11, FEB)]
    assert list(invariants.check()) == []


def test_cut_twice_the_parts_come_to_the_whole():
    make_offer("large", rank=2, credit=3_100)
    team = make_team()
    switching.change_plan(team.pk, "large", at=JAN_11)
    switching.change_plan(team.pk, "team", at=JAN_21)
    assert [amount for _, amount, *_ in list_standing()] == [1_000, 1_000, 1_100]


def test_by_day_the_day_of_the_change_is_left():
    terms = PeriodTerms(proration=Proration.DAY)
    make_offer("large", rank=2, periods=terms)
    team = make_team(periods=terms)
    switching.change_plan(team.pk, "large", at=JAN_11 + 17 * HOUR)
    assert [amount for _, amount, *_ in list_standing()] == [1_000, 2_100]


def test_a_pause_brings_nothing_and_its_end_the_part_that_is_left():
    team = make_team()
    lifecycle.pause(team.pk, at=JAN_11)
    lifecycle.resume(team.pk, at=JAN_21)
    assert list_standing() == [("included", 1_000, JAN, JAN_11), ("included", 1_100, JAN_21, FEB)]
    assert list(invariants.check()) == []


def test_what_was_used_already_is_not_taken_back():
    team = make_team()
    burn_credits(team.account_id, [BillLine(1, 2_500)], currency="EUR", key="one-off", moment=JAN + HOUR, at=JAN + HOUR)
    lifecycle.cancel(team.pk, at=JAN_11)
    assert list_standing() == []
    grant = CreditGrant.objects.get()
    assert (grant.balance_minor, grant.amount_minor) == (0, 3_100)
    assert list(invariants.check()) == []


def test_what_was_used_counts_in_the_part_that_remains():
    team = make_team()
    burn_credits(team.account_id, [BillLine(1, 400)], currency="EUR", key="one-off", moment=JAN + HOUR, at=JAN + HOUR)
    lifecycle.cancel(team.pk, at=JAN_11)
    assert list_standing() == [("included", 600, JAN, JAN_11)]
    assert bill_all(JAN_11) == [(600, 1_400)]


def test_a_period_that_is_taken_back_takes_its_credit_with_it():
    make_offer("large", rank=2, credit=31_000)
    team = make_team()
    subscriptions.open_next_periods(FEB - HOUR)
    switching.schedule_change(team.pk, "large", at=FEB - HOUR)
    assert list_standing() == [("included", 3_100, JAN, FEB), ("included", 31_000, FEB, MAR)]
    lifecycle.cancel_at_end(team.pk, at=FEB - HOUR)
    assert list_standing() == [("included", 3_100, JAN, FEB)]
    assert list(invariants.check()) == []


def test_the_invariant_finds_credit_that_outlives_its_period():
    make_team()
    assert list(invariants.check_included()) == []
    Period.objects.update(ends_at=JAN_21)
    assert [each.rule for each in invariants.check_included()] == ["included credit is good for its period"]
