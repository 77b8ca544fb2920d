from decimal import Decimal, localcontext

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.money import EXACT
from billing.rating import (
    AmountTooLarge,
    InvalidPrice,
    InvalidQuantity,
    PriceModel,
    PriceTerms,
    Step,
    StepKind,
    TierTerms,
    flat_fee,
    graduated,
    per_unit,
    rate,
    read_steps,
    write_steps,
)
from tests.billing.rating.shapes import make_tiers


def make_graduated(*rows, included="0"):
    return graduated("Requests", meter_key="requests", tiers=make_tiers(*rows), included_units=Decimal(included))


LAGO = [("10", "10", "2"), ("20", "5", "3"), (None, "5", "3")]
MIXED = [("5", "0", "100"), ("10", "0", "50"), ("15", "5", "0"), (None, "1", "0")]
POLAR = [("10", "10", "0"), ("50", "8", "0"), (None, "6", "0")]
STRIPE = [("5", "7", "0"), ("10", "6.5", "0"), (None, "6", "0")]
LOTUS = [("50", "0", "0"), ("100", "0.01", "0"), ("200", "0.05", "0"), (None, "0.10", "0")]
FEES = [("5", "0", "1"), ("10", "1", "2"), (None, "2", "0")]


@pytest.mark.parametrize(
    ("tiers", "quantity", "amount"),
    [
        (LAGO, "1", "12"),
        (LAGO, "10", "102"),
        (LAGO, "10.000000000001", "105.000000000005"),
        (LAGO, "0", "0"),
        (MIXED, "22", "182"),
        (POLAR, "10", "100"),
        (POLAR, "15", "140"),
        (POLAR, "51", "426"),
        (POLAR, "100", "720"),
        (STRIPE, "20", "127.5"),
        (LOTUS, "200", "5.50"),
        (LOTUS, "200.5", "5.55"),
        (FEES, "3", "1"),
        (FEES, "12", "12"),
    ],
)
def test_each_tier_prices_the_units_that_fall_into_it(tiers, quantity, amount):
    assert rate(make_graduated(*tiers), Decimal(quantity)).amount_exact == Decimal(amount)


def test_the_steps_of_a_graduated_price_tell_how_the_amount_came_about():
    line = rate(make_graduated(*MIXED), Decimal(22))
    assert line.steps == (
        Step(StepKind.TIER, Decimal(5), Decimal(0), Decimal(0), tier=1),
        Step(StepKind.TIER_FEE, Decimal(1), Decimal(100), Decimal(100), tier=1),
        Step(StepKind.TIER, Decimal(5), Decimal(0), Decimal(0), tier=2),
        Step(StepKind.TIER_FEE, Decimal(1), Decimal(50), Decimal(50), tier=2),
        Step(StepKind.TIER, Decimal(5), Decimal(5), Decimal(25), tier=3),
        Step(StepKind.TIER, Decimal(7), Decimal(1), Decimal(7), tier=4),
    )


def test_included_units_are_taken_off_before_the_tiers():
    line = rate(make_graduated(("10", "2", "0"), (None, "1", "0"), included="100"), Decimal(115))
    assert line.steps == (
        Step(StepKind.INCLUDED, Decimal(100), Decimal(0), Decimal(0)),
        Step(StepKind.TIER, Decimal(10), Decimal(2), Decimal(20), tier=1),
        Step(StepKind.TIER, Decimal(5), Decimal(1), Decimal(5), tier=2),
    )
    assert line.amount_exact == Decimal(25)


@pytest.mark.parametrize(
    ("quantity", "unit_amount", "currency", "minor"),
    [
        ("123.456", "0.50", "USD", 6173),
        ("50", "10.5", "JPY", 525),
        ("100", "0.01994", "USD", 199),
        ("100", "0.01996", "USD", 200),
        ("10000000000", "0.000000000001", "USD", 1),
        ("2747282740", "0.00000000009", "EUR", 25),
        ("-5", "1.00", "USD", 0),
    ],
)
def test_a_line_is_computed_exactly_and_rounded_once(quantity, unit_amount, currency, minor):
    price = per_unit("Usage", meter_key="usage", unit_amount=Decimal(unit_amount))
    assert rate(price, Decimal(quantity)).round(currency).minor == minor


def test_a_flat_fee_costs_the_same_whatever_was_used():
    line = rate(flat_fee("Base fee", Decimal("49.00")), Decimal(1))
    assert line.amount_exact == Decimal(49)
    assert line.steps == (Step(StepKind.FEE, Decimal(1), Decimal(49), Decimal(49)),)
    assert rate(flat_fee("Base fee", Decimal("49.00")), Decimal(0)).amount_exact == Decimal(49)


def test_numbers_as_long_as_the_columns_lose_no_digit():
    price = per_unit("Usage", meter_key="usage", unit_amount=Decimal("0.000000000001"))
    quantity = Decimal("99999999999999999999999999.999999999999")
    assert rate(price, quantity).amount_exact == Decimal("99999999999999.999999999999999999999999")


def test_an_amount_that_no_document_can_hold_is_refused():
    price = per_unit("Usage", meter_key="usage", unit_amount=Decimal(1))
    with pytest.raises(AmountTooLarge, match="Usage: 100000000000000 is more than an invoice line can hold"):
        rate(price, Decimal(10) ** 14)


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "1e26", "1e400", "0.0000000000001", "1e-400"])
def test_a_quantity_that_cannot_be_stored_is_refused(quantity):
    with pytest.raises(InvalidQuantity):
        rate(flat_fee("Base fee", Decimal(1)), Decimal(quantity))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"model": PriceModel.FLAT, "meter_key": "requests", "unit_amount": Decimal(1)}, "neither meter"),
        ({"model": PriceModel.FLAT, "unit_amount": Decimal(1), "included_units": Decimal(1)}, "included units"),
        ({"model": PriceModel.FLAT}, "one amount"),
        ({"model": PriceModel.FLAT, "unit_amount": Decimal(-1)}, "may not be negative"),
        ({"model": PriceModel.FLAT, "unit_amount": Decimal("NaN")}, "finite decimal"),
        ({"model": PriceModel.FLAT, "unit_amount": 0.1}, "finite decimal number, not 0.1"),
        ({"model": PriceModel.FLAT, "unit_amount": Decimal("0.0000000000001")}, "12 digits after"),
        ({"model": PriceModel.FLAT, "unit_amount": Decimal("1e12")}, "12 digits before"),
        ({"model": PriceModel.PER_UNIT, "unit_amount": Decimal(1)}, "needs a meter"),
        ({"model": PriceModel.PER_UNIT, "meter_key": "requests"}, "one amount"),
        ({"model": PriceModel.GRADUATED, "meter_key": "requests"}, "graduated prices have tiers"),
        ({"model": PriceModel.GRADUATED, "meter_key": "r", "tiers": make_tiers(("5", "1", "0"))}, "open-ended"),
        (
            {"model": PriceModel.GRADUATED, "meter_key": "r", "tiers": make_tiers((None, "1", "0"), (None, "1", "0"))},
            "only the last tier",
        ),
        (
            {
                "model": PriceModel.GRADUATED,
                "meter_key": "r",
                "tiers": make_tiers(("5", "1", "0"), ("5", "1", "0"), (None, "1", "0")),
            },
            "end above the one before",
        ),
        (
            {"model": PriceModel.GRADUATED, "meter_key": "r", "tiers": make_tiers(("0", "1", "0"), (None, "1", "0"))},
            "end above the one before",
        ),
        (
            {"model": PriceModel.GRADUATED, "meter_key": "r", "tiers": make_tiers((None, "-1", "0"))},
            "a tier's unit price may not be negative",
        ),
    ],
)
def test_a_price_that_cannot_be_charged_is_refused_with_the_reason(fields, complaint):
    with pytest.raises(InvalidPrice, match=complaint):
        PriceTerms("Something", **fields)


def test_a_price_without_a_description_is_refused():
    with pytest.raises(InvalidPrice, match="needs a description"):
        flat_fee(" ", Decimal(1))


def test_steps_survive_being_stored():
    line = rate(make_graduated(*MIXED, included="3.5"), Decimal("12.25"))
    assert read_steps(write_steps(line.steps)) == line.steps
    assert write_steps(line.steps)[0] == {"kind": "included", "quantity": "3.5", "unit_amount": "0", "amount": "0"}


UNIT_AMOUNTS = st.decimals(0, 1000, places=12)
QUANTITIES = st.decimals(0, 10**9, places=12)


@st.composite
def prices(draw, *, with_fees=True):
    ends = sorted(draw(st.sets(st.decimals(Decimal("0.000000000001"), 10**6, places=12), max_size=4)))
    fees = UNIT_AMOUNTS if with_fees else st.just(Decimal(0))
    tiers = [TierTerms(end, draw(UNIT_AMOUNTS), draw(fees)) for end in [*ends, None]]
    included = draw(st.one_of(st.just(Decimal(0)), st.decimals(0, 10**6, places=12)))
    return graduated("Usage", meter_key="usage", tiers=tiers, included_units=included)


@given(prices(), QUANTITIES, QUANTITIES)
def test_using_more_never_costs_less(price, one, other):
    less, more = sorted((one, other))
    assert rate(price, less).amount_exact <= rate(price, more).amount_exact


@given(prices(), st.decimals(-(10**9), 10**9, places=12))
def test_an_amount_is_the_sum_of_its_steps_and_never_negative(price, quantity):
    line = rate(price, quantity)
    with localcontext(EXACT):
        assert line.amount_exact == sum(step.amount for step in line.steps)
        assert all(step.amount == step.quantity * step.unit_amount >= 0 for step in line.steps)
        units = [step.quantity for step in line.steps if step.kind is not StepKind.TIER_FEE]
        assert sum(units) == max(quantity, Decimal(0))


@given(prices(with_fees=False), QUANTITIES)
def test_tiers_without_fees_are_additive_and_continuous(price, quantity):
    """A tiny bit more costs at most that bit at the dearest tier: nothing jumps where a tier begins."""
    bit = Decimal("0.000000000001")
    dearest = max(tier.unit_amount for tier in price.tiers)
    with localcontext(EXACT):
        rise = rate(price, quantity + bit).amount_exact - rate(price, quantity).amount_exact
        assert 0 <= rise <= bit * dearest


@given(prices(with_fees=False))
def test_a_boundary_belongs_to_the_tier_it_ends(price):
    assume(len(price.tiers) > 1)
    first = price.tiers[0]
    with localcontext(EXACT):
        line = rate(price, price.included_units + first.up_to)
        assert line.amount_exact == first.up_to * first.unit_amount
    assert [step.tier for step in line.steps if step.kind is StepKind.TIER] == [1]
