from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.discounts import Discount
from billing.documents import add_up, compose_lines
from billing.lines import LineFact
from billing.money import find_exponent, round_money
from billing.taxes import TaxTerms

VAT = TaxTerms("VAT", Decimal(20))
INCLUSIVE = TaxTerms("TVA", Decimal(20), is_inclusive=True)


def make_line(minor, kind="price"):
    amount = Decimal(minor).scaleb(-2)
    return LineFact(0, "Fee", None, None, "", "", Decimal(1), None, (), amount, minor, kind=kind)


def test_a_discount_comes_before_tax_and_off_prices_alone():
    lines = compose_lines(
        [make_line(10_000), make_line(-2_000, "proration")], taxes=[VAT], discounts=[Discount(percent=Decimal(10))]
    )
    assert [(line.position, line.discount_minor, line.subtotal_minor, line.tax_minor) for line in lines] == [
        (1, 1_000, 9_000, 1_800),
        (2, 0, -2_000, -400),
    ]
    assert add_up(lines).total_minor == 8_400


def test_discounts_are_taken_one_after_the_other():
    discounts = [Discount(percent=Decimal(50)), Discount(amount_minor=10_000)]
    lines = compose_lines([make_line(300), make_line(100)], taxes=[], discounts=discounts)
    assert [(line.discount_minor, line.total_minor) for line in lines] == [(300, 0), (100, 0)]


amounts = st.lists(st.integers(-(10**9), 10**9), max_size=20)
taxes = st.lists(
    st.builds(
        TaxTerms, st.just("Tax"), st.decimals(0, 100, places=4).map(lambda each: replace_zero(each)), st.booleans()
    ),
    max_size=3,
)
discounts = st.lists(
    st.builds(Discount, percent=st.decimals(0, 100, places=2).map(lambda each: replace_zero(each)))
    | st.builds(Discount, amount_minor=st.integers(0, 10**9)),
    max_size=3,
)


def replace_zero(number):
    """Without the sign that a zero may have."""
    return number + Decimal(0)


@given(amounts, taxes, discounts)
def test_net_and_tax_of_the_lines_are_the_total_whatever_is_taken_off(minors, asked, given_off):
    lines = compose_lines(map(make_line, minors), taxes=asked, discounts=given_off)
    sums = add_up(lines)
    assert sums.total_minor == sum(line.total_minor for line in lines)
    for line in lines:
        assert 0 <= line.discount_minor <= max(line.amount_minor, 0)
        assert line.subtotal_minor + line.tax_minor == line.total_minor
    added = sum(each.minor for line in lines for each in line.taxes if not each.is_inclusive)
    assert sums.total_minor == sum(minors) - sums.discount_minor + added


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
def test_the_total_of_ten_thousand_lines_is_the_sum_of_their_rounded_parts(currency):
    """Worked out line by line in fractions beside it: rounded, 12.5 % off, 19 % and 5.5 % on top."""
    exact = [Decimal(number * 7_919 % 1_000_003 - 100_000).scaleb(-5) for number in range(10_000)]
    rounded = [round_money(each, currency).minor for each in exact]
    terms = {"taxes": [TaxTerms("VAT", Decimal(19)), TaxTerms("Levy", Decimal("5.5"))]}
    lines = compose_lines(map(make_line, rounded), discounts=[Discount(percent=Decimal("12.5"))], **terms)
    off = [round_half_away(Fraction(max(each, 0)) / 8) for each in rounded]
    net = [each - part for each, part in zip(rounded, off, strict=True)]
    tax = [round_half_away(Fraction(each * 19, 100)) + round_half_away(Fraction(each * 55, 1000)) for each in net]
    sums = add_up(lines)
    assert (sums.discount_minor, sums.subtotal_minor, sums.tax_minor) == (sum(off), sum(net), sum(tax))
    assert sums.total_minor == sum(net) + sum(tax) == sum(line.total_minor for line in lines)
    # And that is another number than the exact sum, rounded once.
    once = round_half_away(sum(map(Fraction, exact)) * 10 ** find_exponent(currency))
    assert once != sum(rounded)


def round_half_away(value):
    whole, rest = divmod(abs(value), 1)
    return (whole + (rest >= Fraction(1, 2))) * (1 if value > 0 else -1)


def test_taxes_inside_and_on_top_of_a_price_share_one_net():
    [line] = compose_lines([make_line(12_000)], taxes=[INCLUSIVE, VAT])
    assert (line.subtotal_minor, line.tax_minor, line.total_minor) == (10_000, 4_000, 14_000)
    assert replace(line, taxes=()).total_minor == 12_000
