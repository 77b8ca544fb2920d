"""Another plan: now, with what is left of the period prorated, or at the period's end. January has 31 days."""

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from billing import invariants, invoicing, lifecycle, plans, subscriptions, switching
from billing.models import Invoice, InvoiceItem, Period, Subscription, SubscriptionChange
from billing.parts import MoveRefused, PeriodFinal
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms, PlanLimitTerms
from billing.proration import Proration
from billing.rating import flat_fee, per_unit
from metering.limits import ChangeReason, list_changes, read_limits
from metering.models import Limit
from tests.billing.makers import FEB, HOUR, JAN, MAR, make_plan, make_subscription, use
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
JAN_21 = datetime(2026, 1, 21, tzinfo=UTC)


def make_two_plans(**large):
    make_sized("small", 1, fee="31.00", price="0.10", limit=50)
    return make_sized("large", 2, fee="310.00", price="0.05", limit=500, **large)


def make_sized(slug, rank, *, fee, price, limit, **terms):
    prices = [
        flat_fee("Base fee", Decimal(fee)),
        per_unit("Requests", meter_key="requests", unit_amount=Decimal(price)),
    ]
    limits = [PlanLimitTerms("requests", Decimal(limit))]
    return make_plan(slug, rank=rank, prices=prices, limits=limits, **terms)


def make_small(**terms):
    return subscriptions_of(make_subscription(plan=plan_of("small"), **terms))


def plan_of(slug):
    return plans.find_plan(slug, at=JAN)


def subscriptions_of(fact):
    return Subscription.objects.get(pk=fact.id)


def bill_all(at):
    """The totals of the periods that ended, in their order."""
    ended = Period.objects.filter(ends_at__lte=at).order_by("starts_at")
    return [invoicing.close_period(each.pk, at=at).total_minor for each in ended]


def list_periods():
    periods = Period.objects.order_by("starts_at").select_related("version__plan")
    return [(each.version.plan.slug, each.starts_at, each.ends_at) for each in periods]


def test_an_upgrade_cuts_the_period_and_prorates_both_fees():
    make_two_plans()
    small = make_small()
    use("acme", sizes=[1] * 4, time=JAN)
    switching.change_plan(small.pk, "large", at=JAN_11)
    use("acme", sizes=[1] * 6, time=JAN_21)
    assert list_periods() == [("small", JAN, JAN_11), ("large", JAN_11, FEB)]
    assert [item.amount_minor for item in InvoiceItem.objects.order_by("pk")] == [-2_100, -10_000]
    assert bill_all(FEB) == [1_000 + 40, 21_000 + 30]
    assert list(invariants.check()) == []


def test_an_upgrade_hands_the_limits_over_for_the_rest_of_the_period():
    make_two_plans()
    small = make_small()
    use("acme", sizes=[1] * 4, time=JAN)
    switching.change_plan(small.pk, "large", at=JAN_11)
    use("acme", sizes=[1] * 6, time=JAN_21)
    (before,) = read_limits(account_id=small.account_id, at=JAN_11 - HOUR)
    (after,) = read_limits(account_id=small.account_id, at=JAN_11)
    assert (before.quantity, before.used, before.resets_at) == (50, 4, JAN_11)
    assert (after.quantity, after.used, after.start, after.resets_at) == (500, 6, JAN_11, FEB)


def test_a_second_call_changes_nothing_and_the_history_tells_the_first():
    make_two_plans()
    small = make_small()
    for at in (JAN_11, JAN_21):
        switching.change_plan(small.pk, "large", at=at)
    assert InvoiceItem.objects.count() == 2
    told = SubscriptionChange.objects.values_list("move", "before", "after", "at")
    assert list(told)[1:] == [("plan_changed", "Small v1", "Large v1", JAN_11)]


def test_the_preview_is_what_the_change_then_bills():
    make_two_plans()
    small = make_small()
    preview = switching.preview_change(small.pk, "large", at=JAN_11)
    assert [part.amount_minor for part in preview.credits] == [-2_100]
    assert [part.amount_minor for part in preview.charges] == [21_000]
    assert (preview.net_minor, preview.currency) == (18_900, "EUR")
    assert (InvoiceItem.objects.count(), list_periods()) == (0, [("small", JAN, FEB)])
    switching.change_plan(small.pk, "large", at=JAN_11)
    assert sum(bill_all(FEB)) == 3_100 + preview.net_minor


def test_up_and_back_costs_each_plan_for_its_own_time():
    make_two_plans()
    small = make_small()
    switching.change_plan(small.pk, "large", at=JAN_11)
    switching.change_plan(small.pk, "small", at=JAN_21)
    assert bill_all(FEB) == [1_000, 10_000, 1_100]
    assert list(invariants.check()) == []


def test_by_day_the_day_of_the_change_counts_as_left():
    make_sized("small", 1, fee="31.00", price="0.10", limit=50, periods=PeriodTerms(proration=Proration.DAY))
    make_sized("large", 2, fee="310.00", price="0.05", limit=500, periods=PeriodTerms(proration=Proration.DAY))
    small = make_small()
    switching.change_plan(small.pk, "large", at=JAN_11 + 17 * HOUR)
    assert bill_all(FEB) == [1_000, 21_000]


def test_a_change_to_another_kind_of_period_begins_a_whole_one():
    make_two_plans(periods=PeriodTerms(Interval.YEAR, Anchoring.ANNIVERSARY))
    small = make_small()
    switching.change_plan(small.pk, "large", at=JAN_11)
    assert list_periods() == [("small", JAN, JAN_11), ("large", JAN_11, datetime(2027, 1, 11, tzinfo=UTC))]
    assert [item.amount_minor for item in InvoiceItem.objects.all()] == [-2_100]


def test_a_period_that_was_opened_ahead_is_opened_again_by_the_new_plan():
    make_two_plans()
    small = make_small()
    subscriptions.open_next_periods(FEB - HOUR)
    switching.change_plan(small.pk, "large", at=FEB - HOUR)
    assert subscriptions.open_next_periods(FEB - HOUR) == 1
    assert list_periods()[1:] == [("large", FEB - HOUR, FEB), ("large", FEB, MAR)]
    assert [limit.quantity for limit in read_limits(account_id=small.account_id, at=FEB)] == [500]


def test_a_downgrade_waits_for_the_end_of_the_period():
    make_two_plans()
    large = subscriptions_of(make_subscription(plan=plan_of("large")))
    for at in (JAN_11, JAN_21):
        assert switching.schedule_change(large.pk, "small", at=at) == FEB
    subscriptions.open_next_periods(FEB - HOUR)
    assert list_periods() == [("large", JAN, FEB), ("small", FEB, MAR)]
    assert lifecycle.settle_due(FEB - HOUR) == 0
    assert (lifecycle.settle_due(FEB), lifecycle.settle_due(FEB)) == (1, 0)
    large.refresh_from_db()
    assert (large.version.plan.slug, large.next_version, large.changes_at) == ("small", None, None)
    assert (bill_all(MAR), InvoiceItem.objects.count()) == ([31_000, 3_100], 0)
    assert list(invariants.check()) == []


def test_a_planned_downgrade_can_be_undone_also_when_its_period_is_open():
    make_two_plans()
    large = subscriptions_of(make_subscription(plan=plan_of("large")))
    switching.schedule_change(large.pk, "small", at=JAN_11)
    subscriptions.open_next_periods(FEB - HOUR)
    for _ in range(2):
        switching.undo_change(large.pk, at=FEB - HOUR)
    assert list_periods() == [("large", JAN, FEB), ("large", FEB, MAR)]
    assert [limit.quantity for limit in read_limits(account_id=large.account_id, at=FEB)] == [500]
    moves_told = SubscriptionChange.objects.values_list("move", flat=True)
    assert list(moves_told) == ["created", "change_planned", "change_undone"]


def test_planned_after_the_next_period_was_opened_the_downgrade_still_takes_it():
    make_two_plans()
    large = subscriptions_of(make_subscription(plan=plan_of("large")))
    subscriptions.open_next_periods(FEB - HOUR)
    switching.schedule_change(large.pk, "small", at=FEB - HOUR)
    assert list_periods() == [("large", JAN, FEB), ("small", FEB, MAR)]
    assert [limit.quantity for limit in read_limits(account_id=large.account_id, at=FEB)] == [50]


def test_a_billed_period_is_not_cut():
    make_two_plans()
    small = make_small()
    before = list_periods()
    Period.objects.update(ends_at=JAN_21)
    invoicing.close_period(Period.objects.get().pk, at=JAN_21)
    with pytest.raises(PeriodFinal):
        switching.change_plan(small.pk, "large", at=JAN_11)
    assert (len(before), Period.objects.count(), InvoiceItem.objects.count()) == (1, 1, 0)


def test_an_ended_subscription_has_no_other_plan():
    make_two_plans()
    small = make_small()
    lifecycle.cancel(small.pk, at=JAN_11)
    for change in (switching.change_plan, switching.schedule_change, switching.preview_change):
        with pytest.raises(MoveRefused):
            change(small.pk, "large", at=JAN_21)


# Races: real connections, hence no transaction around the test.


def race_with_closing(small):
    period = Period.objects.get(subscription=small)
    return run_together(
        lambda: switching.change_plan(small.pk, "large", at=FEB - HOUR),
        lambda: invoicing.close_period(period.pk, at=FEB + HOUR),
    )


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_that_races_with_the_invoice_is_either_in_it_or_refused():
    make_two_plans()
    small = make_small()
    use("acme", sizes=[1] * 4, time=JAN)
    changed, invoice = race_with_closing(small)
    assert changed is None or isinstance(changed, PeriodFinal)
    billed = bill_all(FEB + HOUR)
    assert invoice.total_minor == billed[0]
    # 744 hours; the last one is not used of the small plan, and asked of the large one.
    assert billed == ([3_100 - 4 + 40, 42] if changed is None else [3_100 + 40])
    assert Invoice.objects.count() == len(billed)
    assert list(invariants.check()) == []


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_an_upgrade_meets_a_billed_period_and_the_trigger_stops_it(monkeypatch):
    make_two_plans()
    small = make_small()
    is_read, is_billed = threading.Event(), threading.Event()

    def read_only(subscription, *, at):
        periods = list(Period.objects.filter(subscription=subscription, ends_at__gt=at).order_by("starts_at"))
        is_read.set()
        is_billed.wait(timeout=20)
        return periods

    def close():
        is_read.wait(timeout=20)
        try:
            return invoicing.close_period(Period.objects.get(subscription=small).pk, at=FEB + HOUR)
        finally:
            is_billed.set()

    monkeypatch.setattr("billing.parts.lock_periods", read_only)
    changed, invoice = run_together(lambda: switching.change_plan(small.pk, "large", at=FEB - HOUR), close)
    assert "is closed; it cannot be reopened" in str(changed)
    assert (invoice.total_minor, Period.objects.count(), InvoiceItem.objects.count()) == (3_100, 1, 0)
    assert list(invariants.check()) == []


@pytest.mark.django_db(transaction=True)
def test_two_upgrades_at_once_are_one():
    make_two_plans()
    small = make_small()
    change = lambda: switching.change_plan(small.pk, "large", at=JAN_11)  # noqa: E731
    assert run_together(*[change] * 4) == [None] * 4
    assert (Period.objects.count(), InvoiceItem.objects.count()) == (2, 2)
    assert list(invariants.check()) == []


class Died(Exception):
    """What interrupts a transaction after all its work was done."""


@transaction.atomic
def change_and_die(subscription_id):
    switching.change_plan(subscription_id, "large", at=JAN_11)
    raise Died


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_that_dies_leaves_nothing_and_can_be_made_again():
    make_two_plans()
    small = make_small()
    with pytest.raises(Died):
        change_and_die(small.pk)
    assert (list_periods(), InvoiceItem.objects.count()) == ([("small", JAN, FEB)], 0)
    assert [limit.resets_at for limit in read_limits(account_id=small.account_id, at=JAN)] == [FEB]
    switching.change_plan(small.pk, "large", at=JAN_11)
    assert bill_all(FEB) == [1_000, 21_000]
    assert list(invariants.check()) == []


def list_reasons(account_id):
    return [
        (each.meter_key, each.before, each.after, str(each.reason), each.at)
        for each in list_changes([account_id], since=JAN)
    ]


def test_metering_learns_whose_terms_a_limit_is_and_by_whose_clock():
    make_two_plans()
    small = make_small(time_zone="Europe/Paris")
    switching.change_plan(small.pk, "large", at=JAN_11)
    assert list(Limit.objects.order_by("starts_at").values_list("plan", "time_zone", "epoch")) == [
        ("small", "Europe/Paris", 1),
        ("large", "Europe/Paris", 1),
    ]


def test_a_plan_that_allows_more_is_an_upgrade_and_one_that_allows_less_a_downgrade():
    make_two_plans()
    small = make_small()
    switching.change_plan(small.pk, "large", at=JAN_11)
    switching.change_plan(small.pk, "large", at=JAN_11 + HOUR)
    assert list_reasons(small.account_id) == [("requests", 50, 500, "upgrade", JAN_11)]
    switching.change_plan(small.pk, "small", at=JAN_21)
    assert list_reasons(small.account_id)[1:] == [("requests", 500, 50, "downgrade", JAN_21)]


def test_a_plan_that_neither_limits_nor_charges_a_meter_is_an_upgrade_to_unlimited():
    make_sized("small", 1, fee="31.00", price="0.10", limit=50)
    make_plan("all-in", rank=2, prices=[flat_fee("All in", Decimal(900))], limits=[])
    small = make_small()
    switching.change_plan(small.pk, "all-in", at=JAN_11)
    [change] = list_changes([small.account_id], since=JAN)
    assert (change.before, change.after, change.limit_id, change.is_raised) == (50, None, None, True)


def test_a_planned_change_is_told_when_it_takes_effect_and_not_when_its_periods_are_opened():
    make_two_plans()
    small = make_small()
    switching.schedule_change(small.pk, "large", at=JAN_11)
    subscriptions.open_next_periods(FEB - HOUR)
    assert list_reasons(small.account_id) == []
    lifecycle.settle_due(FEB)
    lifecycle.settle_due(FEB + HOUR)
    [change] = list_changes([small.account_id], since=JAN)
    assert (change.reason, change.at) == (ChangeReason.UPGRADE, FEB)
    assert Limit.objects.get(pk=change.limit_id).starts_at == FEB


def test_another_version_of_the_same_plan_is_no_upgrade():
    make_two_plans()
    small = make_small()
    prices = plan_of("small").prices
    version_id = plans.add_version(
        plan_id=small.plan_id, currency="EUR", prices=prices, limits=[PlanLimitTerms("requests", Decimal(80))]
    )
    plans.publish_version(version_id, at=JAN_11)
    switching.change_plan(small.pk, "small", at=JAN_21)
    assert list_reasons(small.account_id) == [("requests", 50, 80, "renewal", JAN_21)]
