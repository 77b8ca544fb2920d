import random
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from metering.alerts.levels import (
    MOST,
    Ladder,
    find_crossed,
    find_next,
    find_position,
    is_left,
    is_reached,
    level_quantity,
    list_reached,
)
from metering.numbers import EXACT, STEP

STANDARD = Ladder((Decimal(80), Decimal(100)), Decimal(25), bound=Decimal(1000))
CREDIT = Ladder((Decimal(0), Decimal(20)), is_falling=True, bound=Decimal(0))


def reach(value: str, base: str) -> list[int]:
    position = find_position(Decimal(value), Decimal(base), is_percent=True)
    assert position is not None
    return [int(level) for level in list_reached(STANDARD, position)]


@pytest.mark.parametrize(
    ("value", "base", "levels"),
    [
        ("79.999999999999", "100", []),
        ("80", "100", [80]),
        ("99.999999999999", "100", [80]),
        ("100", "100", [80, 100]),
        ("124", "100", [80, 100]),
        ("175", "100", [80, 100, 125, 150, 175]),
        ("99999999999999999999999999.999999999998", "99999999999999999999999999.999999999999", [80]),
        ("0", "0", []),
        ("0.000000000001", "0", [80, 100]),
        ("500", "0", [80, 100]),
        ("-1", "0", []),
        ("-1", "100", []),
    ],
)
def test_levels_are_reached_exactly(value, base, levels):
    assert reach(value, base) == levels


def test_levels_recur_up_to_a_thousand_percent():
    assert reach("28.56", "1")[-1] == 1000
    assert len(reach("28.56", "1")) == 38
    assert find_next(STANDARD, beyond=Decimal(975)) == 1000
    assert find_next(STANDARD, beyond=Decimal(1000)) is None


def test_of_very_many_steps_the_furthest_are_put_on_record():
    every = Ladder((Decimal(10),), Decimal("0.1"))
    reached = list_reached(every, Fraction(10**9))
    assert (len(reached), reached[-1]) == (MOST, 10**9)
    assert find_next(every, beyond=Decimal(10**9)) == Decimal("1000000000.1")


@pytest.mark.parametrize(("value", "levels"), [("21", []), ("20", [20]), ("1", [20]), ("0", [20, 0]), ("-5", [20, 0])])
def test_what_falls_reaches_the_higher_level_first(value, levels):
    position = find_position(Decimal(value), Decimal(100), is_percent=True, is_falling=True)
    assert list_reached(CREDIT, position) == levels


def test_of_nothing_there_is_no_percent():
    assert find_position(Decimal(5), None, is_percent=True) is None
    assert find_position(Decimal(0), Decimal(0), is_percent=True, is_falling=True) is None
    assert find_position(Decimal(5), None, is_percent=False) == 5


@pytest.mark.parametrize(
    ("value", "is_falling", "left"),
    [("75.01", False, False), ("75", False, True), ("0", False, True), ("84.99", True, False), ("85", True, True)],
)
def test_a_level_is_left_by_its_margin(value, is_falling, left):
    assert is_left(Decimal(80), Fraction(value), margin=Decimal(5), is_falling=is_falling) is left


def test_the_next_level_is_the_first_beyond():
    nexts = [find_next(STANDARD, beyond=each) for each in (None, Decimal(80), Decimal(100), Decimal(110), Decimal(125))]
    assert nexts == [80, 100, 125, 125, 150]
    assert [find_next(CREDIT), find_next(CREDIT, beyond=Decimal(20)), find_next(CREDIT, beyond=Decimal(0))] == [
        20,
        0,
        None,
    ]


def test_the_quantity_of_a_level_decides_as_the_level_does():
    for quantity in map(Decimal, ["0.000000000001", "0.000000000007", "3.333333333333", "12345678901234567890.1"]):
        for level in map(Decimal, (80, 100, 125)):
            total = level_quantity(level, quantity)
            below = EXACT.subtract(total, STEP)
            assert is_reached(level, find_position(total, quantity, is_percent=True))
            assert not is_reached(level, find_position(below, quantity, is_percent=True))


@pytest.mark.parametrize("is_falling", [False, True])
def test_what_is_crossed_step_by_step_is_what_is_crossed_at_once(is_falling):
    numbers = random.Random(7)  # noqa: S311
    for _ in range(200):
        levels = tuple(sorted(Decimal(numbers.randrange(1, 40)) for _ in range(numbers.randrange(1, 4))))
        ladder = Ladder(levels, Decimal(numbers.randrange(1, 9)), is_falling)
        path = sorted((Decimal(numbers.randrange(-40, 80)) for _ in range(4)), reverse=is_falling)
        steps = [find_crossed(ladder, previous=a, current=b) for a, b in pairwise(path)]
        at_once = find_crossed(ladder, previous=path[0], current=path[-1])
        assert sorted({level for step in steps for level in step}) == sorted(set(at_once))
