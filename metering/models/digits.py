"""How many digits a quantity and a sum of quantities keep."""

from typing import TypedDict


class Digits(TypedDict):
    max_digits: int
    decimal_places: int


QUANTITY: Digits = {"max_digits": 38, "decimal_places": 12}
TOTAL: Digits = {"max_digits": 50, "decimal_places": 12}  # sums of the greatest quantities, a trillion of them
SEALS: Digits = {"max_digits": 90, "decimal_places": 0}  # sums of numbers below 2^256, a trillion of them
MOMENT: Digits = {"max_digits": 60, "decimal_places": 18}  # a total times seconds, to the microsecond
