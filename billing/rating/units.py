"""Quantities before they are priced: converted, and the included units taken off. And packages of them."""

from decimal import Decimal
from fractions import Fraction

from billing.rating.digits import ONE, ZERO, Rounding, round_quantity
from billing.rating.terms import Conversion


def convert(quantity: Decimal, conversion: Conversion) -> Decimal:
    """The quantity in the unit that is charged, rounded once."""
    exact = Fraction(quantity) * Fraction(conversion.multiply_by) * Fraction(conversion.divide_by) ** -1
    return round_quantity(exact, conversion.rounding, conversion.places)


def count_packages(units: Decimal, size: Decimal, rounding: Rounding = Rounding.UP) -> Decimal:
    """How many packages of `size` are charged for so many units: a started one is whole, unless rounded otherwise."""
    whole, rest = divmod(units, size)
    is_charged = {Rounding.UP: rest > ZERO, Rounding.HALF: rest * 2 >= size, Rounding.DOWN: False}[rounding]
    return whole + ONE if is_charged else whole
