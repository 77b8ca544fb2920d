from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import (
    CurrencyMismatch,
    Money,
    NothingToShareBy,
    UnknownCurrency,
    add_money,
    allocate,
    round_minor,
    round_money,
)


@pytest.mark.parametrize(
    ("exact", "currency", "minor"),
    [
        ("10.278798", "USD", 1028),
        ("1023.45", "JPY", 1023),
        ("1023.5", "JPY", 1024),
        ("0.004", "GBP", 0),
        ("0.005", "GBP", 1),
        ("-0.005", "GBP", -1),
        ("0.0005", "KWD", 1),
        ("1.2345", "KWD", 1235),
        ("2.675", "USD", 268),
        ("0.01994", "USD", 2),
        ("61.7280", "USD", 6173),
        ("90000000000000.005", "EUR", 9000000000000001),
        ("1234567890123456789012345678901234567890.5", "JPY", 1234567890123456789012345678901234567891),
    ],
)
def test_rounding_is_half_away_from_zero_to_the_currency_exponent(exact, currency, minor):
    assert round_money(Decimal(exact), currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("lines", "currency", "total"),
    [
        (["10.333333"] * 3, "USD", 3099),
        (["33.333333", "33.333333", "33.333334"], "USD", 9999),
        (["100.4", "200.5", "300.6"], "JPY", 602),
    ],
)
def test_a_total_is_the_sum_of_rounded_lines(lines, currency, total):
    assert add_money((round_money(Decimal(line), currency) for line in lines), currency) == Money(total, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "amount"), [(4900, "EUR", "49.00"), (525, "JPY", "525"), (5, "KWD", "0.005")]
)
def test_an_amount_has_exactly_the_decimals_of_its_currency(minor, currency, amount):
    assert str(Money(minor, currency).amount) == amount


def test_an_empty_sum_is_zero():
    assert add_money([], "EUR") == Money(0, "EUR")


def test_two_currencies_are_never_added():
    with pytest.raises(CurrencyMismatch, match="EUR and USD cannot be added"):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize("code", ["XXX", "eur", "", "EURO"])
def test_an_unknown_currency_is_refused(code):
    with pytest.raises(UnknownCurrency):
        round_money(Decimal(1), code)


@given(st.integers(-(10**18), 10**18), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_what_is_rounded_already_stays_as_it_is(minor, currency):
    assert round_money(Money(minor, currency).amount, currency) == Money(minor, currency)


@given(st.decimals(-(10**12), 10**12, places=12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_rounding_moves_an_amount_by_at_most_half_a_unit_and_is_symmetric(exact, currency):
    rounded = round_money(exact, currency)
    half = Decimal(5).scaleb(-{"EUR": 2, "JPY": 0, "KWD": 3}[currency] - 1)
    assert abs(rounded.amount - exact) <= half
    assert round_money(-exact, currency).minor == -rounded.minor


@pytest.mark.parametrize(
    ("exact", "minor"),
    [
        (Fraction(1, 2), 1),
        (Fraction(-1, 2), -1),
        (Fraction(1, 3), 0),
        (Fraction(2, 3), 1),
        (Fraction(-7, 2), -4),
        (Fraction(10**40 * 2 + 1, 2), 10**40 + 1),
        (7, 7),
        (Decimal("-2.5"), -3),
    ],
)
def test_a_fraction_is_rounded_as_a_decimal_is(exact, minor):
    assert round_minor(exact) == minor
    assert round_money(exact, "JPY") == Money(minor, "JPY")


def test_a_fraction_is_rounded_to_the_currency_exponent():
    assert round_money(Fraction(2, 3), "EUR") == Money(67, "EUR")
    assert round_money(Fraction(2, 3), "KWD") == Money(667, "KWD")


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (600, ["10", "5"], (400, 200)),
        (5, ["1", "1", "1"], (2, 2, 1)),
        (-5, ["1", "1", "1"], (-2, -2, -1)),
        (1, ["100", "1"], (1, 0)),
        (1, ["1", "100"], (0, 1)),
        (10_000, ["1", "2", "3"], (1_667, 3_333, 5_000)),
        (100, ["0.001", "0.002"], (33, 67)),
        (100, ["0", "1"], (0, 100)),
        (0, ["0", "0"], (0, 0)),
        (0, [], ()),
    ],
)
def test_parts_are_in_proportion_and_the_units_that_are_left_go_where_most_was_lost(total, weights, parts):
    assert allocate(total, [Decimal(weight) for weight in weights]) == parts


@pytest.mark.parametrize(("total", "weights"), [(1, []), (1, [0, 0]), (1, [2, -1])])
def test_nothing_can_be_shared_by_weights_that_are_none(total, weights):
    with pytest.raises(NothingToShareBy):
        allocate(total, weights)


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**9), min_size=1).filter(any))
def test_parts_add_up_exactly_and_none_is_off_by_a_unit(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part - Fraction(total) * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True)
    )


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
def test_a_total_of_ten_thousand_lines_is_the_sum_of_what_they_show(currency):
    exact = [Decimal(number * number % 99_991).scaleb(-4) for number in range(1, 10_001)]
    lines = [round_money(each, currency) for each in exact]
    total = add_money(lines, currency)
    assert total.minor == sum(line.minor for line in lines)
    assert total.amount == sum(line.amount for line in lines)
    assert sum(allocate(total.minor, exact)) == total.minor
