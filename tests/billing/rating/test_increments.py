from dataclasses import replace
from decimal import localcontext
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from billing.money import EXACT
from billing.rating import Step, StepKind, Usage, rate, rate_increment, rate_running, tell_difference
from tests.billing.rating.shapes import (
    BY_REGION,
    QUANTITIES,
    D,
    make_percentage,
    make_price,
    make_tiers,
    metered_prices,
    percentage_prices,
    spend,
)

MIXED = make_tiers(("5", "0", "100"), ("10", "0", "50"), ("15", "5", "0"), (None, "1", "0"))
FALLING = make_tiers(("15", "10", "0"), (None, "5", "0"))


def test_only_what_was_added_is_charged_from_the_tier_that_was_reached():
    line = rate_increment(make_price("graduated", tiers=MIXED), billed=D(12), total=D(22))
    assert line.steps == (
        Step(StepKind.TIER, D(3), D(5), D(15), tier=3),
        Step(StepKind.TIER, D(7), D(1), D(7), tier=4),
    )
    assert (line.quantity, line.amount_exact, line.tier_amounts) == (D(10), D(22), (D(15), D(7)))


def test_a_flat_amount_that_is_asked_at_zero_is_on_the_first_line():
    price = make_price("graduated", tiers=MIXED, first_tier_flat_at_zero=True)
    assert [line.amount_exact for line in rate_running(price, [D(0), D(4), D(2)])] == [100, 0, 50]
    assert rate_increment(price, billed=None, total=D(4)).amount_exact == 100


def test_a_tier_that_is_entered_later_asks_its_fee_once():
    price = make_price("graduated", tiers=MIXED)
    assert [line.amount_exact for line in rate_running(price, [D(4), D(1), D(1), D(4)])] == [100, 0, 50, 0]


def test_a_volume_price_that_falls_gives_back():
    line = rate_increment(make_price("volume", tiers=FALLING), billed=D(15), total=D(16))
    assert line.steps == (
        Step(StepKind.VOLUME, D(-15), D(10), D(-150), tier=1),
        Step(StepKind.VOLUME, D(16), D(5), D(80), tier=2),
    )
    difference = tell_difference(line)
    assert (line.amount_exact, difference.reversed, difference.charged) == (-70, -150, 80)


def test_usage_that_was_taken_back_is_given_back():
    price = make_price("per_unit", unit_amount=D(10))
    assert rate_increment(price, billed=D(8), total=D(5)).amount_exact == -30


def test_a_cap_holds_over_all_lines_of_a_period():
    price = make_price("graduated", tiers=MIXED, cap=D(170))
    line = rate_increment(price, billed=D(12), total=D(22))
    assert (line.amount_exact, tell_difference(line).capped_off) == (10, 12)
    after = rate_increment(price, billed=D(22), total=D(32))
    assert (after.amount_exact, tell_difference(after).capped_off) == (0, 10)


def test_a_minimum_is_asked_by_the_last_line_alone():
    price = make_price("per_unit", unit_amount=D(1), minimum=D(1000))
    assert rate_increment(price, billed=D(0), total=D(100), is_last=False).amount_exact == 100
    last = rate_increment(price, billed=D(100), total=D(150))
    assert last.steps == (
        Step(StepKind.UNITS, D(50), D(1), D(50)),
        Step(StepKind.MINIMUM, D(1), D(850), D(850)),
    )


def test_included_units_that_were_used_up_are_not_given_again():
    price = make_price("per_unit", unit_amount=D(1), included_units=D(10))
    charged = [rate_increment(price, billed=D(a), total=D(b)).charged_units for a, b in [(0, 5), (5, 20), (20, 35)]]
    assert charged == [0, 10, 15]


def test_the_steps_of_an_increment_add_up_to_it_where_a_conversion_changed():
    parts = [({"region": "eu", "size": "big"}, D(2))]
    line = rate_increment(BY_REGION, billed=Usage.of_parts(parts), total=Usage.of_parts([*parts, ({}, D(3))]))
    assert line.steps == (Step(StepKind.UNITS, D(3), D(1), D(3)),)


SPLITS = st.lists(QUANTITIES, min_size=1, max_size=5)


def add_lines(lines):
    with localcontext(EXACT):
        return sum((line.amount_exact for line in lines), start=D(0))


@given(metered_prices(), SPLITS)
def test_any_split_adds_up_to_the_rating_of_the_whole(price, totals):
    """Also where usage was taken back between two lines, and where a volume price fell."""
    bounds = [None, *totals]
    lines = [
        rate_increment(price, billed=low, total=high, is_last=number == len(totals))
        for number, (low, high) in enumerate(pairwise(bounds), start=1)
    ]
    with localcontext(EXACT):
        assert add_lines(lines) == rate(price, totals[-1]).amount_exact
        for line in lines:
            assert sum((step.amount for step in line.steps), start=D(0)) == line.amount_exact
            assert all(step.amount == step.quantity * step.unit_amount for step in line.steps)
        assert sum((line.quantity for line in lines), start=D(0)) == totals[-1]


@given(percentage_prices(), st.lists(st.decimals(0, 10**4, places=12), max_size=8), st.integers(0, 8))
def test_any_split_of_transactions_adds_up_too(price, values, cut):
    first = spend(*values[:cut])
    lines = [rate(price, first), rate_increment(price, billed=first, total=spend(*values))]
    assert add_lines(lines) == rate(price, spend(*values)).amount_exact


REGIONS = st.sampled_from([{"region": "eu", "size": "big"}, {"region": "us", "size": "big"}, {"region": "us"}, {}])


@given(st.lists(st.tuples(REGIONS, st.decimals(0, 10**6, places=12)), max_size=6), st.integers(0, 6), QUANTITIES)
def test_any_split_of_parts_by_dimension_adds_up_too(parts, cut, included):
    price = replace(BY_REGION, included_units=included % 1000)
    first, whole = Usage.of_parts(parts[:cut]), Usage.of_parts(parts)
    lines = [rate(price, first), rate_increment(price, billed=first, total=whole)]
    assert add_lines(lines) == rate(price, whole).amount_exact


@given(metered_prices(models=("per_unit", "graduated", "package", "graduated_percentage")), QUANTITIES, QUANTITIES)
def test_without_volume_no_increment_of_more_is_negative(price, one, other):
    less, more = sorted((one, other))
    assert rate_increment(price, billed=less, total=more).amount_exact >= 0


@given(metered_prices(), QUANTITIES)
def test_bounds_hold_every_price(price, quantity):
    amount = rate(price, quantity).amount_exact
    assert amount >= price.minimum
    assert price.cap is None or amount <= price.cap


@given(metered_prices(), QUANTITIES)
def test_an_increment_of_nothing_costs_nothing(price, quantity):
    assume(not price.minimum)
    line = rate_increment(price, billed=quantity, total=quantity)
    assert (line.steps, line.amount_exact) == ((), 0)


def test_transactions_that_came_since_pay_as_if_all_had_come_at_once():
    price = make_percentage(fee="2", free_transactions=3)
    line = rate_increment(price, billed=spend("50", "100"), total=spend("50", "100", "250", "400"))
    assert line.amount_exact == D("7.2")
