from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given

from billing.money import EXACT
from billing.rating import Step, StepKind, TierTerms, Usage, rate, stack_blocks
from tests.billing.rating.shapes import QUANTITIES, D, make_price, make_tiers, tiers

LAGO = make_tiers(("100", "2", "10"), ("200", "1", "0"), (None, "0.5", "50"))
BLOCKS = stack_blocks([(D(100), 10, D(1)), (D(1000), 100, D(1)), (D(1000), None, D("0.5"))])


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("1", "12"), ("100", "210"), ("100.5", "100.5"), ("200", "200"), ("300", "200"), ("0", "0")],
)
def test_a_volume_price_charges_all_units_at_the_tier_that_is_reached(quantity, amount):
    assert rate(make_price("volume", tiers=LAGO), D(quantity)).amount_exact == D(amount)


def test_the_steps_of_a_volume_price_name_the_tier():
    assert rate(make_price("volume", tiers=LAGO), D(300)).steps == (
        Step(StepKind.VOLUME, D(300), D("0.5"), D(150), tier=3),
        Step(StepKind.TIER_FEE, D(1), D(50), D(50), tier=3),
    )


def test_a_prorated_quantity_is_priced_at_the_tier_of_the_whole_one():
    price = make_price("volume", tiers=LAGO)
    assert rate(price, Usage(D("198.6"), tier_quantity=D(300))).amount_exact == D("149.3")
    assert rate(price, Usage(D("198.6"), tier_quantity=D(198))).amount_exact == D("198.6")


def test_included_units_come_off_before_the_tier_is_found():
    price = make_price("volume", tiers=LAGO, included_units=D(50))
    assert rate(price, D(150)).amount_exact == D(210)
    assert rate(price, Usage(D(150), tier_quantity=D(151))).amount_exact == D(100)


@pytest.mark.parametrize("model", ["volume", "graduated"])
def test_whether_nothing_costs_the_first_flat_amount_is_the_prices_to_say(model):
    assert rate(make_price(model, tiers=LAGO), D(0)).steps == ()
    asking = make_price(model, tiers=LAGO, first_tier_flat_at_zero=True)
    assert rate(asking, D(0)).steps == (Step(StepKind.TIER_FEE, D(1), D(10), D(10), tier=1),)
    assert rate(asking, D(1)).amount_exact == D(12)


def test_blocks_are_stacked_to_tiers_that_end_where_they_are_full():
    assert [(tier.up_to, tier.package_size) for tier in BLOCKS] == [(1000, 100), (101_000, 1000), (None, 1000)]


@pytest.mark.parametrize(
    ("model", "quantity", "amount"),
    [
        ("graduated", "5325", "15"),
        ("graduated", "99", "1"),
        ("graduated", "1000.5", "11"),
        ("volume", "1000", "10"),
        ("volume", "1001", "2"),
        ("volume", "101000", "101"),
        ("volume", "101001", "51"),
        ("volume", "300000", "150"),
    ],
)
def test_a_block_that_was_begun_is_charged_whole(model, quantity, amount):
    assert rate(make_price(model, tiers=BLOCKS), D(quantity)).amount_exact == D(amount)


def test_the_step_of_a_block_tier_counts_blocks_and_says_their_size():
    assert rate(make_price("graduated", tiers=BLOCKS), D(5325)).steps == (
        Step(StepKind.TIER, D(10), D(1), D(10), tier=1, basis=D(100)),
        Step(StepKind.TIER, D(5), D(1), D(5), tier=2, basis=D(1000)),
    )


def test_a_graduated_percentage_takes_each_tiers_share_of_the_value_in_it():
    price = make_price(
        "graduated_percentage",
        tiers=(
            TierTerms(D(10), flat_amount=D(200), rate_percent=D(1)),
            TierTerms(D(20), flat_amount=D(300), rate_percent=D(2)),
            TierTerms(None, flat_amount=D(400), rate_percent=D(3)),
        ),
    )
    assert [rate(price, D(value)).amount_exact for value in (1, 10, 11, 30)] == [
        D("200.01"),
        D("200.1"),
        D("500.12"),
        D("900.6"),
    ]
    assert rate(price, D(30)).tier_amounts == (D("200.1"), D("300.2"), D("400.3"))


def integrate(price_tiers, quantity):
    """The area under the curve of prices, cut at every bound, and the fee of each tier that the quantity enters."""
    bounds = [Fraction(0), *(Fraction(tier.up_to) for tier in price_tiers if tier.up_to is not None), None]
    area = Fraction(0)
    for tier, low, high in zip(price_tiers, bounds[:-1], bounds[1:], strict=True):
        if Fraction(quantity) > low:
            top = Fraction(quantity) if high is None else min(Fraction(quantity), high)
            area += (top - low) * Fraction(tier.unit_amount) + Fraction(tier.flat_amount)
    return area


@given(tiers(packages=False), QUANTITIES)
def test_the_tiers_add_up_to_the_integral_of_the_curve_of_prices(rows, quantity):
    line = rate(make_price("graduated", tiers=rows), quantity)
    assert Fraction(line.amount_exact) == integrate(rows, quantity)
    with localcontext(EXACT):
        assert sum(line.tier_amounts, start=Decimal(0)) == line.amount_exact


@given(tiers(packages=False), QUANTITIES)
def test_a_volume_price_is_the_curves_height_times_the_quantity(rows, quantity):
    reached = next(tier for tier in rows if tier.up_to is None or quantity <= tier.up_to)
    with localcontext(EXACT):
        wanted = quantity * reached.unit_amount + reached.flat_amount if quantity else Decimal(0)
    assert rate(make_price("volume", tiers=rows), quantity).amount_exact == wanted
