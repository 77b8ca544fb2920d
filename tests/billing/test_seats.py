"""More seats and fewer, now and at the period's end. January has 31 days; a seat costs 3.10, ten cents a day."""

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing import coupons, invariants, invoicing, lifecycle, previews, seats, shifts, subscriptions, switching
from billing.models import CouponDuration, InvoiceItem, InvoiceLine, Period, Subscription, SubscriptionChange
from billing.parts import MoveRefused, PeriodFinal
from billing.periods import Anchoring, Interval
from billing.plans import PeriodTerms
from billing.rating import flat_fee
from billing.wording import explain_line
from tests.billing.makers import FEB, HOUR, JAN, MAR, make_account, make_plan
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
JAN_21 = datetime(2026, 1, 21, tzinfo=UTC)
SEAT = flat_fee("Seats", Decimal("3.10"), per_seat=True)
BASE = flat_fee("Base fee", Decimal("31.00"))


def make_seated(quantity=2, *, slug="team", prices=(BASE, SEAT), **terms):
    make_plan(slug, prices=prices, limits=(), **terms)
    return subscribe(quantity, slug)


def subscribe(quantity=2, slug="team", *, started_at=JAN):
    account = make_account()
    made = subscriptions.create_subscription(
        account_id=account.id, plan_slug=slug, started_at=started_at, at=started_at, quantity=quantity
    )
    return Subscription.objects.get(pk=made.id)


def bill_all(at):
    """The totals of the periods that ended, in their order."""
    ended = Period.objects.filter(ends_at__lte=at).order_by("starts_at")
    return [invoicing.close_period(each.pk, at=at).total_minor for each in ended]


def list_items():
    return list(InvoiceItem.objects.order_by("pk").values_list("description", "amount_minor"))


def test_a_fee_by_seat_is_asked_for_each_seat():
    make_seated(3)
    invoice = invoicing.close_period(Period.objects.get().pk, at=FEB)
    assert [(line.description, line.quantity, line.amount_minor) for line in invoice.lines] == [
        ("Base fee", 1, 3_100),
        ("Seats", 3, 930),
    ]
    assert explain_line(invoice.lines[1], "EUR") == ["3 × €3.10 = €9.30"]
    assert list(invariants.check()) == []


def test_more_seats_are_charged_for_what_is_left_of_the_period():
    team = make_seated(2)
    seats.change_quantity(team.pk, 5, at=JAN_11)
    assert list_items() == [("Seats: changed on Jan. 11, 2026", 3 * 210)]
    assert bill_all(FEB) == [3_100 + 2 * 310 + 630]
    assert list(invariants.check()) == []


def test_fewer_seats_give_back_what_is_not_used():
    team = make_seated(5)
    seats.change_quantity(team.pk, 2, at=JAN_11)
    assert list_items() == [("Seats: changed on Jan. 11, 2026", -630)]
    assert bill_all(FEB) == [3_100 + 5 * 310 - 630]


def test_up_and_back_costs_the_time_between():
    team = make_seated(2)
    seats.change_quantity(team.pk, 5, at=JAN_11)
    seats.change_quantity(team.pk, 2, at=JAN_21)
    assert bill_all(FEB) == [3_100 + 620 + 3 * 100]
    assert list(invariants.check()) == []


def test_the_next_period_begins_with_the_seats_that_there_are_then():
    team = make_seated(2)
    subscriptions.open_next_periods(FEB - HOUR)
    seats.change_quantity(team.pk, 5, at=FEB - HOUR)
    assert list(Period.objects.order_by("starts_at").values_list("quantity", flat=True)) == [2, 5]
    assert bill_all(MAR)[1] == 3_100 + 5 * 310


def test_seats_that_change_with_the_start_of_a_period_are_on_its_own_line():
    team = make_seated(2)
    seats.change_quantity(team.pk, 5, at=JAN)
    assert (list_items(), bill_all(FEB)) == ([], [3_100 + 5 * 310])


def test_a_second_call_changes_nothing_and_the_history_tells_the_first():
    team = make_seated(2)
    for at in (JAN_11, JAN_21):
        seats.change_quantity(team.pk, 5, at=at)
    assert InvoiceItem.objects.count() == 1
    told = SubscriptionChange.objects.filter(move="quantity_changed").values_list("before", "after", "at")
    assert list(told) == [("2", "5", JAN_11)]


def test_the_preview_is_what_the_change_then_bills():
    team = make_seated(2)
    more, fewer = (seats.preview_quantity(team.pk, quantity, at=JAN_11) for quantity in (5, 1))
    assert ([part.amount_minor for part in more.charges], more.credits) == ([630], ())
    assert ([part.amount_minor for part in fewer.credits], fewer.net_minor) == ([-210], -210)
    assert (list_items(), Subscription.objects.get().quantity) == ([], 2)


def test_a_coupon_is_taken_off_seats_before_the_part_is():
    team = make_seated(2)
    coupons.create_coupon(code="HALF", name="Half", percent=Decimal(50), duration=CouponDuration.FOREVER)
    coupons.apply_coupon(account_id=team.account_id, code="HALF", at=JAN)
    seats.change_quantity(team.pk, 5, at=JAN_11)
    assert list_items() == [("Seats: changed on Jan. 11, 2026", 315)]
    assert bill_all(FEB) == [1_550 + 310 + 315]


def test_a_plan_change_after_more_seats_pays_each_for_its_own_time():
    make_plan("large", rank=90, prices=(flat_fee("Large seats", Decimal("6.20"), per_seat=True),), limits=())
    team = make_seated(2)
    seats.change_quantity(team.pk, 5, at=JAN_11)
    switching.change_plan(team.pk, "large", at=JAN_21)
    assert Subscription.objects.get().quantity == 5
    # 20 days of the base fee, two seats of which three more came after 10 days; then 11 days of five large seats.
    assert bill_all(FEB) == [2_000 + 2 * 200 + 3 * 100, 5 * 220]
    assert list(invariants.check()) == []


def test_seats_change_again_in_the_part_that_a_plan_change_began():
    make_plan("large", rank=90, prices=(flat_fee("Large seats", Decimal("6.20"), per_seat=True),), limits=())
    team = make_seated(2)
    switching.change_plan(team.pk, "large", at=JAN_11)
    seats.change_quantity(team.pk, 1, at=JAN_21)
    assert bill_all(FEB) == [1_000 + 2 * 100, 2 * 200 + 220]
    assert list(invariants.check()) == []


def test_cancelling_gives_back_the_seats_that_there_are():
    team = make_seated(2)
    seats.change_quantity(team.pk, 5, at=JAN_11)
    lifecycle.cancel(team.pk, at=JAN_21)
    assert bill_all(FEB) == [2_000 + 2 * 200 + 3 * 100]


def test_a_pause_bills_no_seats_and_what_comes_meanwhile_is_billed_from_its_end():
    team = make_seated(2)
    lifecycle.pause(team.pk, at=JAN_11)
    seats.change_quantity(team.pk, 3, at=JAN_11 + HOUR)
    lifecycle.resume(team.pk, at=JAN_21)
    assert bill_all(FEB) == [1_000 + 2 * 100, 1_100 + 3 * 110]


def test_seats_of_a_trial_cost_nothing_until_it_ends():
    team = make_seated(2, periods=PeriodTerms(trial_days=10))
    seats.change_quantity(team.pk, 5, at=JAN + HOUR)
    subscriptions.open_next_periods(JAN_11)
    assert list_items() == []
    assert list(Period.objects.order_by("starts_at").values_list("is_free", "quantity")) == [(True, 2), (False, 5)]


def test_fewer_seats_wait_for_the_end_of_the_period():
    team = make_seated(5)
    for at in (JAN_11, JAN_21):
        assert seats.schedule_quantity(team.pk, 2, at=at) == FEB
    subscriptions.open_next_periods(FEB - HOUR)
    assert (lifecycle.settle_due(FEB - HOUR), lifecycle.settle_due(FEB), lifecycle.settle_due(FEB)) == (0, 1, 0)
    assert bill_all(MAR) == [3_100 + 5 * 310, 3_100 + 2 * 310]
    team.refresh_from_db()
    assert (team.quantity, team.next_quantity, team.quantity_at, list_items()) == (2, None, None, [])
    assert list(invariants.check()) == []


def test_planned_seats_can_be_undone_also_when_their_period_is_open():
    team = make_seated(5)
    subscriptions.open_next_periods(FEB - HOUR)
    seats.schedule_quantity(team.pk, 2, at=FEB - HOUR)
    assert Period.objects.latest("starts_at").quantity == 2
    for _ in range(2):
        seats.undo_quantity(team.pk, at=FEB - HOUR)
    assert Period.objects.latest("starts_at").quantity == 5
    told = SubscriptionChange.objects.order_by("pk").values_list("move", flat=True)
    assert list(told) == ["created", "quantity_planned", "quantity_undone"]


def test_planned_seats_wait_for_the_end_of_a_period_of_another_kind():
    make_plan("year", rank=91, prices=(SEAT,), limits=(), periods=PeriodTerms(Interval.YEAR, Anchoring.ANNIVERSARY))
    team = make_seated(5)
    seats.schedule_quantity(team.pk, 2, at=JAN_11)
    switching.change_plan(team.pk, "year", at=JAN_21)
    team.refresh_from_db()
    assert (team.quantity, team.quantity_at) == (5, datetime(2027, 1, 21, tzinfo=UTC))


def test_a_plan_without_a_price_by_seat_has_no_seats_to_change():
    team = make_seated(1, prices=(BASE,))
    for change in (seats.change_quantity, seats.schedule_quantity, seats.preview_quantity):
        with pytest.raises(MoveRefused):
            change(team.pk, 2, at=JAN_11)
    assert SubscriptionChange.objects.count() == 1


def test_the_past_before_a_change_of_seats_is_not_cut_any_more():
    make_plan("large", rank=90, prices=(SEAT,), limits=())
    team = make_seated(2)
    seats.change_quantity(team.pk, 5, at=JAN_21)
    for change in (
        lambda: switching.change_plan(team.pk, "large", at=JAN_11),
        lambda: seats.change_quantity(team.pk, 3, at=JAN_11),
    ):
        with pytest.raises(PeriodFinal):
            change()
    assert InvoiceItem.objects.count() == 1


def test_the_live_cost_counts_seats():
    team = make_seated(3)
    assert previews.preview_period(account_id=team.account_id, at=JAN_11).total_minor == 3_100 + 930


def test_the_database_refuses_a_subscription_without_a_seat():
    make_seated(2)
    with pytest.raises(IntegrityError, match="subscription_has_seats"), transaction.atomic():
        Subscription.objects.update(quantity=0)


def test_the_invariant_finds_seats_that_a_line_does_not_bill():
    make_seated(2)
    bill_all(FEB)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    Period.objects.update(quantity=3)
    assert [each.rule for each in invariants.check()] == ["a fee by seat is asked for the seats there were"]


def test_the_invariant_finds_seats_that_no_history_tells():
    seats.change_quantity(make_seated(2).pk, 5, at=JAN_11)
    Subscription.objects.update(quantity=4)
    assert [each.rule for each in invariants.check()] == ["a subscription has the seats of its history"]


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_seats_that_race_with_the_invoice_are_on_it_or_refused():
    team = make_seated(2)
    period = Period.objects.get(subscription=team)
    changed, invoice = run_together(
        lambda: seats.change_quantity(team.pk, 5, at=FEB - HOUR),
        lambda: invoicing.close_period(period.pk, at=FEB + HOUR),
    )
    assert changed is None or isinstance(changed, PeriodFinal)
    # An hour of 744 of three seats.
    assert invoice.total_minor == 3_100 + 620 + (1 if changed is None else 0)
    assert InvoiceLine.objects.filter(kind="proration").count() == InvoiceItem.objects.count()
    assert list(invariants.check()) == []


@pytest.mark.django_db(transaction=True)
def test_control_without_the_periods_lock_seats_miss_the_invoice(monkeypatch):
    team = make_seated(2)
    is_read, is_billed = threading.Event(), threading.Event()

    def read_without_lock(subscription, *, at):
        periods = list(Period.objects.filter(subscription=subscription, ends_at__gt=at))
        is_read.set()
        is_billed.wait(10)
        return periods

    monkeypatch.setattr(shifts, "lock_periods", read_without_lock)

    def bill():
        is_read.wait(10)
        try:
            return invoicing.close_period(Period.objects.get().pk, at=FEB + HOUR)
        finally:
            is_billed.set()

    run_together(lambda: seats.change_quantity(team.pk, 5, at=FEB - HOUR), bill)
    assert InvoiceItem.objects.filter(invoice_line=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_are_one():
    team = make_seated(2)
    change = lambda: seats.change_quantity(team.pk, 5, at=JAN_11)  # noqa: E731
    assert run_together(*[change] * 4) == [None] * 4
    assert (InvoiceItem.objects.count(), SubscriptionChange.objects.count()) == (1, 2)
