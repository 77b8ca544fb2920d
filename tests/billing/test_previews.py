from datetime import timedelta
from decimal import Decimal

import pytest

from billing import previews
from billing.plans import PeriodTerms
from billing.rating import per_unit
from metering import meters
from tests.billing.makers import (
    BASE_FEE,
    BY_HOST,
    CARDS,
    HOUR,
    JAN,
    REQUESTS,
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


def test_a_preview_of_another_plan_rates_the_same_usage():
    subscription = make_subscription()
    use("acme", sizes=[1] * 20, time=JAN + DAY)
    other = make_plan("other", prices=[BASE_FEE, per_unit("R", meter_key="requests", unit_amount=Decimal("0.5"))])
    start, end = subscription.period_start, subscription.period_end
    bill = previews.preview_plan(other, account_id=subscription.account_id, start=start, end=end)
    assert bill.total_minor == 4900 + 1000
    assert REQUESTS.description not in list_quantities(bill)
