from datetime import timedelta
from decimal import Decimal

import pytest

from billing import invoicing, previews
from billing.coupons import apply_coupon, create_coupon
from billing.credits.grants import grant_credit
from billing.items import add_item
from billing.models import CouponDuration, CreditSource, ItemKind
from billing.plans import PeriodTerms
from billing.rating import per_unit
from billing.tax_rates import create_tax_rate, set_tax_rates
from metering import meters
from tests.billing.makers import (
    BY_HOST,
    CARDS,
    FEB,
    HOUR,
    JAN,
    make_account,
    make_detailed_meters,
    make_plan,
    make_subscription,
    send,
    use,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
JAN_11 = JAN + 10 * DAY  # of thirty-one days ten are over: usage grows by 3.1


def preview(subscription, at=JAN_11):
    return previews.preview_close(account_id=subscription.account_id, at=at)


def list_quantities(bill):
    return {line.description: line.quantity for line in bill.lines}


def test_the_next_invoice_is_told_so_far_and_at_its_close():
    subscription = make_subscription()
    use("acme", sizes=[1_000_000] * 1_000, time=JAN + DAY)
    bill = preview(subscription)
    assert list_quantities(bill.so_far) == {
        "Base fee": Decimal(1),
        "Requests": Decimal(1_000),
        "Bandwidth": Decimal(10**9),
    }
    assert list_quantities(bill.at_close) == {
        "Base fee": Decimal(1),
        "Requests": Decimal(3_100),
        "Bandwidth": Decimal(3_100_000_000),
    }
    assert bill.so_far.total_minor == 4909
    assert bill.at_close.total_minor == 4928
    assert (bill.at_close.start, bill.at_close.end) == (subscription.period_start, subscription.period_end)


def test_the_live_cost_is_the_first_half_of_it():
    subscription = make_subscription()
    use("acme", sizes=[10**12], time=JAN + DAY)
    assert previews.preview_period(account_id=subscription.account_id, at=JAN_11) == preview(subscription).so_far


def test_a_level_is_not_multiplied():
    meters.create_meter(
        key="seats", name="Seats", event_type="seats", aggregation="max", value="count", unit="seat", at=JAN
    )
    price = per_unit("Seats", meter_key="seats", unit_amount=Decimal(5))
    subscription = make_subscription(plan=make_plan(prices=[price], limits=()))
    send("acme", "seats", (JAN + HOUR, {"count": 7}))
    bill = preview(subscription)
    assert bill.so_far.total_minor == bill.at_close.total_minor == 3500


def test_parts_and_transactions_grow_as_well():
    make_detailed_meters()
    subscription = make_subscription(plan=make_plan(prices=[BY_HOST, CARDS], limits=()))
    send("acme", "web.request", (JAN + HOUR, {"bytes": 1000, "host": "a", "path": "/"}))
    send("acme", "card.paid", *((JAN + n * HOUR, {"amount": 500}) for n in range(10)))
    bill = preview(subscription)
    assert list_quantities(bill.at_close) == {"Traffic": Decimal(3100), "Card payments": Decimal(15_500)}
    # 3,100 bytes at 0.02; 31 payments cost 1.3 % of 500 and 0.25 each, but for a value of 100 that is free.
    assert [line.amount_minor for line in bill.at_close.lines] == [6200, 31 * 675 - 130]


def test_a_close_beyond_what_an_invoice_holds_is_not_told():
    subscription = make_subscription(
        plan=make_plan(prices=[per_unit("R", meter_key="bandwidth", unit_amount=Decimal(1))])
    )
    use("acme", sizes=[5 * 10**13], time=JAN + DAY)
    bill = preview(subscription)
    assert bill.so_far.total_minor == 5 * 10**15
    assert bill.at_close is None


def test_a_free_period_costs_nothing():
    plan = make_plan(periods=PeriodTerms(trial_days=14))
    subscription = make_subscription(plan=plan)
    use("acme", sizes=[10**12], time=JAN + DAY)
    bill = preview(subscription)
    assert (bill.so_far.total_minor, bill.so_far.lines, bill.at_close) == (0, (), bill.so_far)


def test_without_a_subscription_there_is_no_next_invoice():
    with pytest.raises(previews.NotSubscribed):
        previews.preview_close(account_id=make_account().id, at=JAN_11)


def test_what_waits_and_discounts_and_taxes_and_credit_are_part_of_it_as_of_the_invoice():
    """Composed by the same functions from the same facts, so that no line can differ."""
    subscription = make_subscription(plan=make_plan(commitment_minor=10_000))
    vat = create_tax_rate(name="VAT", percent=Decimal(20))
    set_tax_rates(account_id=subscription.account_id, rate_ids=[vat])
    create_coupon(code="TEN", name="Ten", percent=Decimal(10), duration=CouponDuration.FOREVER)
    apply_coupon(code="TEN", account_id=subscription.account_id, at=JAN)
    add_item(
        account_id=subscription.account_id,
        subscription_id=subscription.id,
        currency="EUR",
        kind=ItemKind.ONE_OFF,
        description="Setup",
        unit_amount=Decimal(15),
        key="setup",
        at=JAN,
    )
    grant_credit(
        account_id=subscription.account_id,
        currency="EUR",
        amount_minor=700,
        source=CreditSource.PROMOTION,
        key="gift",
        at=JAN,
    )
    use("acme", sizes=[1_000_000] * 1_000, time=JAN + DAY)
    bill = previews.preview_period(account_id=subscription.account_id, at=JAN_11)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert bill.lines == invoice.lines
    assert [line.kind for line in bill.lines] == ["price", "price", "price", "one_off", "true_up"]
    assert (bill.total_minor, bill.credited_minor, bill.due_minor) == (13_800, 700, 13_100)
    assert (invoice.total_minor, invoice.credited_minor, invoice.due_minor) == (13_800, 700, 13_100)


def test_a_preview_writes_and_locks_nothing(django_assert_max_num_queries):
    subscription = make_subscription()
    use("acme", sizes=[1], time=JAN + DAY)
    with django_assert_max_num_queries(16) as asked:
        preview(subscription)
    assert all(query["sql"].lstrip().upper().startswith(("SELECT", "WITH")) for query in asked.captured_queries)
    assert not any("FOR UPDATE" in query["sql"] or "FOR NO KEY" in query["sql"] for query in asked.captured_queries)
