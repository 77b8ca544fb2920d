"""What usage costs, and why: pure, exact, without rounding. No Django here.

`rate` is the single door for the live cost, the preview and the invoice, so that they cannot disagree.
"""

from billing.rating.commitments import HourTerms, WindowCharge, WindowTerms, charge_window, charge_windows
from billing.rating.digits import (
    AMOUNT_LIMIT,
    ONE,
    QUANTITY_DIGITS,
    UNIT_PRICE_DIGITS,
    ZERO,
    AmountTooLarge,
    InvalidPrice,
    InvalidQuantity,
    Rounding,
    check_digits,
    trim,
)
from billing.rating.increments import Difference, rate_increment, rate_running, tell_difference
from billing.rating.rates import rate, rate_buckets
from billing.rating.readings import MissingReading, Part, Usage
from billing.rating.steps import RatedLine, Step, StepKind, read_steps, write_steps
from billing.rating.terms import (
    ChargedBy,
    Conversion,
    DimensionPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    TierTerms,
    flat_fee,
    graduated,
    per_unit,
    stack_blocks,
)

__all__ = [
    "AMOUNT_LIMIT",
    "ONE",
    "QUANTITY_DIGITS",
    "UNIT_PRICE_DIGITS",
    "ZERO",
    "AmountTooLarge",
    "ChargedBy",
    "Conversion",
    "Difference",
    "DimensionPrice",
    "HourTerms",
    "InvalidPrice",
    "InvalidQuantity",
    "MissingReading",
    "Part",
    "PercentageTerms",
    "PriceModel",
    "PriceTerms",
    "RatedLine",
    "Rounding",
    "Step",
    "StepKind",
    "TierTerms",
    "Usage",
    "WindowCharge",
    "WindowTerms",
    "charge_window",
    "charge_windows",
    "check_digits",
    "flat_fee",
    "graduated",
    "per_unit",
    "rate",
    "rate_buckets",
    "rate_increment",
    "rate_running",
    "read_steps",
    "stack_blocks",
    "tell_difference",
    "trim",
    "write_steps",
]
