from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.fees import Fee, add_parts, charge_fees, credit_fees, shift_fees, spare_fees

BASE = Fee("base", "Base fee", 3_100)
PARTS = st.fractions(min_value=0, max_value=1)


def test_a_fee_gives_back_the_part_that_is_left_and_the_next_one_asks_it():
    left = Fraction(21, 31)
    assert [part.amount_minor for part in credit_fees([BASE], left=left)] == [-2_100]
    assert [part.amount_minor for part in charge_fees([Fee("big", "Large", 31_000)], left=left)] == [21_000]


def test_a_fee_of_which_a_part_was_asked_gives_no_more_back_than_that():
    assert add_parts(credit_fees([BASE], left=Fraction(21, 31), asked=Fraction(1, 31))) == -100


@given(amount=st.integers(0, 10**9), left=PARTS)
def test_what_is_spared_brings_a_whole_fee_to_its_part(amount, left):
    fee = Fee("fee", "Fee", amount)
    assert amount + add_parts(spare_fees([fee], left=left)) == add_parts(charge_fees([fee], left=left))


@given(amount=st.integers(0, 10**9), first=PARTS, second=PARTS)
def test_two_changes_one_after_the_other_never_make_a_period_cost_less_than_nothing(amount, first, second):
    fees, (later, earlier) = [Fee("fee", "Fee", amount)], sorted([first, second])
    assert add_parts(charge_fees(fees, left=earlier)) + add_parts(credit_fees(fees, left=later, asked=earlier)) >= 0


@given(amount=st.integers(0, 10**9), left=PARTS)
def test_up_and_down_again_at_once_nets_to_nothing(amount, left):
    fees = [Fee("fee", "Fee", amount)]
    assert add_parts(charge_fees(fees, left=left)) + add_parts(credit_fees(fees, left=left, asked=left)) == 0


@given(seat=st.integers(0, 10**7), before=st.integers(1, 10**4), after=st.integers(1, 10**4), left=PARTS, later=PARTS)
def test_more_seats_and_back_net_to_the_time_between_within_one_unit(seat, before, after, left, later):
    left, later = max(left, later), min(left, later)
    old, new = [Fee("seat", "Seats", seat * before)], [Fee("seat", "Seats", seat * after)]
    asked = add_parts(shift_fees(old, new, left=left)) + add_parts(shift_fees(new, old, left=later))
    assert abs(asked - seat * (after - before) * (left - later)) <= 1


@given(amounts=st.lists(st.integers(0, 10**9), min_size=2, max_size=2), left=PARTS)
def test_seats_up_and_back_at_once_net_to_nothing(amounts, left):
    old, new = ([Fee("seat", "Seats", amount)] for amount in amounts)
    assert add_parts(shift_fees(old, new, left=left)) + add_parts(shift_fees(new, old, left=left)) == 0


def test_a_fee_that_comes_is_asked_and_one_that_goes_is_given_back():
    come, go = Fee("come", "Support", 3_100), Fee("go", "Storage", 310)
    parts = shift_fees([BASE, go], [BASE, come], left=Fraction(1, 31))
    assert [(part.fee.key, part.amount_minor) for part in parts] == [("go", -10), ("come", 100)]
