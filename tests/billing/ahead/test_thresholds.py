from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.ahead.thresholds import (
    FinalBill,
    InvalidThresholds,
    ProgressState,
    Thresholds,
    add_usage,
    end_period,
    settle_period,
)
from billing.money import Money, round_money


def eur(minor):
    return Money(minor, "EUR")


def at(*single, step=None):
    return Thresholds(tuple(map(Decimal, single)), None if step is None else Decimal(step))


def bill(thresholds, *worths, state=None):
    """What each use is billed at once, in cents, and where that leads."""
    state, asked = state or ProgressState.begin("EUR"), []
    for worth in worths:
        state, invoice = add_usage(state, Decimal(worth), thresholds)
        asked.append(invoice.minor if invoice else None)
    return asked, state


@pytest.mark.parametrize(
    ("worth", "passed"),
    [("1.99", None), ("2", 2), ("6.99", 5), ("16.99", 7), ("17", 17), ("36.99", 27), ("37", 37)],
)
def test_steps_follow_the_last_single_threshold(worth, passed):
    assert at(2, 5, 7, step=10).find_passed(Decimal(worth)) == passed


def test_a_step_alone_begins_at_nothing():
    assert [at(step=10).find_passed(Decimal(worth)) for worth in (9, 10, 25)] == [None, 10, 20]


def test_without_thresholds_nothing_is_billed_ahead():
    assert bill(at(), 1_000_000)[0] == [None]


def test_one_use_over_several_thresholds_is_billed_once():
    assert bill(at(1, 2, 3), 10)[0] == [1_000]


def test_the_invoices_of_a_period_are_rounded_together():
    asked, state = bill(at(step="0.01"), "0.014", "0.014", "0.014")
    assert asked == [1, 2, 1]
    assert state.billed == eur(4)


def test_a_threshold_bills_once_though_usage_is_taken_back():
    assert bill(at(10), 10, -5, 6)[0] == [1_000, None, None]


def test_lifetime_usage_goes_on_where_the_period_ends():
    _, state = bill(at(10), 6)
    state, final = end_period(state, [eur(500)])
    assert final == FinalBill(fees=eur(1_100), credit=eur(0), total=eur(1_100), excess=eur(0))
    assert bill(at(10), 5, state=state)[0] == [500]


def test_what_was_billed_beyond_the_fees_is_owed_back():
    _, state = bill(at(10), 10, -7)
    _, final = end_period(state, [eur(200)])
    assert final == FinalBill(fees=eur(500), credit=eur(500), total=eur(0), excess=eur(500))


def test_an_early_end_credits_what_was_billed():
    final = settle_period([eur(1_800), eur(20_000)], billed=eur(20_000))
    assert (final.fees, final.total) == (eur(21_800), eur(1_800))


@pytest.mark.parametrize(("single", "step"), [((5, 5), None), ((5, 2), None), ((0,), None), ((), 0), ((), -1)])
def test_thresholds_that_make_no_sense_are_refused(single, step):
    with pytest.raises(InvalidThresholds):
        at(*single, step=step)


WORTHS = st.decimals(0, 100, places=4)


@given(
    st.sets(st.integers(1, 200), max_size=4).map(sorted),
    st.none() | st.integers(1, 50),
    st.lists(st.lists(WORTHS, max_size=6), max_size=4),
)
def test_threshold_invoices_and_the_last_one_add_up_to_what_was_used(single, step, periods):
    state = ProgressState.begin("EUR")
    for worths in periods:
        asked, state = bill(at(*single, step=step), *worths, state=state)
        state, final = end_period(state, [])
        paid = sum(each or 0 for each in asked)
        assert final.credit.minor == paid
        assert paid + final.total.minor == round_money(sum(worths, start=Decimal(0)), "EUR").minor
        assert final.excess.minor == 0
