from decimal import Decimal

import pytest
from django.utils import translation

from metering.quantities import format_exact, format_readable, format_short, name_unit


@pytest.mark.parametrize(
    ("quantity", "unit", "text"),
    [
        ("2747282740", "byte", "2,747,282,740 bytes"),
        ("1.000000000000", "request", "1 request"),
        ("0", "request", "0 requests"),
        ("1.5", "hour", "1.5 hours"),
        ("0.000000000001", "token", "0.000000000001 tokens"),
        ("99999999999999999999999999.999999999999", "", "99,999,999,999,999,999,999,999,999.999999999999"),
        ("-12345", "gadget", "-12,345 gadget"),
    ],
)
def test_the_exact_form_keeps_every_digit_that_counts(quantity, unit, text):
    assert format_exact(Decimal(quantity), unit) == text


@pytest.mark.parametrize(
    ("quantity", "unit", "text"),
    [
        ("168132893", "byte", "168.1 MB"),
        ("999", "byte", "999 bytes"),
        ("1000", "byte", "1 kB"),
        ("357", "request", "357 requests"),
        ("168132893", "request", "168,132,893 requests"),
        ("2747282740", "request", "2.75 bn requests"),
        ("0.0004", "request", "4×10⁻⁴ requests"),
        ("0", "byte", "0 bytes"),
    ],
)
def test_the_readable_form_says_what_a_person_reads_first(quantity, unit, text):
    assert format_readable(Decimal(quantity), unit) == text


@pytest.mark.parametrize(
    ("quantity", "unit", "text"),
    [
        ("999.96", "", "1 k"),
        ("999960", "", "1 M"),
        ("1234.5", "", "1.23 k"),
        ("99999", "byte", "100 kB"),
        ("12000000000000", "", "12 tn"),
        ("3E+25", "", "3×10²⁵"),
        ("3E+25", "byte", "3×10²⁵ bytes"),
        ("-5", "", "-5"),
        ("0.05", "", "0.05"),
    ],
)
def test_the_short_form_fits_on_an_axis(quantity, unit, text):
    assert format_short(Decimal(quantity), unit) == text


def test_french_has_its_own_separators_words_and_plural():
    with translation.override("fr"):
        assert format_exact(Decimal("1234.5"), "request") == "1\xa0234,5 requêtes"
        assert format_exact(Decimal(0), "request") == "0 requête"
        assert format_readable(Decimal("168132893"), "byte") == "168,1 Mo"
        assert format_short(Decimal("2747282740"), "") == "2,75 Md"


def test_a_unit_of_the_vendors_own_stands_as_it_was_written():
    assert name_unit("gadget", Decimal(2)) == "gadget"
