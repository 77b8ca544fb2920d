from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from billing.plan_costs import bill_plan, find_total, read_open_usage
from billing.rating import per_unit
from billing.subscriptions import read_subscription
from tests.billing.makers import BASE_FEE, JAN, REQUESTS, make_plan, make_subscription, use

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
JAN_11 = JAN + 10 * DAY
HALF = Decimal("0.5")


def read_used(account_id, *terms):
    return read_open_usage(read_subscription(account_id=account_id, at=JAN_11), terms)


def test_another_plan_rates_the_same_usage():
    subscription = make_subscription()
    use("acme", sizes=[1] * 20, time=JAN + DAY)
    other = make_plan("other", prices=[BASE_FEE, per_unit("R", meter_key="requests", unit_amount=HALF)])
    bill = bill_plan(other, read_used(subscription.account_id, other))
    assert (bill.charged_minor, bill.credit_minor, bill.total_minor) == (4900 + 1000, 0, 5900)
    assert REQUESTS.description not in {line.description for line in bill.lines}


def test_a_plan_asks_at_least_its_commitment_and_its_own_credit_pays_of_it():
    subscription = make_subscription()
    use("acme", sizes=[1] * 20, time=JAN + DAY)
    price = per_unit("R", meter_key="requests", unit_amount=HALF)
    other = make_plan("other", prices=[price], commitment_minor=3_000, included_credit_minor=2_500)
    bill = bill_plan(other, read_used(subscription.account_id, other))
    assert [(line.description, line.amount_minor) for line in bill.lines] == [("R", 1000), ("Commitment", 2000)]
    assert (bill.charged_minor, bill.credit_minor, bill.total_minor) == (3000, 2500, 500)


def test_of_a_part_of_a_period_commitment_and_credit_are_that_part():
    subscription = make_subscription()
    price = per_unit("R", meter_key="requests", unit_amount=HALF)
    other = make_plan("other", prices=[price], commitment_minor=3_000, included_credit_minor=2_500)
    used = replace(read_used(subscription.account_id, other), part=Fraction(1, 3))
    assert (bill_plan(other, used).charged_minor, bill_plan(other, used).credit_minor) == (1000, 833)


def test_credit_that_a_plan_includes_never_pays_more_than_it_asks():
    subscription = make_subscription()
    use("acme", sizes=[1] * 2, time=JAN + DAY)
    price = per_unit("R", meter_key="requests", unit_amount=HALF)
    other = make_plan("other", prices=[price], included_credit_minor=2_500)
    assert bill_plan(other, read_used(subscription.account_id, other)).total_minor == 0


def test_what_no_invoice_can_hold_has_no_total():
    subscription = make_subscription()
    use("acme", sizes=[10**14], time=JAN + DAY)
    other = make_plan("other", prices=[per_unit("B", meter_key="bandwidth", unit_amount=Decimal(1000))])
    assert find_total(other, read_used(subscription.account_id, other)) is None
    assert find_total(other, None) is None
