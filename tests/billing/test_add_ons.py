"""Add-ons of a subscription. January has 31 days; support costs 31.00 a month, a euro a day, storage 3.10 each."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing import add_ons, coupons, invariants, invoicing, items, lifecycle, plans, previews, subscriptions, switching
from billing.add_ons import UnknownAddOn
from billing.models import CouponDuration, InvoiceItem, Period, Subscription, SubscriptionAddOn, SubscriptionChange
from billing.parts import MoveRefused, PeriodFinal
from billing.periods import Anchoring, Interval
from billing.plans import AddOnTerms, PeriodTerms
from billing.rating import flat_fee
from billing.tax_rates import create_tax_rate, set_tax_rates
from billing.wording import explain_line
from tests.billing.makers import FEB, HOUR, JAN, MAR, make_account, make_meters
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
JAN_21 = datetime(2026, 1, 21, tzinfo=UTC)
BASE = flat_fee("Base fee", Decimal("31.00"))
SUPPORT = AddOnTerms("support", "Support by phone", Decimal("31.00"), max_quantity=1)
STORAGE = AddOnTerms("storage", "Storage box", Decimal("3.10"))


def make_offer(slug="team", *, rank=1, offered=(SUPPORT, STORAGE), prices=(BASE,), **terms):
    make_meters()
    return plans.create_plan(
        slug=slug, name=slug.title(), rank=rank, currency="EUR", prices=prices, add_ons=offered, at=JAN, **terms
    )


def make_team(**terms):
    make_offer(**terms)
    account = make_account()
    made = subscriptions.create_subscription(account_id=account.id, plan_slug="team", started_at=JAN, at=JAN)
    return Subscription.objects.get(pk=made.id)


def bill_all(at):
    """The totals of the periods that ended, in their order."""
    ended = Period.objects.filter(ends_at__lte=at).order_by("starts_at")
    return [invoicing.close_period(each.pk, at=at).total_minor for each in ended]


def list_items():
    return list(InvoiceItem.objects.order_by("pk").values_list("description", "amount_minor"))


def list_held(at):
    """What a period that begins then would bill."""
    team = Subscription.objects.get()
    return dict(subscriptions.find_held(team, team.version_id, at).add_ons)


def test_an_add_on_is_charged_for_what_is_left_and_then_each_period():
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN_11)
    subscriptions.open_next_periods(FEB)
    assert list_items() == [("Support by phone: changed on Jan. 11, 2026", 2_100)]
    assert bill_all(MAR) == [3_100 + 2_100, 6_200]
    assert list(invariants.check()) == []


def test_each_add_on_is_one_line_after_the_prices_and_says_why():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", quantity=3, at=JAN)
    add_ons.add_add_on(team.pk, "support", at=JAN)
    invoice = invoicing.close_period(Period.objects.get().pk, at=FEB)
    assert [(line.kind, line.description, line.amount_minor) for line in invoice.lines] == [
        ("price", "Base fee", 3_100),
        ("add_on", "Support by phone", 3_100),
        ("add_on", "Storage box", 930),
    ]
    assert explain_line(invoice.lines[2], "EUR") == ["3 × €3.10 = €9.30"]


def test_items_keep_their_own_lines_beside_those_of_add_ons():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", at=JAN)
    item = items.add_item(
        account_id=team.account_id,
        subscription_id=team.pk,
        currency="EUR",
        kind="one_off",
        description="Set-up",
        unit_amount=Decimal(5),
        key="set-up",
        at=JAN,
    )
    assert bill_all(FEB) == [3_100 + 310 + 500]
    line = InvoiceItem.objects.get(pk=item.id).invoice_line
    assert (line.kind, line.position, line.amount_minor) == ("one_off", 3, 500)
    assert list(invariants.check()) == []


def test_more_of_an_add_on_and_then_none_costs_the_time_between():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    add_ons.add_add_on(team.pk, "storage", quantity=5, at=JAN_11)
    add_ons.remove_add_on(team.pk, "storage", at=JAN_21)
    # Two for the month and three more for 21 days, less five for 11 days.
    assert [amount for _, amount in list_items()] == [3 * 210, -5 * 110]
    assert bill_all(FEB) == [3_100 + 620 + 630 - 550]
    assert list(invariants.check()) == []


def test_a_second_call_changes_nothing_and_the_history_tells_the_first():
    team = make_team()
    for at in (JAN_11, JAN_21):
        add_ons.add_add_on(team.pk, "storage", quantity=2, at=at)
    add_ons.remove_add_on(team.pk, "support", at=JAN_21)
    assert (InvoiceItem.objects.count(), SubscriptionAddOn.objects.count()) == (1, 1)
    told = SubscriptionChange.objects.exclude(move="created").values_list("move", "before", "after", "at")
    assert list(told) == [("add_on_changed", "0 × storage", "2 × storage", JAN_11)]


def test_discounts_and_taxes_are_those_of_a_fee():
    team = make_team()
    set_tax_rates(account_id=team.account_id, rate_ids=[create_tax_rate(name="VAT", percent=Decimal(20))])
    coupons.create_coupon(code="HALF", name="Half", percent=Decimal(50), duration=CouponDuration.FOREVER)
    coupons.apply_coupon(account_id=team.account_id, code="HALF", at=JAN)
    add_ons.add_add_on(team.pk, "support", at=JAN)
    invoice = invoicing.close_period(Period.objects.get().pk, at=FEB)
    assert [(line.discount_minor, line.tax_minor) for line in invoice.lines] == [(1_550, 310), (1_550, 310)]
    assert invoice.total_minor == 3_720


def test_add_ons_count_towards_a_commitment_as_fees_do():
    team = make_team(commitment_minor=5_000)
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    assert bill_all(FEB) == [5_000]


def test_the_preview_is_what_the_change_then_bills():
    team = make_team()
    more = add_ons.preview_add_on(team.pk, "storage", 2, at=JAN_11)
    assert ([part.amount_minor for part in more.charges], more.credits) == ([420], ())
    assert (list_items(), SubscriptionAddOn.objects.count()) == ([], 0)
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN_11)
    fewer = add_ons.preview_add_on(team.pk, "storage", 0, at=JAN_21)
    assert ([part.amount_minor for part in fewer.credits], fewer.net_minor) == ([-220], -220)


def test_the_live_cost_has_the_add_ons_of_the_period():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    assert previews.preview_period(account_id=team.account_id, at=JAN_11).total_minor == 3_100 + 620


def test_removed_with_the_period_it_is_billed_until_then():
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN)
    subscriptions.open_next_periods(FEB - HOUR)
    for at in (JAN_11, JAN_21):
        assert add_ons.schedule_add_on(team.pk, "support", quantity=0, at=at) == FEB
    assert (list_held(FEB - HOUR), list_held(FEB)) == ({"support": 1}, {})
    assert bill_all(MAR) == [6_200, 3_100]
    assert (list_items(), list(invariants.check())) == ([], [])


def test_added_with_the_next_period_it_begins_there_also_where_that_is_open():
    team = make_team()
    subscriptions.open_next_periods(FEB - HOUR)
    assert add_ons.schedule_add_on(team.pk, "storage", quantity=2, at=FEB - HOUR) == FEB
    assert bill_all(MAR) == [3_100, 3_100 + 620]
    assert list(invariants.check()) == []


def test_what_is_had_is_named_by_the_version_and_no_other_subscription(django_assert_num_queries):
    team = make_team()
    other = subscriptions.create_subscription(
        account_id=make_account("other").id, plan_slug="team", started_at=JAN, at=JAN
    )
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    add_ons.schedule_add_on(team.pk, "storage", quantity=5, at=JAN_11)
    add_ons.add_add_on(other.id, "support", at=JAN)
    with django_assert_num_queries(1):
        assert add_ons.name_held(team.pk, at=JAN_21) == [(2, "Storage box")]
    assert add_ons.name_held(team.pk, at=FEB) == [(5, "Storage box")]


def test_what_is_planned_for_an_add_on_can_be_undone():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    add_ons.schedule_add_on(team.pk, "storage", quantity=5, at=JAN_11)
    (_, fact) = add_ons.list_add_ons(team.pk, at=JAN_11)
    assert (fact.quantity, fact.planned_quantity, fact.planned_at) == (2, 5, FEB)
    for _ in range(2):
        add_ons.undo_add_on(team.pk, "storage", at=JAN_21)
    assert (list_held(JAN_21), list_held(FEB)) == ({"storage": 2}, {"storage": 2})
    (_, fact) = add_ons.list_add_ons(team.pk, at=JAN_21)
    assert (fact.quantity, fact.planned_quantity, fact.planned_at) == (2, 2, None)


@pytest.mark.parametrize("quantity", [0, 2, -1, True])
def test_no_more_than_the_version_allows_can_be_had(quantity):
    team = make_team()
    with pytest.raises(MoveRefused):
        add_ons.add_add_on(team.pk, "support", quantity=quantity, at=JAN_11)
    assert SubscriptionAddOn.objects.count() == 0


def test_an_add_on_that_the_version_does_not_offer_is_not_had():
    team = make_team()
    for change in (
        lambda: add_ons.add_add_on(team.pk, "other", at=JAN_11),
        lambda: add_ons.schedule_add_on(team.pk, "other", quantity=1, at=JAN_11),
        lambda: add_ons.preview_add_on(team.pk, "other", 1, at=JAN_11),
    ):
        with pytest.raises(UnknownAddOn):
            change()


def test_another_plan_keeps_what_it_offers_too_and_gives_the_rest_back():
    dear = AddOnTerms("storage", "Storage box", Decimal("6.20"), max_quantity=1)
    make_offer("large", rank=2, prices=(flat_fee("Large", Decimal("62.00")),), offered=(dear,))
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN)
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    preview = switching.preview_change(team.pk, "large", at=JAN_11)
    assert [(part.fee.description, part.amount_minor) for part in (*preview.credits, *preview.charges)] == [
        ("Base fee", -2_100),
        ("Support by phone", -2_100),
        ("Storage box", -420),
        ("Large", 4_200),
        ("Storage box", 420),
    ]
    switching.change_plan(team.pk, "large", at=JAN_11)
    assert list_held(JAN_11) == {"storage": 1}
    assert bill_all(FEB) == [1_000 + 1_000 + 200, 4_200 + 420]
    assert list(invariants.check()) == []


def test_a_planned_plan_ends_what_it_does_not_offer_when_it_takes_over():
    make_offer("large", rank=2, prices=(flat_fee("Large", Decimal("62.00")),), offered=(STORAGE,))
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN)
    add_ons.add_add_on(team.pk, "storage", at=JAN)
    switching.schedule_change(team.pk, "large", at=JAN_11)
    subscriptions.open_next_periods(FEB - HOUR)
    assert Period.objects.latest("starts_at").add_ons == {"storage": 1}
    lifecycle.settle_due(FEB)
    assert bill_all(MAR) == [3_100 + 3_100 + 310, 6_200 + 310]
    assert list(SubscriptionAddOn.objects.filter(ends_at=None).values_list("key", flat=True)) == ["storage"]
    assert list(invariants.check()) == []


def test_what_is_planned_waits_for_the_end_of_a_period_of_another_kind():
    yearly = PeriodTerms(Interval.YEAR, Anchoring.ANNIVERSARY)
    make_offer("year", rank=2, offered=(STORAGE,), periods=yearly)
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    add_ons.schedule_add_on(team.pk, "storage", quantity=0, at=JAN_11)
    switching.change_plan(team.pk, "year", at=JAN_21)
    year_later = datetime(2027, 1, 21, tzinfo=UTC)
    assert (list_held(year_later - HOUR), list_held(year_later)) == ({"storage": 2}, {})
    assert list(invariants.check()) == []


def test_a_pause_bills_no_add_on_and_what_was_planned_is_undone():
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN)
    add_ons.schedule_add_on(team.pk, "support", quantity=0, at=JAN + HOUR)
    lifecycle.pause(team.pk, at=JAN_11)
    lifecycle.resume(team.pk, at=JAN_21)
    assert bill_all(FEB) == [2_000, 2_200]
    assert list(invariants.check()) == []


def test_with_the_subscription_its_add_ons_end_and_are_given_back():
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN)
    lifecycle.cancel(team.pk, at=JAN_11)
    assert bill_all(FEB) == [2_000]
    assert list(SubscriptionAddOn.objects.values_list("ends_at", flat=True)) == [JAN_11]
    with pytest.raises(MoveRefused):
        add_ons.add_add_on(team.pk, "support", at=JAN_21)


def test_an_add_on_of_a_trial_costs_nothing_until_it_ends():
    team = make_team(periods=PeriodTerms(trial_days=10))
    add_ons.add_add_on(team.pk, "support", at=JAN + HOUR)
    subscriptions.open_next_periods(JAN_11)
    assert list_items() == []
    assert bill_all(JAN_11 - HOUR) == []
    assert Period.objects.latest("starts_at").add_ons == {"support": 1}


def test_the_past_before_an_add_on_is_not_cut_any_more():
    make_offer("large", rank=2)
    team = make_team()
    add_ons.add_add_on(team.pk, "support", at=JAN_21)
    with pytest.raises(PeriodFinal):
        switching.change_plan(team.pk, "large", at=JAN_11)


def test_two_quantities_at_one_time_are_refused_by_the_database():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", at=JAN_11)
    with pytest.raises(IntegrityError, match="subscription_add_on_has_one_quantity"), transaction.atomic():
        SubscriptionAddOn.objects.create(subscription=team, key="storage", quantity=2, starts_at=JAN_21)


def test_of_what_was_had_only_the_end_can_be_said_later():
    add_ons.add_add_on(make_team().pk, "storage", at=JAN_11)
    for damage in (
        lambda: SubscriptionAddOn.objects.update(quantity=2),
        lambda: SubscriptionAddOn.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="only the end may change"), transaction.atomic():
            damage()


def test_the_invariants_find_add_ons_that_are_not_billed_as_they_were():
    team = make_team()
    add_ons.add_add_on(team.pk, "storage", quantity=2, at=JAN)
    bill_all(FEB)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    Period.objects.update(add_ons={"storage": 3})
    assert {each.rule for each in invariants.check()} == {
        "a line bills an add-on that there was",
        "a period bills the add-ons there were",
    }


@pytest.mark.django_db(transaction=True)
def test_two_who_add_at_once_add_it_once():
    team = make_team()
    change = lambda: add_ons.add_add_on(team.pk, "support", at=JAN_11)  # noqa: E731
    assert run_together(*[change] * 4) == [None] * 4
    assert (InvoiceItem.objects.count(), SubscriptionAddOn.objects.count()) == (1, 1)
    assert list(invariants.check()) == []


@pytest.mark.django_db(transaction=True)
def test_an_add_on_that_races_with_the_invoice_is_on_it_or_refused():
    team = make_team()
    period = Period.objects.get(subscription=team)
    added, invoice = run_together(
        lambda: add_ons.add_add_on(team.pk, "support", at=FEB - HOUR),
        lambda: invoicing.close_period(period.pk, at=FEB + HOUR),
    )
    assert added is None or isinstance(added, PeriodFinal)
    assert invoice.total_minor == 3_100 + (4 if added is None else 0)
    assert list(invariants.check()) == []
