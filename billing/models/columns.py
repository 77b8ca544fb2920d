"""How many digits the columns of quantities and prices keep."""

from typing import TypedDict


class Digits(TypedDict):
    max_digits: int
    decimal_places: int


QUANTITY: Digits = {"max_digits": 38, "decimal_places": 12}
UNIT_PRICE: Digits = {"max_digits": 24, "decimal_places": 12}
PERCENT: Digits = {"max_digits": 13, "decimal_places": 10}
EXACT_AMOUNT: Digits = {"max_digits": 38, "decimal_places": 24}
