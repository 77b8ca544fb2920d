from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.discounts import Discount
from billing.proration import (
    WHOLE,
    OutsidePeriod,
    PriceChange,
    Proration,
    cap_credit,
    change_items,
    change_price,
    change_quantity,
    credit_unused,
    find_part_left,
    find_part_of,
    part_of_days,
    prorate,
)
from billing.taxes import TaxTerms

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
MID_JUNE = datetime(2025, 6, 16, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
HALF = Fraction(1, 2)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (JUNE, Fraction(1)),
        (MID_JUNE, HALF),
        (JULY - SECOND, Fraction(1, 30 * 86_400)),
        (JULY - timedelta(microseconds=1), Fraction(1, 30 * 86_400_000_000)),
        (JULY, Fraction(0)),
    ],
)
def test_by_second_what_is_left_is_a_part_of_the_whole_period(at, left):
    assert find_part_left(at, start=JUNE, end=JULY) == left


def test_by_second_a_day_of_25_hours_weighs_more():
    """In Paris the clocks go back on 25 October 2026."""
    start, end = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
    at = datetime(2026, 10, 25, 23, tzinfo=UTC)  # midnight after the change
    assert find_part_left(at, start=start, end=end) == Fraction(6 * 24, 31 * 24 + 1)
    assert find_part_left(at, start=start, end=end, by=Proration.DAY, time_zone="Europe/Paris") == Fraction(6, 31)


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (datetime(2024, 3, 15, tzinfo=UTC), Fraction(17, 31)),
        (datetime(2024, 3, 15, 23, 59, tzinfo=UTC), Fraction(17, 31)),
        (datetime(2024, 3, 1, tzinfo=UTC), Fraction(1)),
        (datetime(2024, 3, 31, 23, tzinfo=UTC), Fraction(1, 31)),
        (datetime(2024, 4, 1, tzinfo=UTC), Fraction(0)),
    ],
)
def test_by_day_the_day_of_the_change_is_left_in_full(at, left):
    start, end = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
    assert find_part_left(at, start=start, end=end, by=Proration.DAY) == left


def test_by_day_the_day_is_that_of_the_customers_zone():
    start, end = datetime(2024, 2, 29, 15, tzinfo=UTC), datetime(2024, 3, 31, 15, tzinfo=UTC)  # March in Tokyo
    at = datetime(2024, 3, 14, 15, tzinfo=UTC)
    assert find_part_left(at, start=start, end=end, by=Proration.DAY, time_zone="Asia/Tokyo") == Fraction(17, 31)


def test_by_day_a_period_within_one_day_is_left_in_full_until_it_ends():
    end = JUNE + timedelta(hours=5)
    part = {"start": JUNE, "end": end, "by": Proration.DAY}
    assert find_part_left(end - SECOND, **part) == 1
    assert find_part_left(end, **part) == 0


@pytest.mark.parametrize(
    ("at", "start", "end"), [(JUNE - SECOND, JUNE, JULY), (JULY + SECOND, JUNE, JULY), (JUNE, JUNE, JUNE)]
)
@pytest.mark.parametrize("by", Proration)
def test_outside_of_a_period_nothing_is_a_part_of_it(at, start, end, by):
    with pytest.raises(OutsidePeriod):
        find_part_left(at, start=start, end=end, by=by)


def test_so_many_days_are_a_part_of_a_period():
    assert part_of_days(17, 31) == Fraction(17, 31)
    assert prorate(5_000, part_of_days(24, 31)) == 3_871
    assert prorate(1_000, part_of_days(0, 31)) == 0


@pytest.mark.parametrize(("days", "period_days"), [(32, 31), (-1, 31), (0, 0)])
def test_more_days_than_a_period_has_are_no_part_of_it(days, period_days):
    with pytest.raises(OutsidePeriod):
        part_of_days(days, period_days)


def test_an_upgrade_gives_back_what_is_left_of_the_old_price_and_asks_as_much_of_the_new():
    change = change_price(10_000, 30_000, left=HALF)
    assert change == PriceChange(credit_minor=5_000, charge_minor=15_000)
    assert change.net_minor == 10_000


def test_with_another_interval_a_new_period_is_asked_in_full():
    assert change_price(10_000, 100_000, left=HALF, charged_part=WHOLE) == PriceChange(5_000, 100_000)


def test_a_discount_is_taken_off_before_the_part_is():
    half_off = Discount(percent=Decimal(50))
    quarter_off, fixed = Discount(percent=Decimal(25)), Discount(amount_minor=5_000)
    assert change_price(10_000, 100_000, left=HALF, old_discount=quarter_off, new_discount=half_off) == PriceChange(
        3_750, 25_000
    )
    assert change_price(10_000, 100_000, left=HALF, new_discount=fixed) == PriceChange(5_000, 47_500)
    assert change_price(3_000, 10_000, left=HALF, old_discount=fixed) == PriceChange(0, 5_000)


def test_several_items_share_one_discount_before_and_after():
    credits, charges = change_items(
        [10_000, 20_000],
        [30_000, 20_000],
        left=HALF,
        old_discount=Discount(amount_minor=9_000),
        new_discount=Discount(amount_minor=9_000),
    )
    assert (credits, charges) == ((3_500, 7_000), (12_300, 8_200))


def test_more_seats_are_asked_for_what_is_left_and_fewer_given_back():
    seats = {"unit_minor": 1_000, "left": HALF}
    assert change_quantity(old_quantity=5, new_quantity=8, **seats) == 1_500
    assert change_quantity(old_quantity=8, new_quantity=5, **seats) == -1_500


def test_the_seats_share_of_a_discount_depends_on_what_is_beside_them():
    assert (
        change_quantity(
            unit_minor=5_000,
            old_quantity=2,
            new_quantity=4,
            left=HALF,
            discount=Discount(amount_minor=15_000),
            base_minor=10_000,
        )
        == 3_750
    )


@pytest.mark.parametrize(
    ("potential", "paid", "earlier", "credit"),
    [(100, 200, 50, 100), (100, 200, 250, 0), (100, 120, 50, 70), (100, 0, 0, 0), (100, 100, 0, 100)],
)
def test_a_credit_never_exceeds_what_was_paid_and_not_given_back(potential, paid, earlier, credit):
    assert cap_credit(potential, paid, earlier) == credit
    changed = change_price(2 * potential, 0, left=HALF, paid_minor=paid, credited_minor=earlier)
    assert changed.credit_minor == credit


def test_a_credit_note_rounds_the_unused_part_and_then_its_tax():
    note = credit_unused(20_000, left=part_of_days(29, 30), taxes=[TaxTerms("VAT", Decimal(25))])
    assert (note.net_minor, note.tax_minor, note.gross_minor) == (19_333, 4_833, 24_166)


def test_a_credit_note_gives_back_no_more_than_was_paid():
    note = credit_unused(20_000, left=HALF, taxes=[TaxTerms("VAT", Decimal(20))], paid_minor=4_000)
    assert (note.net_minor, note.tax_minor) == (4_000, 800)


PRICES = st.integers(0, 10**9)
PARTS = st.fractions(0, 1)
DISCOUNTS = (
    st.none() | st.builds(Discount, percent=st.decimals(0, 100, places=2)) | st.builds(Discount, amount_minor=PRICES)
)


@given(PRICES, PRICES, PARTS, DISCOUNTS, DISCOUNTS)
def test_up_and_back_at_once_nets_to_zero(old, new, left, old_discount, new_discount):
    up = change_price(old, new, left=left, old_discount=old_discount, new_discount=new_discount)
    back = change_price(new, old, left=left, old_discount=new_discount, new_discount=old_discount)
    assert up.net_minor + back.net_minor == 0


@given(PRICES, PRICES, PRICES, PARTS)
def test_up_in_two_steps_and_back_in_one_nets_to_zero(low, middle, high, left):
    steps = [(low, middle), (middle, high), (high, low)]
    assert sum(change_price(old, new, left=left).net_minor for old, new in steps) == 0


@given(PRICES, st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), PARTS, DISCOUNTS, PRICES)
def test_seats_up_in_two_steps_and_back_in_one_net_to_zero_within_one_unit(unit, few, some, many, left, discount, base):
    def change(old, new):
        return change_quantity(
            unit_minor=unit, old_quantity=old, new_quantity=new, left=left, discount=discount, base_minor=base
        )

    assert change(few, many) + change(many, few) == 0
    assert abs(change(few, some) + change(some, many) + change(many, few)) <= 1


@given(PRICES, PRICES, st.tuples(PARTS, PARTS).map(sorted))
def test_for_a_while_on_the_other_price_only_that_while_costs_more(old, new, parts):
    """Up when `more` is left, back when `less` is: within a unit for each of the two changes."""
    less, more = parts
    net = change_price(old, new, left=more).net_minor + change_price(new, old, left=less).net_minor
    assert abs(net - (new - old) * (more - less)) <= 2


@given(PRICES, PARTS)
def test_the_part_that_is_left_and_the_part_that_is_over_are_the_whole_within_one_unit(price, part):
    assert abs(prorate(price, part) + prorate(price, 1 - part) - price) <= 1


@given(PRICES, PARTS, PRICES, PRICES)
def test_no_credit_is_negative_or_above_what_was_paid(price, left, paid, earlier):
    credit = change_price(price, 0, left=left, paid_minor=paid, credited_minor=earlier).credit_minor
    assert 0 <= credit <= max(0, paid - earlier)


MOMENTS = st.integers(0, 10**14).map(lambda each: JUNE + timedelta(microseconds=each))


@given(st.lists(MOMENTS, min_size=3, max_size=6, unique=True).map(sorted), st.sampled_from(Proration))
def test_the_parts_that_a_period_is_cut_into_are_the_whole_of_it(cuts, by):
    whole = {"whole_start": cuts[0], "whole_end": cuts[-1], "by": by, "time_zone": "Europe/Paris"}
    parts = [find_part_of(start, end, **whole) for start, end in pairwise(cuts)]
    assert sum(parts) == 1
    left = find_part_left(cuts[1], start=cuts[0], end=cuts[-1], by=by, time_zone="Europe/Paris")
    if by is Proration.SECOND:
        assert parts[0] + left == 1


def test_what_reaches_beyond_a_period_is_no_part_of_it():
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    with pytest.raises(OutsidePeriod):
        find_part_of(start, end + timedelta(1), whole_start=start, whole_end=end, by=Proration.DAY, time_zone="UTC")
