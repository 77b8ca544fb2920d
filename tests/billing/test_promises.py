"""What a period was promised to come to: net of discounts, in proportion, with what a change made of its fees."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import coupons, invariants, invoicing, lifecycle, previews, switching
from billing.credits import ledger
from billing.models import InvoiceLine, Period
from billing.rating import flat_fee, per_unit
from tests.billing.makers import FEB, HOUR, JAN, make_plan, make_subscription, use
from tests.billing.test_items import add

pytestmark = pytest.mark.django_db

JAN_11 = datetime(2026, 1, 11, tzinfo=UTC)
FEE = flat_fee("Base fee", Decimal("31.00"))


@pytest.fixture(autouse=True)
def sound():
    yield
    assert list(invariants.check()) == []


def bounded(**bounds):
    price = per_unit("Requests", meter_key="requests", unit_amount=Decimal(1))
    return replace(price, **{name: Decimal(value) for name, value in bounds.items()})


def list_lines(invoice):
    return [(line.kind, line.amount_minor - line.discount_minor) for line in invoice.lines]


@pytest.mark.parametrize("used", [0, 50, 100])
def test_a_discount_does_not_count_as_spent(used):
    """Who uses more never pays less: 20 % off does not go below what was promised."""
    plan = make_plan(prices=[bounded()], commitment_minor=10_000)
    subscription = make_subscription(plan=plan)
    coupons.create_coupon(code="FIFTH", name="A fifth off", percent=Decimal(20))
    coupons.apply_coupon(code="FIFTH", account_id=subscription.account_id, at=JAN)
    use("acme", sizes=[1] * used, time=JAN_11)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert list_lines(invoice) == [("price", used * 80), ("true_up", 10_000 - used * 80)]
    assert invoice.total_minor == 10_000


def test_what_a_change_gave_back_of_a_fee_is_not_spent():
    """The fee of 31 is asked for 10 of 31 days, and so is the commitment of 62: 20 less 10."""
    small = make_plan("small", prices=[FEE], commitment_minor=6_200)
    make_plan("large", prices=[flat_fee("Base fee", Decimal(310))])
    subscription = make_subscription(plan=small)
    switching.change_plan(subscription.id, "large", at=JAN_11)
    add(subscription.account_id, "5.00", subscription_id=subscription.id)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert sorted(list_lines(invoice)) == [
        ("one_off", 500),
        ("price", 3_100),
        ("proration", -2_100),
        ("true_up", 1_000),
    ]


def test_what_a_change_leaves_of_the_new_fee_is_all_that_is_spent():
    make_plan("small", prices=[FEE])
    make_plan("large", prices=[flat_fee("Base fee", Decimal(310))], commitment_minor=62_000)
    subscription = make_subscription(plan=make_plan("tiny", prices=[FEE]))
    switching.change_plan(subscription.id, "large", at=JAN_11)
    invoicing.close_period(subscription.period_id, at=FEB)
    invoice = invoicing.close_period(Period.objects.latest("starts_at").pk, at=FEB)
    assert list_lines(invoice) == [("price", 31_000), ("proration", -10_000), ("true_up", 21_000)]


@pytest.mark.parametrize(
    ("used", "billed"),
    [(0, 1_000), (8, 1_000), (12, 1_200), (30, 2_000)],  # of a minimum of 31 and a cap of 62, 10 of 31 days
)
def test_the_bounds_of_a_price_are_prorated_in_a_part_of_a_period(used, billed):
    subscription = make_subscription(plan=make_plan(prices=[bounded(minimum="31", cap="62")]))
    use("acme", sizes=[1] * used, time=JAN)
    lifecycle.cancel(subscription.id, at=JAN_11)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert list_lines(invoice) == [("price", billed)]
    assert InvoiceLine.objects.get().detail == {"part": "10/31"}


def test_a_first_period_that_begins_late_has_its_part_of_the_bounds_in_the_live_cost_too():
    """21 of 31 days."""
    subscription = make_subscription(plan=make_plan(prices=[bounded(minimum="31")]), started_at=JAN_11)
    live = previews.preview_period(account_id=subscription.account_id, at=JAN_11 + HOUR)
    wallet = ledger.read_wallet(account_id=subscription.account_id, currency="EUR", at=JAN_11 + HOUR)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert live.total_minor == wallet.unbilled_minor == invoice.total_minor == 2_100


def test_a_whole_period_has_the_whole_bounds_and_says_nothing_of_parts():
    subscription = make_subscription(plan=make_plan(prices=[bounded(minimum="31")]))
    assert invoicing.close_period(subscription.period_id, at=FEB).total_minor == 3_100
    assert InvoiceLine.objects.get().detail == {}
