"""Which numbers a price, a quantity and an amount may be, and how they are written."""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.money import EXACT
from metering.numbers import round_number

ZERO = Decimal(0)
ONE = Decimal(1)
UNIT_PRICE_DIGITS = (12, 12)  # before and after the point, as stored
PERCENT_DIGITS = (3, 10)  # a hundredth of it has no more digits than a unit price
QUANTITY_DIGITS = (26, 12)
PLACES = 12
AMOUNT_LIMIT = Decimal(10) ** 14


class InvalidPrice(ValueError):
    """A price that cannot be charged; the message says what is wrong with it, `field` where: `tiers[1].up_to`."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class InvalidQuantity(ValueError):
    """A quantity that is no number, or has more digits than are stored; `field` names the part of the reading."""

    def __init__(self, message: str, field: str = "quantity") -> None:
        super().__init__(message)
        self.field = field


class AmountTooLarge(ValueError):
    """An amount beyond what a document can hold."""


class Rounding(StrEnum):
    UP = "up"
    HALF = "half"  # away from zero
    DOWN = "down"


FUNCTIONS = {Rounding.UP: "ceil", Rounding.HALF: "round", Rounding.DOWN: "floor"}


def round_quantity(value: Fraction, rounding: Rounding, places: int) -> Decimal:
    """To so many decimals, from the exact value and once."""
    return round_number(value, places, FUNCTIONS[rounding])


def trim(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    whole = value.to_integral_value()
    return whole.quantize(ONE, context=EXACT) if value == whole else value.normalize(EXACT)


def find_digit_problem(value: Decimal, digits: tuple[int, int], *, may_be_negative: bool = False) -> str | None:
    """What is wrong with a value that is no Decimal, no number, below zero, or would lose digits when stored."""
    before, after = digits
    if not isinstance(value, Decimal) or not value.is_finite():
        return f"must be a finite decimal number, not {value!r}"
    if value < 0 and not may_be_negative:
        return "may not be negative"
    if value and value.adjusted() >= before:
        return f"has more than {before} digits before the point"
    if int(trim(value).as_tuple().exponent) < -after:
        return f"has more than {after} digits after the point"
    return None


def check_digits(
    value: Decimal, digits: tuple[int, int], *, error: type[ValueError], name: str, may_be_negative: bool = False
) -> None:
    """Raise `error` for what find_digit_problem finds."""
    problem = find_digit_problem(value, digits, may_be_negative=may_be_negative)
    if problem:
        raise error(f"{name} {problem}.")
