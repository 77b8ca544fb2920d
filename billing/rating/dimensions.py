"""A price per unit that depends on where or how the unit was used."""

from collections.abc import Iterator
from decimal import Decimal

from billing.rating.digits import ZERO
from billing.rating.readings import MissingReading, Usage
from billing.rating.steps import Step, StepKind, make_step
from billing.rating.terms import PriceTerms
from billing.rating.units import convert


def sort_parts(price: PriceTerms, usage: Usage) -> dict[tuple[str, ...], Decimal]:
    """Values of the price's dimensions → units that they are charged for, converted; () holds what no row names.

    In the order of the table. Raises MissingReading where something was used and not split.
    """
    if usage.parts is None and usage.quantity > ZERO:
        raise MissingReading(f"The price needs the quantity by {', '.join(price.dimensions)}.", "parts")
    units: dict[tuple[str, ...], Decimal] = {row.values: ZERO for row in price.table}
    units[()] = ZERO
    for part in usage.parts or ():
        values = part.find_values(price.dimensions)
        units[values if values in units else ()] += part.quantity
    floored = {values: max(quantity, ZERO) for values, quantity in units.items()}
    if price.conversion is None:
        return floored
    return {values: convert(quantity, price.conversion) for values, quantity in floored.items()}


def price_parts(price: PriceTerms, units: dict[tuple[str, ...], Decimal]) -> Iterator[Step]:
    """Included units are taken off in the order of the table, and last from what no row names."""
    included = price.included_units
    amounts = {row.values: row.unit_amount for row in price.table}
    for values, quantity in units.items():
        free = min(quantity, included)
        included -= free
        if free:
            yield make_step(StepKind.INCLUDED, free, ZERO, values=values)
        if quantity > free:
            amount = amounts.get(values, price.unit_amount or ZERO)
            yield make_step(StepKind.UNITS, quantity - free, amount, values=values)
