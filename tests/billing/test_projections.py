from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.projections import find_growth, project_count, project_quantity, project_values

START = datetime(2026, 4, 1, tzinfo=UTC)
END = datetime(2026, 5, 1, tzinfo=UTC)  # thirty days


@pytest.mark.parametrize(
    ("day", "growth"),
    [(10, Fraction(3)), (20, Fraction(3, 2)), (30, Fraction(1)), (45, Fraction(1)), (1, Fraction(30))],
)
def test_usage_grows_by_the_length_of_the_period_over_the_time_that_has_passed(day, growth):
    assert find_growth(START, END, at=START + timedelta(days=day)) == growth


@pytest.mark.parametrize("elapsed", [timedelta(0), timedelta(seconds=1), timedelta(hours=23)])
def test_less_than_a_day_counts_as_a_day(elapsed):
    assert find_growth(START, END, at=START + elapsed) == 30


def test_a_period_of_a_day_is_not_projected():
    assert find_growth(START, START + timedelta(days=1), at=START + timedelta(hours=1)) == 1


@pytest.mark.parametrize(
    ("used", "projected"),
    [("1000", "3000"), ("0", "0"), ("0.5", "1.5"), ("-2", "-6"), ("10.000000000000", "30")],
)
def test_a_quantity_is_multiplied(used, projected):
    assert project_quantity(Decimal(used), Fraction(3)) == Decimal(projected)


def test_what_was_counted_in_ones_stays_whole():
    assert project_quantity(Decimal(100), Fraction(30, 7)) == Decimal(429)
    assert project_quantity(Decimal("1.5"), Fraction(1, 1) * Fraction(10, 3)) == Decimal("5.0")
    assert project_count(100, Fraction(30, 7)) == 429


def test_transactions_come_again_in_their_order():
    values = (Decimal(1), Decimal(20), Decimal(3))
    assert project_values(values, Fraction(7, 3)) == (*values, *values, Decimal(1))
    assert project_values((), Fraction(30)) == ()


@given(
    used=st.decimals(min_value=0, max_value=10**20, places=6),
    elapsed=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40)),
)
def test_a_projection_is_never_less_than_what_was_used_and_the_end_changes_nothing(used, elapsed):
    growth = find_growth(START, END, at=START + elapsed)
    assert project_quantity(used, growth) >= used
    assert project_quantity(used, find_growth(START, END, at=END)) == used
