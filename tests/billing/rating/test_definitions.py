from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import InvalidPrice, InvalidQuantity, Usage, flat_fee
from billing.rating.definitions import read_price, read_usage, write_price, write_usage
from tests.billing.rating.shapes import BY_REGION, D, metered_prices, percentage_prices, spend


@given(st.one_of(metered_prices(), percentage_prices(), st.just(BY_REGION), st.just(flat_fee("Fee", D(49)))))
def test_a_price_survives_being_written(price):
    assert read_price(write_price(price)) == price


@pytest.mark.parametrize(
    "usage",
    [
        Usage(D("12.5")),
        Usage(D(12), event_count=3, tier_quantity=D(15), part=Fraction(25, 28)),
        spend("50", "100"),
        Usage.of_parts([({"region": "eu", "size": "big"}, D(3)), ({}, D(4))]),
        replace(spend("1"), quantity=D(7)),
    ],
)
def test_a_reading_survives_being_written(usage):
    assert read_usage(write_usage(usage)) == usage


def test_a_reading_without_a_quantity_is_the_sum_of_what_it_lists():
    assert read_usage({"transactions": ["50", 100]}) == spend("50", "100")
    parts = [{"values": {"region": "eu"}, "quantity": "3"}, {"values": {}, "quantity": 4}]
    assert read_usage({"parts": parts}) == Usage.of_parts([({"region": "eu"}, D(3)), ({}, D(4))])


def test_a_row_of_a_table_may_name_its_dimensions():
    definition = write_price(BY_REGION)
    definition["table"][0]["values"] = {"size": "big", "region": "eu"}
    assert read_price(definition) == BY_REGION


def define(**fields):
    return {"description": "Usage", "model": "per_unit", "meter": "usage", "unit_amount": "1"} | fields


def define_tiers(*tiers):
    return {"description": "Usage", "model": "graduated", "meter": "usage", "tiers": list(tiers)}


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        ([], ""),
        ({"model": "flat", "unit_amount": "1"}, "description"),
        (define(model="gradual"), "model"),
        (define(model=None), "model"),
        (define(unit_amount="1,5"), "unit_amount"),
        (define(unit_amount=True), "unit_amount"),
        (define(unit_amount=1.5), "unit_amount"),
        (define(unit_amount="NaN"), "unit_amount"),
        (define(unit_amount="0.0000000000001"), "unit_amount"),
        (define(meter=None), "meter"),
        (define(price="1"), "price"),
        (define(included_units="-1"), "included_units"),
        (define(conversion={"divide_by": "0"}), "conversion.divide_by"),
        (define(conversion={"rounding": "sideways"}), "conversion.rounding"),
        (define(conversion={"places": "2"}), "conversion.places"),
        (define(conversion=[]), "conversion"),
        (define(first_tier_flat_at_zero="yes"), "first_tier_flat_at_zero"),
        (define_tiers(), "tiers"),
        (define_tiers("all"), "tiers[0]"),
        (define_tiers({"up_to": None}), "tiers[0].unit_amount"),
        (define_tiers({"up_to": "5", "unit_amount": "1"}), "tiers[0].up_to"),
        (
            define_tiers({"up_to": "5", "unit_amount": "1"}, {"from": "6", "up_to": None, "unit_amount": "1"}),
            "tiers[1].from",
        ),
        (
            define_tiers({"up_to": "5", "unit_amount": "1"}, {"from": "4", "up_to": None, "unit_amount": "1"}),
            "tiers[1].from",
        ),
        (define_tiers({"from": "1", "up_to": None, "unit_amount": "1"}), "tiers[0].from"),
        ({"description": "U", "model": "percentage", "meter": "u", "percentage": {}}, "percentage.rate_percent"),
        (define(model="dimension", dimensions=["a"], table=[{"values": "x", "unit_amount": "1"}]), "table[0].values"),
        (
            define(model="dimension", dimensions=["a"], table=[{"values": {"b": "x"}, "unit_amount": "1"}]),
            "table[0].values",
        ),
    ],
)
def test_a_price_that_cannot_be_read_is_refused_with_the_field(definition, field):
    with pytest.raises(InvalidPrice) as refusal:
        read_price(definition)
    assert refusal.value.field == field


@pytest.mark.parametrize(("begins", "says"), [("6", "leaves a gap after"), ("4", "overlaps")])
def test_tiers_that_do_not_meet_are_told_apart(begins, says):
    tiers = ({"up_to": "5", "unit_amount": "1"}, {"from": begins, "up_to": None, "unit_amount": "1"})
    with pytest.raises(InvalidPrice, match=f"{says} the tier before, which ends at 5"):
        read_price(define_tiers(*tiers))


@pytest.mark.parametrize(
    ("reading", "field"),
    [
        ({}, "quantity"),
        ({"quantity": "many"}, "quantity"),
        ({"quantity": "1e26"}, "quantity"),
        ({"quantity": "1", "event_count": "1"}, "event_count"),
        ({"quantity": "1", "event_count": -1}, "event_count"),
        ({"transactions": ["1", None]}, "transactions[1]"),
        ({"transactions": "1"}, "transactions"),
        ({"parts": [{"quantity": "1"}]}, "parts[0].values"),
        ({"parts": [{"values": {"a": 1}, "quantity": "1"}]}, "parts[0].values"),
        ({"parts": [{"values": {}}]}, "parts[0].quantity"),
        ({"quantity": "1", "amount": "2"}, "amount"),
        ({"quantity": "1", "part": "0.5"}, "part"),
        ({"quantity": "1", "part": "1/0"}, "part"),
        ({"quantity": "1", "part": "2"}, "part"),
    ],
)
def test_a_reading_that_cannot_be_read_is_refused_with_the_field(reading, field):
    with pytest.raises(InvalidQuantity) as refusal:
        read_usage(reading)
    assert refusal.value.field == field
