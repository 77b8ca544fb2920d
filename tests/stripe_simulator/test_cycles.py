"""Billing cycles hang on their anchor, in UTC, whatever the months are like."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripe_simulator.cycles import Cycle, add_interval, find_boundary, find_configured_anchor, find_cycle


def unix(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp())


CYCLES = st.builds(
    Cycle,
    anchor=st.integers(unix(2000, 1, 1), unix(2040, 1, 1)),
    interval=st.sampled_from(["day", "week", "month", "year"]),
    count=st.integers(1, 12),
)


@pytest.mark.parametrize(("year", "february"), [(2026, 28), (2028, 29)])
def test_the_thirty_first_survives_a_short_month(year, february):
    cycle = Cycle(unix(year, 1, 31, 10, 17, 5), "month")
    assert find_boundary(cycle, 1) == unix(year, 2, february, 10, 17, 5)
    assert find_boundary(cycle, 2) == unix(year, 3, 31, 10, 17, 5)


def test_a_leap_day_comes_back_after_four_years():
    cycle = Cycle(unix(2028, 2, 29), "year")
    assert find_boundary(cycle, 1) == unix(2029, 2, 28)
    assert find_boundary(cycle, 4) == unix(2032, 2, 29)


def test_a_cycle_ends_before_its_last_second():
    cycle = Cycle(unix(2026, 1, 15), "month")
    assert find_cycle(cycle, unix(2026, 2, 15) - 1) == (unix(2026, 1, 15), unix(2026, 2, 15))
    assert find_cycle(cycle, unix(2026, 2, 15)) == (unix(2026, 2, 15), unix(2026, 3, 15))


def test_cycles_before_the_anchor_are_found_too():
    assert find_cycle(Cycle(unix(2026, 3, 31), "month"), unix(2026, 2, 10)) == (unix(2026, 1, 31), unix(2026, 2, 28))


def test_quarters_and_weeks_count_their_interval():
    assert find_cycle(Cycle(unix(2026, 1, 1), "month", 3), unix(2026, 5, 20)) == (unix(2026, 4, 1), unix(2026, 7, 1))
    assert find_cycle(Cycle(unix(2026, 1, 1), "week", 2), unix(2026, 1, 20)) == (unix(2026, 1, 15), unix(2026, 1, 29))


def test_a_day_meant_by_the_configuration_outlives_a_short_anchor():
    cycle = Cycle(unix(2026, 2, 28), "month", day=31)
    assert [find_boundary(cycle, number) for number in (0, 1, 2)] == [
        unix(2026, 2, 28),
        unix(2026, 3, 31),
        unix(2026, 4, 30),
    ]


def test_a_configured_anchor_is_the_next_such_day():
    assert find_configured_anchor(unix(2026, 2, 3), {"day_of_month": 31, "hour": 0, "minute": 0, "second": 0}) == unix(
        2026, 2, 28
    )
    assert find_configured_anchor(unix(2026, 2, 3, 8), {"day_of_month": 1}) == unix(2026, 3, 1, 8)
    assert find_configured_anchor(unix(2026, 2, 3), {"day_of_month": 5, "month": 1}) == unix(2027, 1, 5)


def test_one_interval_later_is_clamped():
    assert add_interval(unix(2026, 1, 31), "month") == unix(2026, 2, 28)


@given(cycle=CYCLES, at=st.integers(unix(1995, 1, 1), unix(2050, 1, 1)))
def test_every_second_lies_in_one_cycle_that_the_next_one_follows(cycle, at):
    start, end = find_cycle(cycle, at)
    assert start <= at < end
    assert find_cycle(cycle, end)[0] == end
    assert find_cycle(cycle, start - 1)[1] == start


@given(cycle=CYCLES, number=st.integers(-60, 60))
def test_boundaries_never_go_back(cycle, number):
    assert find_boundary(cycle, number) < find_boundary(cycle, number + 1)
