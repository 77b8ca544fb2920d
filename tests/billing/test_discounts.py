from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.discounts import Discount, InvalidDiscount, discount_items, discount_price, share_discount, share_discounts


def test_a_percentage_is_taken_off_each_item_and_rounded_there():
    assert share_discount([10_000, 333], Discount(percent=Decimal("12.5"))) == (1_250, 42)
    assert discount_items([10_000, 333], Discount(percent=Decimal("12.5"))) == (8_750, 291)


def test_an_amount_is_taken_off_once_and_shared_in_proportion():
    assert share_discount([10_000, 20_000], Discount(amount_minor=9_000)) == (3_000, 6_000)
    assert share_discount([1, 1, 1], Discount(amount_minor=2)) == (1, 1, 0)


def test_a_discount_never_takes_off_more_than_there_is():
    assert share_discount([100, 200], Discount(amount_minor=1_000)) == (100, 200)
    assert discount_price(100, Discount(amount_minor=1_000)) == 0
    assert discount_price(0, Discount(amount_minor=1_000)) == 0
    assert discount_price(100, Discount(percent=Decimal(100))) == 0


def test_without_a_discount_nothing_is_taken_off():
    assert share_discount([100, 200], None) == (0, 0)
    assert discount_price(100, None) == 100


@pytest.mark.parametrize(
    ("percent", "amount"),
    [(None, None), (Decimal(10), 100), (Decimal(-1), None), (Decimal(101), None), (Decimal("NaN"), None), (None, -1)],
)
def test_a_discount_is_either_a_percentage_or_an_amount(percent, amount):
    with pytest.raises(InvalidDiscount):
        Discount(percent=percent, amount_minor=amount)


DISCOUNTS = st.builds(Discount, percent=st.decimals(0, 100, places=4)) | st.builds(
    Discount, amount_minor=st.integers(0, 10**9)
)


@given(st.lists(st.integers(0, 10**9)), DISCOUNTS)
def test_no_item_falls_below_zero_or_rises(items, discount):
    remaining = discount_items(items, discount)
    assert all(0 <= after <= before for after, before in zip(remaining, items, strict=True))


def test_each_of_several_discounts_takes_off_what_those_before_have_left():
    half, five = Discount(percent=Decimal(50)), Discount(amount_minor=500)
    assert share_discounts([1_000, 1_000], [half, five]) == ((500, 500), (250, 250))
    assert share_discounts([1_000, 1_000], [five, half]) == ((250, 250), (375, 375))
    assert share_discounts([300, 100], [half, five, half]) == ((150, 50), (150, 50), (0, 0))
    assert share_discounts([300], []) == ()
