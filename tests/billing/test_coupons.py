from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import coupons, discounts, invoicing, lifecycle, seats, subscriptions, switching
from billing.coupons import CouponRefused, InvalidCoupon, UnknownCoupon
from billing.models import Coupon, CouponDuration, Discount, Period
from billing.money import UnknownCurrency
from billing.rating import flat_fee
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_account, make_plan, make_subscription
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

APR = datetime(2026, 4, 1, tzinfo=UTC)

QUARTER_OFF = discounts.Discount(percent=Decimal(25))


def make_coupon(code="WELCOME25", **terms):
    if "amount_minor" not in terms:
        terms.setdefault("percent", Decimal(25))
    return coupons.create_coupon(code=code, name="Welcome", **terms)


def read_codes(subscription, at):
    found = coupons.read_discounts(account_id=subscription.account_id, subscription_id=subscription.id, at=at)
    return [each.coupon_code for each in found]


def test_a_coupon_for_one_period_counts_for_the_one_it_was_applied_in():
    subscription = make_subscription()
    make_coupon()
    applied = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    assert (applied.starts_at, applied.ends_at) == (JAN, FEB)
    assert (applied.terms, applied.subscription_id) == (QUARTER_OFF, subscription.id)
    assert read_codes(subscription, JAN) == ["WELCOME25"]
    assert read_codes(subscription, FEB) == []


def test_a_coupon_for_months_ends_with_the_month_on_the_accounts_clocks():
    subscription = make_subscription(time_zone="Europe/Paris", started_at=datetime(2026, 1, 31, 23, tzinfo=UTC))
    make_coupon(duration=CouponDuration.REPEATING, months=2)
    applied = coupons.apply_coupon(
        code="WELCOME25", account_id=subscription.account_id, at=datetime(2026, 2, 10, tzinfo=UTC)
    )
    # Midnight in Paris, once in winter and once in summer.
    assert (applied.starts_at, applied.ends_at) == (
        datetime(2026, 1, 31, 23, tzinfo=UTC),
        datetime(2026, 3, 31, 22, tzinfo=UTC),
    )
    assert applied.subscription_id is None


def test_a_coupon_for_ever_has_no_end_until_it_is_ended():
    subscription = make_subscription()
    make_coupon(duration=CouponDuration.FOREVER)
    applied = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    assert applied.ends_at is None
    ended = coupons.end_discount(applied.id, at=MID_JAN)
    assert ended.ends_at == MID_JAN
    assert coupons.end_discount(applied.id, at=MAR) == ended
    assert read_codes(subscription, JAN) == ["WELCOME25"]
    assert read_codes(subscription, FEB) == []


def test_a_discount_that_ends_before_it_begins_never_was():
    subscription = make_subscription()
    make_coupon(duration=CouponDuration.FOREVER)
    applied = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    assert coupons.end_discount(applied.id, at=JAN - timedelta(days=1)).ends_at == JAN
    assert read_codes(subscription, JAN) == []


def test_applying_twice_is_one_discount():
    subscription = make_subscription()
    make_coupon(max_redemptions=1)
    first = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    assert coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MAR) == first
    assert Coupon.objects.get().redemption_count == 1


def test_discounts_are_read_in_the_order_in_which_they_were_applied(django_assert_num_queries):
    acme, beta = make_subscription("acme", plan=(plan := make_plan())), make_subscription("beta", plan=plan)
    make_coupon("FIRST", duration=CouponDuration.FOREVER)
    make_coupon("SECOND", duration=CouponDuration.FOREVER, amount_minor=500, currency="EUR")
    coupons.apply_coupon(code="SECOND", account_id=acme.account_id, subscription_id=acme.id, at=JAN)
    coupons.apply_coupon(code="FIRST", account_id=acme.account_id, at=JAN)
    coupons.apply_coupon(code="FIRST", account_id=beta.account_id, at=JAN)
    assert read_codes(acme, FEB) == ["SECOND", "FIRST"]
    with django_assert_num_queries(1):
        found = coupons.read_discounts_of(
            {
                "acme": (acme.account_id, acme.id, FEB),
                "acme before": (acme.account_id, acme.id, JAN - HOUR),
                "beta": (beta.account_id, beta.id, MAR),
            }
        )
    assert {key: [each.coupon_code for each in facts] for key, facts in found.items()} == {
        "acme": ["SECOND", "FIRST"],
        "acme before": [],
        "beta": ["FIRST"],
    }
    assert coupons.read_discounts_of({}) == {}


@pytest.mark.parametrize(
    ("terms", "at", "why"),
    [
        ({"valid_until": JAN}, JAN, "was valid until"),
        ({"max_redemptions": 0}, JAN, "was applied 0 times, which is all"),
        ({"amount_minor": 500, "currency": "USD"}, JAN, "in USD, the subscription in EUR"),
        ({}, JAN - timedelta(days=1), "no period"),
    ],
)
def test_a_coupon_that_does_not_fit_is_refused(terms, at, why):
    subscription = make_subscription()
    make_coupon(**terms)
    with pytest.raises(CouponRefused, match=why):
        coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=at)
    assert not Discount.objects.exists()


def test_a_coupon_for_one_period_needs_a_subscription():
    account = make_account()
    make_coupon()
    with pytest.raises(CouponRefused, match="has no active subscription"):
        coupons.apply_coupon(code="WELCOME25", account_id=account.id, at=JAN)
    stranger = make_subscription("beta")
    with pytest.raises(CouponRefused, match="has no subscription"):
        coupons.apply_coupon(code="WELCOME25", account_id=account.id, subscription_id=stranger.id, at=JAN)


def test_an_amount_in_another_currency_than_the_account_came_to_have_is_taken_off_nothing():
    account = make_account()
    make_coupon(code="DOLLARS", amount_minor=500, currency="USD", duration=CouponDuration.FOREVER)
    make_coupon(code="EUROS", amount_minor=500, currency="EUR", duration=CouponDuration.FOREVER)
    make_coupon(code="PART", duration=CouponDuration.FOREVER)
    for code in ("DOLLARS", "EUROS", "PART"):
        coupons.apply_coupon(code=code, account_id=account.id, at=JAN)
    plan = make_plan(prices=[flat_fee("Base fee", Decimal(100))], limits=())
    made = subscriptions.create_subscription(account_id=account.id, plan_slug=plan.slug, started_at=JAN, at=JAN)
    assert read_codes(made, JAN) == ["EUROS", "PART"]
    asked = {"it": (account.id, made.id, JAN)}
    assert [each.coupon_code for each in coupons.read_discounts_of(asked)["it"]] == ["EUROS", "PART"]
    assert invoicing.close_period(made.period_id, at=FEB).discount_minor == 500 + 2_375


def test_an_unknown_coupon_is_named():
    with pytest.raises(UnknownCoupon, match="no coupon 'GOLD'"):
        coupons.apply_coupon(code="GOLD", account_id=make_account().id, at=JAN)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"percent": Decimal(10), "amount_minor": 5, "currency": "EUR"}, "percent"),
        ({"percent": Decimal(0)}, "percent"),
        ({"percent": Decimal(101)}, "percent"),
        ({"percent": Decimal("NaN")}, "percent"),
        ({"percent": Decimal(10), "currency": "EUR"}, "currency"),
        ({"amount_minor": 0, "currency": "EUR"}, "amount_minor"),
        ({"months": 3}, "months"),
        ({"duration": CouponDuration.REPEATING}, "months"),
        ({"duration": CouponDuration.REPEATING, "months": 0}, "months"),
    ],
)
def test_terms_that_no_coupon_can_have_name_their_field(terms, field):
    with pytest.raises(InvalidCoupon) as refusal:
        make_coupon(**terms)
    assert refusal.value.field == field
    assert not Coupon.objects.exists()


def test_a_code_is_given_once_and_an_amount_is_in_a_real_currency():
    make_coupon()
    with pytest.raises(InvalidCoupon) as refusal:
        make_coupon()
    assert refusal.value.field == "code"
    with pytest.raises(UnknownCurrency):
        make_coupon("FIVE", amount_minor=5, currency="EURO")


def assert_refused(constraint, write):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write()
    assert refusal.value.__cause__.diag.constraint_name == constraint


def test_what_a_coupon_takes_off_never_changes_but_for_how_often_and_how_long():
    coupon = Coupon.objects.filter(pk=make_coupon().id)
    for change in ({"percent": Decimal(30)}, {"duration": "forever"}, {"code": "OTHER"}):
        assert_refused("coupon_terms_never_change", lambda change=change: coupon.update(**change))
    assert coupon.update(max_redemptions=5, valid_until=FEB, name="Hello") == 1


def test_a_discount_only_ends_sooner():
    subscription = make_subscription()
    make_coupon()
    applied = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    discount = Discount.objects.filter(pk=applied.id)
    for change in ({"ends_at": MAR}, {"ends_at": None}, {"starts_at": FEB}):
        assert_refused("discount_only_ends_sooner", lambda change=change: discount.update(**change))
    assert_refused("discount_only_ends_sooner", discount.delete)


def test_the_database_itself_redeems_no_coupon_too_often():
    subscription = make_subscription()
    coupon = make_coupon(max_redemptions=0)
    assert_refused(
        "coupon_not_redeemed_too_often",
        lambda: Discount.objects.create(
            coupon_id=coupon.id, account_id=subscription.account_id, starts_at=JAN, applied_at=JAN
        ),
    )


@pytest.mark.django_db(transaction=True)
def test_two_customers_at_once_cannot_both_redeem_the_last_of_a_coupon():
    plan = make_plan()
    subscriptions = [make_subscription(key, plan=plan) for key in ("acme", "beta")]
    make_coupon(max_redemptions=1)
    results = run_together(
        *(
            lambda account_id=each.account_id: coupons.apply_coupon(code="WELCOME25", account_id=account_id, at=JAN)
            for each in subscriptions
        )
    )
    assert sorted(type(each).__name__ for each in results) == ["CouponRefused", "DiscountFact"]
    assert Discount.objects.count() == 1


def test_a_coupon_takes_nothing_off_a_period_whose_fees_were_prorated_without_it():
    """What a change took off is of the whole fee: with less fee it would be more than was asked."""
    make_plan("small", prices=[flat_fee("Fee", Decimal("10.00"))], limits=[])
    large = make_plan("large", prices=[flat_fee("Fee", Decimal("31.00"))], limits=[])
    subscription = subscriptions.create_subscription(
        account_id=make_account().id, plan_slug="small", started_at=JAN, at=JAN
    )
    switching.change_plan(subscription.id, large.slug, at=datetime(2026, 1, 16, tzinfo=UTC))
    make_coupon(percent=Decimal(100))
    applied = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN + 48 * HOUR)
    subscriptions.open_next_periods(MAR)
    january, rest, february, march = Period.objects.order_by("starts_at")[:4]
    totals = [invoicing.close_period(each.pk, at=APR).total_minor for each in (january, rest, february, march)]
    assert totals == [484, 1600, 0, 3100]
    assert (applied.starts_at, applied.ends_at) == (MID_JAN + 48 * HOUR, MAR)


def test_a_coupon_takes_nothing_off_a_period_in_which_seats_went_without_it():
    plan = make_plan(prices=[flat_fee("Seats", Decimal("31.00"), per_seat=True)], limits=[])
    subscription = subscriptions.create_subscription(
        account_id=make_account().id, plan_slug=plan.slug, started_at=JAN, at=JAN, quantity=2
    )
    seats.change_quantity(subscription.id, 1, at=datetime(2026, 1, 11, tzinfo=UTC))
    make_coupon(percent=Decimal(100), duration=CouponDuration.FOREVER)
    applied = coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    subscriptions.open_next_periods(FEB)
    january, february = Period.objects.order_by("starts_at")[:2]
    assert [invoicing.close_period(each.pk, at=MAR).total_minor for each in (january, february)] == [4100, 0]
    assert (applied.starts_at, applied.ends_at) == (MID_JAN, None)


def test_a_coupon_for_one_period_is_refused_where_the_last_one_is_prorated_already():
    plan = make_plan(prices=[flat_fee("Seats", Decimal("31.00"), per_seat=True)], limits=[])
    subscription = subscriptions.create_subscription(
        account_id=make_account().id, plan_slug=plan.slug, started_at=JAN, at=JAN, quantity=2
    )
    seats.change_quantity(subscription.id, 1, at=datetime(2026, 1, 11, tzinfo=UTC))
    lifecycle.cancel_at_end(subscription.id, at=MID_JAN)
    make_coupon()
    with pytest.raises(CouponRefused, match="prorated already"):
        coupons.apply_coupon(code="WELCOME25", account_id=subscription.account_id, at=MID_JAN)
    assert not Discount.objects.exists()
