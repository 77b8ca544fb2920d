from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.taxes import (
    InvalidCountry,
    InvalidTax,
    TaxedLine,
    TaxPart,
    TaxTerms,
    check_country,
    take_percent,
    tax_line,
)


def tax(percent, name="VAT", *, is_inclusive=False):
    return TaxTerms(name, Decimal(percent), is_inclusive)


@pytest.mark.parametrize(
    ("amount", "percent", "asked"),
    [
        (10_000, "8.875", 888),
        (999, "10.5", 105),
        (19_333, "25", 4_833),
        (-19_333, "25", -4_833),
        (2, "25", 1),
        (-2, "25", -1),
        (0, "20", 0),
        (10_000, "0", 0),
    ],
)
def test_a_tax_is_asked_on_top_of_the_rounded_line(amount, percent, asked):
    taxed = tax_line(amount, [tax(percent)])
    assert taxed == TaxedLine(amount, (TaxPart("VAT", Decimal(percent), asked),))
    assert taxed.gross_minor == amount + asked


@pytest.mark.parametrize(
    ("amount", "percent", "net", "held"),
    [(12_000, "20", 10_000, 2_000), (1_000, "19", 840, 160), (-1_000, "19", -840, -160), (1, "50", 1, 0)],
)
def test_an_inclusive_tax_is_taken_out_of_the_amount(amount, percent, net, held):
    taxed = tax_line(amount, [tax(percent, is_inclusive=True)])
    assert (taxed.net_minor, taxed.tax_minor, taxed.gross_minor) == (net, held, amount)


def test_each_of_several_taxes_is_asked_of_the_net_amount_and_rounded_on_its_own():
    taxed = tax_line(9_999, [tax("5", "GST"), tax("9.975", "QST")])
    assert [(part.name, part.minor) for part in taxed.taxes] == [("GST", 500), ("QST", 997)]


def test_an_inclusive_tax_is_no_part_of_what_others_are_asked_of():
    taxed = tax_line(12_000, [tax("10", "city"), tax("20", "state", is_inclusive=True)])
    assert taxed.net_minor == 10_000
    assert [(part.name, part.minor) for part in taxed.taxes] == [("city", 1_000), ("state", 2_000)]


def test_several_inclusive_taxes_and_the_net_amount_are_the_amount_again():
    taxed = tax_line(1_000, [tax("7", "a", is_inclusive=True), tax("8", "b", is_inclusive=True)])
    assert (taxed.net_minor, [part.minor for part in taxed.taxes]) == (870, [61, 69])


def test_without_a_tax_the_line_stays_as_it_is():
    assert tax_line(1_234, []) == TaxedLine(1_234)


@pytest.mark.parametrize("code", ["", "F", "fr", "FRA", "F1", "FR\n"])
def test_a_country_is_two_capital_letters(code):
    check_country("FR")
    with pytest.raises(InvalidCountry):
        check_country(code)


@pytest.mark.parametrize("percent", ["-1", "100.1", "NaN", "Infinity", "8.87512"])
def test_a_tax_is_between_nothing_and_all_with_four_decimals(percent):
    assert tax("8.87510").percent == Decimal("8.8751")
    with pytest.raises(InvalidTax):
        tax(percent)


PERCENTS = st.decimals(0, 100, places=4)


@given(st.integers(-(10**12), 10**12), st.lists(PERCENTS, max_size=4))
def test_inclusive_taxes_never_change_what_is_paid(amount, percents):
    assert tax_line(amount, [tax(percent, is_inclusive=True) for percent in percents]).gross_minor == amount


@given(st.integers(-(10**12), 10**12), PERCENTS)
def test_a_credit_gives_back_the_tax_that_was_charged(amount, percent):
    assert tax_line(-amount, [tax(percent)]).tax_minor == -tax_line(amount, [tax(percent)]).tax_minor
    assert take_percent(-amount, percent) == -take_percent(amount, percent)


@given(st.integers(0, 10**12), st.lists(st.tuples(PERCENTS, st.booleans()), max_size=4))
def test_what_is_given_back_bears_the_tax_that_was_asked_of_it_whatever_the_taxes(amount, terms):
    asked = [tax(percent, is_inclusive=is_inclusive) for percent, is_inclusive in terms]
    charged, back = tax_line(amount, asked), tax_line(-amount, asked)
    assert back.net_minor == -charged.net_minor
    assert [each.minor for each in back.taxes] == [-each.minor for each in charged.taxes]
