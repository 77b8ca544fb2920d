from decimal import Decimal

import pytest

from billing.stripe.decimals import TooManyDigits, format_decimal


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E-12", "0.000000000001"),
        ("1E+3", "1000"),
        ("1.500", "1.5"),
        ("-0.250", "-0.25"),
        ("0E-12", "0"),
        ("-0.0", "0"),
        ("123456789012345", "123456789012345"),
        ("0.00123456789012345", "0.00123456789012345"),
    ],
)
def test_a_number_goes_out_in_plain_notation(number: str, text: str):
    assert format_decimal(Decimal(number)) == text


@pytest.mark.parametrize(
    "number", ["1234567890123456", "123456789012345000", "0.1234567890123456", "100000000000000.1"]
)
def test_more_than_fifteen_digits_are_refused_and_not_rounded(number: str):
    with pytest.raises(TooManyDigits, match="more than 15 significant digits"):
        format_decimal(Decimal(number))


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_what_is_no_number_is_refused(number: str):
    with pytest.raises(ValueError, match="is no number"):
        format_decimal(Decimal(number))
