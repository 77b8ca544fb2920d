import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.stripe.charging.amounts import find_askable, read_minor, write_minor, write_money


@pytest.mark.parametrize(
    ("currency", "minor", "askable", "written"),
    [
        ("EUR", 1234, 1234, 1234),
        ("JPY", 1234, 1234, 1234),
        ("KWD", 1234, 1230, 1230),
        ("ISK", 1234, 1234, 123_400),
        ("UGX", 1234, 1234, 123_400),
        ("MGA", 1234, 1200, 12),
    ],
)
def test_stripe_asks_in_units_of_its_own(currency, minor, askable, written):
    assert find_askable(minor, currency) == askable
    assert write_minor(askable, currency) == written
    assert read_minor(written, currency) == askable


def test_a_part_of_our_smallest_unit_is_not_read():
    with pytest.raises(ValueError, match="150 of Stripe's units"):
        read_minor(150, "ISK")


@given(st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD", "ISK", "MGA"]))
def test_never_more_is_asked_than_is_due(minor, currency):
    assert minor - 100 < find_askable(minor, currency) <= minor


@pytest.mark.parametrize(("currency", "said"), [("EUR", "12.34 EUR"), ("JPY", "1234 JPY"), ("KWD", "1.234 KWD")])
def test_a_drift_says_whole_units_with_their_decimals(currency, said):
    assert write_money(1234, currency) == said
