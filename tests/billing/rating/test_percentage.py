import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import MissingReading, Step, StepKind, Usage, rate
from tests.billing.rating.shapes import D, make_percentage, percentage_prices, spend

FOUR = ("50", "100", "250", "400")


@pytest.mark.parametrize(
    ("terms", "amount"),
    [
        ({"fee": "2"}, "18.4"),
        ({"fee": "2", "free_amount": "250"}, "11.15"),  # the third crosses and pays its fee
        ({"fee": "2", "free_amount": "400"}, "7.2"),  # the third ends exactly there and pays none
        ({"fee": "2", "free_amount": "10000"}, "0"),
        ({"free_amount": "250"}, "7.15"),
        ({"fee": "2", "free_transactions": 3}, "7.2"),
        ({"fee": "2", "free_transactions": 4}, "0"),
        ({"fee": "2", "free_transactions": 3, "free_amount": "250"}, "11.15"),  # the amount is spent first
        ({"fee": "2", "free_transactions": 1, "free_amount": "250"}, "15.75"),  # the number is
        ({"minimum": "2"}, "12.45"),
        ({"maximum": "2"}, "5.95"),
        ({"fee": "2", "minimum": "3", "maximum": "5"}, "16.3"),  # the fee counts within the bounds
        ({"free_transactions": 3, "minimum": "6"}, "6"),  # what is free pays no minimum
        ({"free_amount": "250", "minimum": "2"}, "7.2"),
    ],
)
def test_four_transactions_of_800(terms, amount):
    assert rate(make_percentage(**terms), spend(*FOUR)).amount_exact == D(amount)


def test_the_steps_say_how_many_pay_the_least_and_the_most():
    price = make_percentage("2.99", minimum="1.75", maximum="12")
    assert rate(price, spend("10", "80", "10000")).steps == (
        Step(StepKind.RATE, D(80), D("0.0299"), D("2.392")),
        Step(StepKind.SMALL, D(1), D("1.75"), D("1.75")),
        Step(StepKind.LARGE, D(1), D(12), D(12)),
    )


def test_value_and_number_are_enough_where_no_single_transaction_matters():
    assert rate(make_percentage(fee="2"), Usage(D(800), event_count=4)).amount_exact == D("18.4")
    assert rate(make_percentage(free_amount="250"), D(800)).amount_exact == D("7.15")


@pytest.mark.parametrize(
    ("terms", "usage", "field"),
    [
        ({"fee": "2"}, Usage(D(800)), "event_count"),
        ({"minimum": "2"}, Usage(D(800), event_count=4), "transactions"),
        ({"maximum": "2"}, Usage(D(800), event_count=4), "transactions"),
        ({"free_transactions": 1}, Usage(D(800), event_count=4), "transactions"),
        ({"fee": "2", "free_amount": "1"}, Usage(D(800), event_count=4), "transactions"),
    ],
)
def test_what_a_percentage_needs_and_the_reading_has_not_is_named(terms, usage, field):
    with pytest.raises(MissingReading) as refusal:
        rate(make_percentage(**terms), usage)
    assert refusal.value.field == field


@pytest.mark.parametrize(("terms", "amount"), [({}, "0"), ({"fee": "2"}, "2"), ({"fee": "2", "minimum": "3"}, "3")])
def test_a_refund_takes_nothing_off_but_is_a_transaction(terms, amount):
    assert rate(make_percentage(**terms), spend("-50")).amount_exact == D(amount)


VALUES = st.lists(st.decimals(0, 10**6, places=12), max_size=12)


@given(percentage_prices(), VALUES, VALUES)
def test_one_more_transaction_never_costs_less(price, before, more):
    assert rate(price, spend(*before)).amount_exact <= rate(price, spend(*before, *more)).amount_exact


@given(percentage_prices(), VALUES)
def test_every_transaction_pays_within_its_bounds_or_nothing(price, values):
    terms = price.percentage
    amount = rate(price, spend(*values)).amount_exact
    assert amount >= 0
    if terms.maximum is not None:
        assert amount <= terms.maximum * len(values)
    if terms.minimum is not None and not terms.free_amount and not terms.free_transactions:
        assert amount >= terms.minimum * len(values)
