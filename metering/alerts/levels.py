"""Which levels a reading has reached, left, or crossed since the reading before. Pure and exact.

A position is a number on the scale of the levels: percent of a base (a limit, a budget, a pace), or the value itself.
It is kept as a fraction, so that no comparison rounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile

from metering.numbers import EXACT, PLACES, round_number

CAP = Decimal(1000)  # percent: beyond it a recurring level tells nobody anything new
MOST = 50  # levels that one reading puts on record: of recurring ones the furthest


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of a rule, ascending, and the step at which one recurs beyond the outermost, up to `bound`.

    Of a rising ladder the highest is outermost, of a falling one the lowest. Without levels the steps begin at zero.
    `own` are further levels, of whom it is about: they move no step, and only `list_reached` knows them.
    """

    levels: tuple[Decimal, ...]
    step: Decimal | None = None
    is_falling: bool = False
    bound: Decimal | None = None
    own: tuple[Decimal, ...] = ()

    @property
    def outermost(self) -> Decimal:
        return (self.levels[0] if self.is_falling else self.levels[-1]) if self.levels else Decimal(0)


def find_position(
    value: Decimal, base: Decimal | None, *, is_percent: bool, is_falling: bool = False
) -> Fraction | None:
    """Where the value stands; None of percent where there is nothing to be measured by.

    Of what rises, any use of a base of zero is 100 %, and none is 0 %; of what falls, nothing is left of zero.
    """
    if not is_percent:
        return Fraction(value)
    if base is None or (base == 0 and is_falling):
        return None
    if base == 0:
        return Fraction(100 if value > 0 else 0)
    return Fraction(value) * 100 / Fraction(base)


def is_reached(level: Decimal, position: Fraction, *, is_falling: bool = False) -> bool:
    """Inclusive. A rising level is not reached before there is something."""
    return position <= Fraction(level) if is_falling else position >= Fraction(level) and position > 0


def is_left(level: Decimal, position: Fraction, *, margin: Decimal, is_falling: bool = False) -> bool:
    """Whether the reading is back on the near side by the margin or more, so that the level is armed again."""
    if is_falling:
        return position >= Fraction(level) + Fraction(margin)
    return position <= Fraction(level) - Fraction(margin) or position <= 0


def list_reached(ladder: Ladder, position: Fraction, *, beyond: Decimal | None = None) -> list[Decimal]:
    """The levels that hold at the position and lie beyond a level, in the order in which they are reached.

    Of more than MOST the furthest.
    """
    is_falling = ladder.is_falling
    plain = {each for each in (*ladder.levels, *ladder.own) if is_reached(each, position, is_falling=is_falling)}
    reached = sorted(plain.union(list_steps(ladder, position)), reverse=is_falling)
    return [each for each in reached if beyond is None or is_beyond(each, beyond, ladder)][-MOST:]


def list_steps(ladder: Ladder, position: Fraction) -> list[Decimal]:
    """The recurring levels that hold at the position, at most the furthest MOST, nearest first."""
    if ladder.step is None:
        return []
    distance = position - Fraction(ladder.outermost)
    count = max(0, int((-distance if ladder.is_falling else distance) // Fraction(ladder.step)))
    if ladder.bound is not None:
        count = min(count, count_bounded(ladder))
    return [step_level(ladder, number) for number in range(max(1, count - MOST + 1), count + 1)]


def find_next(ladder: Ladder, *, beyond: Decimal | None = None) -> Decimal | None:
    """The level that is reached first after `beyond`; None when none is left."""
    for level in order(ladder):
        if beyond is None or is_beyond(level, beyond, ladder):
            return level
    if ladder.step is None:
        return None
    number = 1
    if beyond is not None and is_beyond(beyond, ladder.outermost, ladder):
        number += int(abs(EXACT.subtract(beyond, ladder.outermost)) // ladder.step)
    if ladder.bound is not None and number > count_bounded(ladder):
        return None
    return step_level(ladder, number)


def find_crossed(ladder: Ladder, *, previous: Decimal, current: Decimal) -> list[Decimal]:
    """The levels between two readings, ascending: the previous one excluded, the current one included."""
    if ladder.is_falling:
        crossed = takewhile(lambda level: level >= current, iterate_beyond(ladder, previous))
        return sorted(level for level in crossed if level < previous)
    return list(takewhile(lambda level: level <= current, iterate_beyond(ladder, previous)))


def iterate_beyond(ladder: Ladder, beyond: Decimal) -> Iterator[Decimal]:
    level = find_next(ladder, beyond=beyond)
    while level is not None:
        yield level
        level = find_next(ladder, beyond=level)


def order(ladder: Ladder) -> tuple[Decimal, ...]:
    """The plain levels in the order in which they are reached."""
    return ladder.levels[::-1] if ladder.is_falling else ladder.levels


def is_beyond(level: Decimal, other: Decimal, ladder: Ladder) -> bool:
    return is_further(level, other, is_falling=ladder.is_falling)


def is_further(level: Decimal, other: Decimal, *, is_falling: bool) -> bool:
    return level < other if is_falling else level > other


def step_level(ladder: Ladder, number: int) -> Decimal:
    distance = EXACT.multiply(ladder.step or Decimal(0), Decimal(number))
    combine = EXACT.subtract if ladder.is_falling else EXACT.add
    return combine(ladder.outermost, distance)


def count_bounded(ladder: Ladder) -> int:
    """How many steps there are until the bound."""
    if ladder.step is None or ladder.bound is None:
        return 0
    distance = abs(EXACT.subtract(ladder.bound, ladder.outermost))
    return int(distance // ladder.step) if is_beyond(ladder.bound, ladder.outermost, ladder) else 0


def level_quantity(level: Decimal, base: Decimal) -> Decimal:
    """The smallest storable total that reaches a level in percent: rounded up, it decides as exactly."""
    return round_number(Fraction(level) * Fraction(base) / 100, PLACES, "ceil")
