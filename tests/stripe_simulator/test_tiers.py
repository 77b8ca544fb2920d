"""Prices cost exactly what they say, and lose their decimals once."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_simulator.tiers import format_decimal, rate_quantity, round_amount, split_quantity

BOUNDS = st.lists(st.integers(1, 10**9), unique=True, max_size=5).map(sorted)
AMOUNTS = st.decimals("0", "1000", places=12, allow_nan=False)
QUANTITIES = st.decimals("0", "2000000000", places=6, allow_nan=False)


def per_unit(amount, **more):
    return {"billing_scheme": "per_unit", "unit_amount_decimal": amount, **more}


def tiered(mode, *tiers):
    """Tiers as (up_to or None, unit amount, flat amount)."""
    return {
        "billing_scheme": "tiered",
        "tiers_mode": mode,
        "_tiers": [
            {"up_to": up_to, "unit_amount_decimal": str(unit), "flat_amount_decimal": str(flat)}
            for up_to, unit, flat in tiers
        ],
    }


STEPS = ((100, "10", "0"), (1000, "5", "200"), (None, "1", "0"))


def test_a_unit_amount_of_twelve_decimals_stays_exact():
    assert rate_quantity(per_unit("0.000000000001"), Decimal(10**15)) == 1000


def test_a_quantity_with_decimals_is_priced_whole():
    assert rate_quantity(per_unit("3"), Decimal("2.5")) == Fraction(15, 2)


@pytest.mark.parametrize(("quantity", "amount"), [(0, 0), (100, 1000), (101, 1205), (1000, 5700), (1001, 5701)])
def test_graduated_tiers_charge_each_share_at_its_own_price(quantity, amount):
    assert rate_quantity(tiered("graduated", *STEPS), Decimal(quantity)) == amount


@pytest.mark.parametrize(("quantity", "amount"), [(0, 0), (100, 1000), (101, 705), (1000, 5200), (1001, 1001)])
def test_volume_charges_the_whole_at_the_tier_it_ends_in(quantity, amount):
    assert rate_quantity(tiered("volume", *STEPS), Decimal(quantity)) == amount


@pytest.mark.parametrize("mode", ["graduated", "volume"])
def test_the_first_tiers_flat_amount_is_due_without_usage(mode):
    assert rate_quantity(tiered(mode, (10, "0", "900"), (None, "1", "0")), Decimal(0)) == 900


@pytest.mark.parametrize(
    ("direction", "quantity", "packages"), [("up", "1001", 2), ("up", "1000", 1), ("down", "1999.9", 1)]
)
def test_packages_are_whole(direction, quantity, packages):
    price = per_unit("70", transform_quantity={"divide_by": 1000, "round": direction})
    assert rate_quantity(price, Decimal(quantity)) == 70 * packages


def test_a_negative_total_bills_as_nothing():
    assert rate_quantity(per_unit("3"), Decimal(-5)) == 0


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [("0.5", 1), ("0.499999999999", 0), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-0.4", 0), ("7", 7), ("0", 0)],
)
def test_half_a_unit_goes_away_from_zero(exact, rounded):
    assert round_amount(Decimal(exact)) == rounded


def test_three_thirds_round_as_one_whole():
    assert round_amount(Fraction(1, 3) * 3) == 1


@pytest.mark.parametrize(
    ("number", "text"), [("1E-12", "0.000000000001"), ("100", "100"), ("1E+3", "1000"), ("2.50", "2.5")]
)
def test_decimals_are_written_plainly(number, text):
    assert format_decimal(Decimal(number)) == text


@given(bounds=BOUNDS, amounts=st.lists(AMOUNTS, min_size=6, max_size=6), quantity=QUANTITIES)
def test_the_shares_of_a_graduated_quantity_add_up_to_it(bounds, amounts, quantity):
    tiers = [(bound, amounts[index], "0") for index, bound in enumerate([*bounds, None])]
    assert sum(part.quantity for part in split_quantity(tiered("graduated", *tiers), quantity)) == Fraction(quantity)


@given(bounds=BOUNDS, amount=AMOUNTS, quantity=QUANTITIES)
def test_tiers_of_one_amount_cost_what_the_amount_costs(bounds, amount, quantity):
    tiers = [(bound, amount, "0") for bound in [*bounds, None]]
    expected = Fraction(amount) * Fraction(quantity)
    assert rate_quantity(tiered("graduated", *tiers), quantity) == expected
    assert rate_quantity(tiered("volume", *tiers), quantity) == expected


@given(exact=st.fractions())
def test_rounding_moves_an_amount_by_half_a_unit_at_most(exact):
    assert abs(round_amount(exact) - exact) <= Fraction(1, 2)
    assert round_amount(-exact) == -round_amount(exact)
