"""Whether the parts of a price fit together. Each problem comes with the field that has it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.rating.digits import (
    PERCENT_DIGITS,
    PLACES,
    QUANTITY_DIGITS,
    UNIT_PRICE_DIGITS,
    ZERO,
    InvalidPrice,
    find_digit_problem,
)

if TYPE_CHECKING:
    from billing.rating.terms import DimensionPrice, PercentageTerms, PriceTerms, TierTerms

Problem = tuple[str, str]  # the field, and what is wrong with it
Number = tuple[str, str, Decimal, tuple[int, int]]  # the field, its name in a sentence, the value, its digits

TIERED = {"graduated", "volume", "graduated_percentage"}
PRICED_AT_ONCE = {"flat", "per_unit", "package", "dimension"}
PERCENTAGES = {"percentage", "graduated_percentage"}


def check_price(price: PriceTerms) -> None:
    """Raise InvalidPrice, with the first field at fault, unless the parts fit the model."""
    name = price.description or "A price without a description"
    for field, title, value, digits in list_numbers(price):
        problem = find_digit_problem(value, digits)
        if problem:
            raise InvalidPrice(f"{name}: {title} {problem}.", field)
    problems = list(find_problems(price))
    if problems:
        raise InvalidPrice(f"{name}: {'; '.join(text for _, text in problems)}.", problems[0][0])


def find_problems(price: PriceTerms) -> Iterator[Problem]:
    if not price.description.strip():
        yield "description", "it needs a description"
    if price.per_seat and price.model != "flat":
        yield "per_seat", "only a flat fee is asked by seat"
    if price.model == "flat":
        yield from find_flat_problems(price)
    elif not price.meter_key:
        yield "meter", "a price for usage needs a meter"
    if (price.unit_amount is not None) != (price.model in PRICED_AT_ONCE):
        yield "unit_amount", "flat and per-unit prices have one amount, graduated prices have it in their tiers"
    if bool(price.tiers) != (price.model in TIERED):
        yield "tiers", "graduated prices have tiers and others have none"
    if price.tiers:
        yield from find_tier_problems(price)
    if (price.package_size is not None) != (price.model == "package"):
        yield "package_size", "a package price has a package size and others have none"
    if price.package_size == 0:
        yield "package_size", "a package holds more than nothing"
    if (price.percentage is not None) != (price.model == "percentage"):
        yield "percentage", "a percentage price has a percentage and others have none"
    if price.percentage is not None:
        yield from find_percentage_problems(price, price.percentage)
    if price.first_tier_flat_at_zero and price.model not in TIERED:
        yield "first_tier_flat_at_zero", "only tiers have a first flat amount"
    if price.conversion is not None:
        yield from find_conversion_problems(price)
    if price.cap is not None and price.cap < price.minimum:
        yield "cap", "the cap may not be below the minimum"
    yield from find_table_problems(price)


def find_flat_problems(price: PriceTerms) -> Iterator[Problem]:
    if price.meter_key is not None:
        yield "meter", "a flat fee has neither meter nor included units"
    elif price.included_units:
        yield "included_units", "a flat fee has neither meter nor included units"
    if price.minimum:
        yield "minimum", "a flat fee is its own minimum"
    if price.cap is not None:
        yield "cap", "a flat fee is its own cap"


def find_tier_problems(price: PriceTerms) -> Iterator[Problem]:
    *lower, last = price.tiers
    if last.up_to is not None:
        yield f"tiers[{len(lower)}].up_to", "the last tier must be open-ended"
    floor = ZERO
    for number, tier in enumerate(lower):
        if tier.up_to is None:
            yield f"tiers[{number}].up_to", "only the last tier may be open-ended"
        elif tier.up_to <= floor:
            yield f"tiers[{number}].up_to", "each tier must end above the one before"
        floor = tier.up_to or floor
    for number, tier in enumerate(price.tiers):
        yield from find_one_tier_problems(price.model, f"tiers[{number}]", tier)


def find_one_tier_problems(model: str, field: str, tier: TierTerms) -> Iterator[Problem]:
    is_percentage = model == "graduated_percentage"
    if is_percentage != (tier.rate_percent is not None):
        yield f"{field}.rate_percent", "the tiers of a graduated percentage have a rate, and others have none"
    if is_percentage and tier.unit_amount:
        yield f"{field}.unit_amount", "a tier with a rate has no price of a unit"
    if is_percentage and tier.package_size is not None:
        yield f"{field}.package_size", "a tier with a rate has no packages"
    if tier.package_size == 0:
        yield f"{field}.package_size", "a package holds more than nothing"


def find_percentage_problems(price: PriceTerms, terms: PercentageTerms) -> Iterator[Problem]:
    if price.included_units:
        yield "included_units", "a percentage has a free amount in place of included units"
    if isinstance(terms.free_transactions, bool) or not isinstance(terms.free_transactions, int):
        yield "percentage.free_transactions", "transactions are counted in whole numbers"
    elif terms.free_transactions < 0:
        yield "percentage.free_transactions", "the number of free transactions may not be negative"
    if terms.minimum is not None and terms.maximum is not None and terms.maximum < terms.minimum:
        yield "percentage.maximum", "the maximum of a transaction may not be below its minimum"


def find_conversion_problems(price: PriceTerms) -> Iterator[Problem]:
    conversion = price.conversion
    if conversion is None:
        return
    if price.model in ("flat", "percentage"):
        yield "conversion", "only quantities are converted"
    if conversion.multiply_by == 0:
        yield "conversion.multiply_by", "a unit is not converted to nothing"
    if conversion.divide_by == 0:
        yield "conversion.divide_by", "nothing is divided by zero"
    if not 0 <= conversion.places <= PLACES:
        yield "conversion.places", f"a quantity has 0 to {PLACES} decimals"


def find_table_problems(price: PriceTerms) -> Iterator[Problem]:
    is_table = price.model == "dimension"
    if bool(price.dimensions) != is_table:
        yield "dimensions", "a price by dimension names its dimensions and others have none"
    if len(set(price.dimensions)) < len(price.dimensions):
        yield "dimensions", "a dimension is named twice"
    if bool(price.table) != is_table:
        yield "table", "a price by dimension has a table and others have none"
    seen: set[tuple[str, ...]] = set()
    for number, row in enumerate(price.table):
        if len(row.values) != len(price.dimensions):
            yield f"table[{number}].values", "each row of the table has a value for each dimension"
        if row.values in seen:
            yield f"table[{number}].values", "a row of the table is there twice"
        seen.add(row.values)


def list_numbers(price: PriceTerms) -> Iterator[Number]:
    yield "included_units", "the included quantity", price.included_units, QUANTITY_DIGITS
    if price.unit_amount is not None:
        yield "unit_amount", "the amount", price.unit_amount, UNIT_PRICE_DIGITS
    for number, tier in enumerate(price.tiers):
        yield from list_tier_numbers(f"tiers[{number}]", tier)
    if price.package_size is not None:
        yield "package_size", "the size of a package", price.package_size, QUANTITY_DIGITS
    if price.conversion is not None:
        yield "conversion.multiply_by", "the conversion's factor", price.conversion.multiply_by, QUANTITY_DIGITS
        yield "conversion.divide_by", "the conversion's divisor", price.conversion.divide_by, QUANTITY_DIGITS
    if price.percentage is not None:
        yield from list_percentage_numbers(price.percentage)
    for number, row in enumerate(price.table):
        yield from list_row_numbers(f"table[{number}]", row)
    yield "minimum", "the minimum", price.minimum, UNIT_PRICE_DIGITS
    if price.cap is not None:
        yield "cap", "the cap", price.cap, UNIT_PRICE_DIGITS


def list_tier_numbers(field: str, tier: TierTerms) -> Iterator[Number]:
    if tier.up_to is not None:
        yield f"{field}.up_to", "the end of a tier", tier.up_to, QUANTITY_DIGITS
    yield f"{field}.unit_amount", "a tier's unit price", tier.unit_amount, UNIT_PRICE_DIGITS
    yield f"{field}.flat_amount", "a tier's fee", tier.flat_amount, UNIT_PRICE_DIGITS
    if tier.rate_percent is not None:
        yield f"{field}.rate_percent", "a tier's rate", tier.rate_percent, PERCENT_DIGITS
    if tier.package_size is not None:
        yield f"{field}.package_size", "a tier's package", tier.package_size, QUANTITY_DIGITS


def list_percentage_numbers(terms: PercentageTerms) -> Iterator[Number]:
    yield "percentage.rate_percent", "the rate", terms.rate_percent, PERCENT_DIGITS
    yield "percentage.fee", "the fee of a transaction", terms.fee, UNIT_PRICE_DIGITS
    yield "percentage.free_amount", "the free amount", terms.free_amount, QUANTITY_DIGITS
    if terms.minimum is not None:
        yield "percentage.minimum", "the minimum of a transaction", terms.minimum, UNIT_PRICE_DIGITS
    if terms.maximum is not None:
        yield "percentage.maximum", "the maximum of a transaction", terms.maximum, UNIT_PRICE_DIGITS


def list_row_numbers(field: str, row: DimensionPrice) -> Iterator[Number]:
    yield f"{field}.unit_amount", "a price of the table", row.unit_amount, UNIT_PRICE_DIGITS
