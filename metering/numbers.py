"""Exact numbers: what a quantity can hold, and the one way to round them. No Django, no float.

A quantity is a `Decimal(38, 12)`: less than 1e26 either way, twelve decimals, rounded half away from zero. On the way
there a number is an int, a Decimal, or a Fraction where a division does not come out even, so that it is rounded once.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction

Number = int | Decimal | Fraction

BOUND = 10**26
PLACES = 12
STEP = Decimal(1).scaleb(-PLACES)

# Refuses to lose a digit; what does not fit is left to Fraction.
EXACT = Context(prec=200, rounding=ROUND_HALF_UP, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
# Of 38 digits: quantizing to STEP in it rounds, and raises InvalidOperation for what no quantity can hold.
QUANTITY = Context(prec=38, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
# Rounds numbers below 10**WIDE_DIGITS to a place.
WIDE_DIGITS = 1_000
WIDE = Context(prec=2 * WIDE_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])

ROUNDINGS = {"round": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


def round_number(value: Number, places: int, function: str = "round") -> Decimal:
    """To so many decimals, or for negative places to tens, hundreds, …: `round` goes half away from zero.

    `function` is round, ceil (towards +∞) or floor (towards -∞); `value` is below 10**1000, `places` at most 12.
    """
    if isinstance(value, Fraction):
        scaled = value * Fraction(10) ** places
        whole = Decimal(round_fraction(scaled, function))
        return whole.scaleb(-places, WIDE) if places > 0 else Decimal(int(whole) * 10**-places)
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), ROUNDINGS[function], WIDE)
    return rounded if places >= 0 else Decimal(int(rounded))  # 1200 and not 1.2E+3


def round_fraction(value: Fraction, function: str) -> int:
    if function == "ceil":
        return -(-value.numerator // value.denominator)
    if function == "floor":
        return value.numerator // value.denominator
    size = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return -size if value < 0 else size


def number_text(value: int | Decimal) -> str:
    """One text for each value, whatever its zeros: `1.50`, `1.5` and `15e-1` are all `1.5`."""
    if isinstance(value, int):
        return str(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
