from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.anomalies.deviations import Deviation, measure_deviation

STEADY = [Decimal(value) for value in (100, 104, 96, 100, 98, 102, 100, 100)]
quantities = st.decimals(min_value=0, max_value=10**9, places=3)
weeks = st.lists(quantities, min_size=4, max_size=8)


def measure(actual: int, past: list[Decimal] = STEADY, *, months: tuple[int, ...] = (), least: int = 10):
    return measure_deviation(
        Decimal(actual), past, months=[Decimal(each) for each in months], mean=Decimal(100), least=Decimal(least)
    )


def test_four_times_the_usual_is_twelve_deviations_where_the_mean_is_the_widest_spread():
    assert measure(400) == Deviation(actual=Decimal(400), expected=Decimal(100), score=Decimal("12.00"))


def test_nothing_where_much_was_usual_is_below_zero():
    assert measure(0) == Deviation(actual=Decimal(0), expected=Decimal(100), score=Decimal("-4.00"))


def test_what_a_week_ago_was_as_high_is_a_new_level_and_nothing_odd():
    assert measure(400, [Decimal(410), *STEADY[1:]]).score == 0


def test_a_return_from_last_weeks_spike_is_nothing_odd():
    assert measure(100, [Decimal(900), *STEADY[1:]]).score == 0


def test_what_came_at_the_ends_of_both_months_before_is_expected():
    assert measure(390, months=(390, 420)).score == 0
    assert measure(1000, months=(390, 420)).score == Decimal("24.40")


def test_what_came_at_one_of_two_months_ends_is_no_custom():
    assert measure(400, months=(390, 100)).score == Decimal("12.00")


def test_less_than_matters_is_nothing():
    assert measure(400, least=301).score == 0
    assert measure(400, least=300).score == Decimal("12.00")


def test_one_odd_week_among_eight_teaches_nothing():
    assert measure(400, [*STEADY[:7], Decimal(100_000)]).score == Decimal("12.00")


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_weeks_say_nothing(count):
    assert measure(400, STEADY[:count]) is None


def test_where_never_anything_was_used_nothing_is_unlike_it():
    assert measure_deviation(Decimal(5), [Decimal(0)] * 8, mean=Decimal(0), least=Decimal(0)) is None


@given(weeks, quantities)
def test_what_was_seen_a_week_ago_never_deviates(past, mean):
    deviation = measure_deviation(past[0], past, mean=mean, least=Decimal(0))
    assert deviation is None or deviation.score == 0


@given(weeks, quantities, st.integers(1, 1000))
def test_the_unit_in_which_usage_is_counted_does_not_matter(past, actual, factor):
    one = measure_deviation(actual, past, mean=Decimal(7), least=Decimal(1))
    other = measure_deviation(
        actual * factor, [value * factor for value in past], mean=Decimal(7 * factor), least=Decimal(factor)
    )
    assert (one is None) == (other is None)
    assert one is None or other is None or abs(one.score - other.score) <= Decimal("0.01")


@given(weeks, quantities, quantities)
def test_more_usage_never_scores_less(past, actual, more):
    one = measure_deviation(actual, past, mean=Decimal(7), least=Decimal(1))
    other = measure_deviation(actual + more, past, mean=Decimal(7), least=Decimal(1))
    assert one is None or other is None or one.score <= other.score
