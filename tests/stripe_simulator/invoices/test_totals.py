"""An invoice adds up to the smallest unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_simulator.invoices.totals import Discount, Line, Tax, TaxRate, add_up, share_amount

TEN_PERCENT = Discount("di_ten", percent_off=Decimal(10))
FIVE_OFF = Discount("di_five", amount_off=500)
VAT = TaxRate("txr_vat", Decimal(20))
AMOUNTS = st.integers(-(10**9), 10**9)


def test_an_exclusive_tax_comes_on_top():
    totals = add_up([Line("il_1", 1000, rates=(VAT,))])
    assert (totals.subtotal, totals.total, totals.total_excluding_tax) == (1000, 1200, 1000)


def test_an_inclusive_tax_lies_inside():
    totals = add_up([Line("il_1", 1200, rates=(TaxRate("txr_in", Decimal(20), inclusive=True),))])
    assert (totals.subtotal, totals.subtotal_excluding_tax, totals.total, totals.total_excluding_tax) == (
        1200,
        1000,
        1200,
        1000,
    )


def test_a_tax_is_rounded_once_for_each_line():
    totals = add_up([Line(f"il_{number}", 3, rates=(VAT,)) for number in range(10)])
    assert totals.total == 40  # ten times 0.6, each a whole unit


def test_given_tax_amounts_win_over_rates():
    given_tax = Tax("txr_given", 7, 1000, reason="reduced_rated")
    totals = add_up([Line("il_1", 1000, rates=(VAT,), fixed_taxes=(given_tax,))])
    assert totals.total == 1007
    assert totals.taxes == (given_tax,)


def test_a_discount_of_the_invoice_is_shared_to_the_last_unit():
    totals = add_up([Line("il_1", 100), Line("il_2", 100), Line("il_3", 101)], [TEN_PERCENT])
    assert [each.discounts["di_ten"] for each in totals.lines] == [10, 10, 10]
    assert totals.total == 271


def test_an_amount_off_never_makes_a_line_negative():
    assert add_up([Line("il_1", 300)], [FIVE_OFF]).total == 0


def test_what_is_not_discountable_is_left_alone():
    totals = add_up([Line("il_1", 1000, discountable=False), Line("il_2", 1000)], [TEN_PERCENT])
    assert [each.left for each in totals.lines] == [1000, 900]


def test_a_coupon_for_a_product_touches_its_lines_only():
    off = Discount("di_product", percent_off=Decimal(50), products=frozenset({"prod_a"}))
    totals = add_up([Line("il_1", 1000, product="prod_a"), Line("il_2", 1000, product="prod_b")], [off])
    assert totals.discounts == {"di_product": 500}


def test_credit_comes_off_before_tax():
    totals = add_up([Line("il_1", 1000, rates=(VAT,), credit=400)])
    assert (totals.credit, totals.total) == (400, 720)


def test_a_negative_line_has_a_negative_tax():
    totals = add_up([Line("il_1", 1000, rates=(VAT,)), Line("il_2", -250, discountable=False, rates=(VAT,))])
    assert totals.total == 900


@given(amount=st.integers(0, 10**9), weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_stay_within_one_unit_of_their_part(amount, weights):
    shares = share_amount(amount, weights)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - amount * weight) < sum(weights)


@given(amounts=st.lists(AMOUNTS, max_size=20), percentage=st.decimals("0", "100", places=2))
def test_the_total_is_the_sum_of_its_lines(amounts, percentage):
    lines = [Line(f"il_{number}", amount, rates=(TaxRate("txr", percentage),)) for number, amount in enumerate(amounts)]
    totals = add_up(lines, [TEN_PERCENT])
    assert totals.total == sum(each.left + sum(tax.amount for tax in each.taxes) for each in totals.lines)


@pytest.mark.parametrize("amounts", [[], [0], [-5, 5]])
def test_nothing_to_discount_is_no_error(amounts):
    assert add_up([Line(f"il_{number}", amount) for number, amount in enumerate(amounts)], [FIVE_OFF]).total in (0, -5)
