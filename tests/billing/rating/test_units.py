from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given

from billing.money import EXACT
from billing.rating import (
    Conversion,
    DimensionPrice,
    InvalidQuantity,
    MissingReading,
    Rounding,
    Step,
    StepKind,
    Usage,
    rate,
    rate_buckets,
)
from billing.rating.units import convert
from tests.billing.rating.shapes import BY_REGION, QUANTITIES, D, conversions, make_price, make_tiers


@pytest.mark.parametrize(
    ("quantity", "terms", "units"),
    [
        ("1400", {"divide_by": D(1000), "rounding": Rounding.UP, "places": 0}, "2"),
        ("1400", {"divide_by": D(1000), "rounding": Rounding.DOWN, "places": 0}, "1"),
        ("1500", {"divide_by": D(1000), "places": 0}, "2"),
        ("1499", {"divide_by": D(1000), "places": 0}, "1"),
        ("1000", {"divide_by": D(1000), "rounding": Rounding.UP, "places": 0}, "1"),
        ("1", {"divide_by": D(3)}, "0.333333333333"),
        ("2", {"divide_by": D(3)}, "0.666666666667"),
        ("2", {"divide_by": D(3), "rounding": Rounding.UP, "places": 2}, "0.67"),
        ("5", {"multiply_by": D("1.5"), "places": 0}, "8"),
        ("7", {"multiply_by": D(2), "divide_by": D(7)}, "2"),
    ],
)
def test_a_quantity_is_converted_and_rounded_once(quantity, terms, units):
    assert convert(D(quantity), Conversion(**terms)) == D(units)


@given(conversions, QUANTITIES)
def test_rounding_goes_its_way_and_by_less_than_one_step(conversion, quantity):
    exact = Fraction(quantity) * Fraction(conversion.multiply_by) / Fraction(conversion.divide_by)
    moved = Fraction(convert(quantity, conversion)) - exact
    step = Fraction(1, 10**conversion.places)
    low, high = {Rounding.UP: (0, step), Rounding.HALF: (-step / 2, step / 2), Rounding.DOWN: (-step, 0)}[
        conversion.rounding
    ]
    assert low <= moved <= high
    assert abs(moved) < step


def test_included_units_and_tiers_count_what_was_converted():
    price = make_price(
        "graduated",
        tiers=make_tiers(("5", "1", "0"), (None, "0.5", "0")),
        included_units=D("0.5"),
        conversion=Conversion(divide_by=D(1000), rounding=Rounding.UP, places=0, unit="second"),
    )
    line = rate(price, D(7400))
    assert line.steps == (
        Step(StepKind.CONVERTED, D(8), D(0), D(0), basis=D(7400), values=("second",)),
        Step(StepKind.INCLUDED, D("0.5"), D(0), D(0)),
        Step(StepKind.TIER, D(5), D(1), D(5), tier=1),
        Step(StepKind.TIER, D("2.5"), D("0.5"), D("1.25"), tier=2),
    )
    assert (line.quantity, line.charged_units, line.amount_exact) == (D(7400), D("7.5"), D("6.25"))


@pytest.mark.parametrize(
    ("quantity", "rounding", "included", "packages"),
    [
        ("0", Rounding.UP, "0", "0"),
        ("0.000000000001", Rounding.UP, "0", "1"),
        ("10", Rounding.UP, "0", "1"),
        ("121", Rounding.UP, "0", "13"),
        ("121", Rounding.UP, "10", "12"),
        ("121", Rounding.UP, "200", "0"),
        ("19", Rounding.DOWN, "0", "1"),
        ("15", Rounding.HALF, "0", "2"),
        ("14.9", Rounding.HALF, "0", "1"),
        ("-3", Rounding.UP, "0", "0"),
    ],
)
def test_packages_are_charged_as_the_price_rounds_them(quantity, rounding, included, packages):
    price = make_price(
        "package", unit_amount=D(100), package_size=D(10), package_rounding=rounding, included_units=D(included)
    )
    assert rate(price, D(quantity)).amount_exact == D(packages) * 100


def test_each_bucket_is_priced_as_if_it_were_alone():
    rows = make_tiers(("10", "0.1", "0"), ("20", "0.05", "0"), (None, "0.02", "0"))
    assert rate_buckets(make_price("graduated", tiers=rows), [D(9), D(15)]).steps == (
        Step(StepKind.TIER, D(19), D("0.1"), D("1.9"), tier=1),
        Step(StepKind.TIER, D(5), D("0.05"), D("0.25"), tier=2),
    )
    assert rate_buckets(make_price("volume", tiers=rows), [D(9), D(15)]).amount_exact == D("1.65")
    packages = make_price("package", unit_amount=D(1), package_size=D(10))
    assert rate_buckets(packages, [D(9), D(10)]).amount_exact == D(2)


@pytest.mark.parametrize(
    ("quantity", "part", "amount"),
    [
        (8, Fraction(25, 28), D("8.928571428571")),  # of a minimum of 10, and a cap of 20
        (9, Fraction(25, 28), D(9)),
        (30, Fraction(25, 28), D("17.857142857143")),
        (30, Fraction(1), D(20)),
        (3, Fraction(0), D(0)),
    ],
)
def test_a_part_of_a_period_has_that_part_of_the_bounds(quantity, part, amount):
    price = make_price("per_unit", unit_amount=D(1), minimum=D(10), cap=D(20))
    assert rate(price, Usage(D(quantity), part=part)).amount_exact == amount


@pytest.mark.parametrize("part", [Fraction(-1, 2), Fraction(3, 2)])
def test_there_is_no_more_than_the_whole_of_a_period(part):
    with pytest.raises(InvalidQuantity) as refusal:
        Usage(D(1), part=part)
    assert refusal.value.field == "part"


def test_bounds_hold_the_sum_of_the_buckets():
    price = make_price("per_unit", unit_amount=D(1), minimum=D(5), cap=D(20))
    assert rate_buckets(price, [D(1), D(1)]).amount_exact == D(5)
    assert rate_buckets(price, [D(15), D(15)]).amount_exact == D(20)
    assert rate_buckets(price, []).amount_exact == D(5)


PARTS = [
    ({"region": "eu", "size": "big", "host": "a"}, D(10)),
    ({"region": "eu", "size": "big", "host": "b"}, D(5)),
    ({"region": "us", "size": "big"}, D(4)),
    ({"region": "us", "size": "small"}, D(3)),
    ({"region": "eu"}, D(2)),
]


def test_a_table_prices_each_value_of_its_dimensions_and_the_rest_at_the_default():
    assert rate(BY_REGION, Usage.of_parts(PARTS)).steps == (
        Step(StepKind.UNITS, D(15), D("3.5"), D("52.5"), values=("eu", "big")),
        Step(StepKind.UNITS, D(4), D(2), D(8), values=("us", "big")),
        Step(StepKind.UNITS, D(5), D(1), D(5)),
    )


def test_included_units_come_off_in_the_order_of_the_table():
    price = make_price(
        "dimension",
        unit_amount=D(1),
        dimensions=("region",),
        table=(DimensionPrice(("eu",), D(3)),),
        included_units=D(12),
    )
    line = rate(price, Usage.of_parts([({"region": "us"}, D(5)), ({"region": "eu"}, D(10))]))
    assert (line.amount_exact, line.charged_units) == (D(3), D(3))


def test_each_value_is_converted_for_itself():
    price = make_price(
        "dimension",
        unit_amount=D(1),
        dimensions=("region",),
        table=(DimensionPrice(("eu",), D(3)),),
        conversion=Conversion(divide_by=D(60), rounding=Rounding.UP, places=0),
    )
    line = rate(price, Usage.of_parts([({"region": "us"}, D(61)), ({"region": "eu"}, D(60))]))
    assert (line.amount_exact, line.charged_units) == (D(5), D(3))


def test_a_table_needs_the_quantity_by_its_dimensions():
    with pytest.raises(MissingReading) as refusal:
        rate(BY_REGION, D(1))
    assert refusal.value.field == "parts"
    assert rate(BY_REGION, D(0)).amount_exact == 0


@given(QUANTITIES, QUANTITIES)
def test_the_parts_of_a_table_add_up(one, other):
    line = rate(BY_REGION, Usage.of_parts([({"region": "eu", "size": "big"}, one), ({"region": "x"}, other)]))
    with localcontext(EXACT):
        assert line.amount_exact == one * Decimal("3.5") + other
