"""The single door of rating: what usage costs, and why. Exact, without rounding.

The same function serves the live cost, the preview and the invoice, so they cannot disagree.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal, localcontext

from billing.money import EXACT
from billing.rating.bounds import hold_bounds
from billing.rating.digits import AMOUNT_LIMIT, ONE, ZERO, AmountTooLarge, trim
from billing.rating.dimensions import price_parts, sort_parts
from billing.rating.percentage import take_share
from billing.rating.readings import Usage
from billing.rating.steps import RatedLine, Step, StepKind, make_step, merge_steps
from billing.rating.terms import PriceModel, PriceTerms
from billing.rating.tiers import climb_tiers, reach_tier
from billing.rating.units import convert, count_packages


def rate(price: PriceTerms, usage: Usage | Decimal, *, with_minimum: bool = True) -> RatedLine:
    """Price what was used. A flat fee costs the same whatever it was, but by seat; below zero nothing is charged.

    A bare quantity is enough for prices that ask for nothing else. Raises InvalidQuantity, MissingReading where the
    price needs a part of the reading that is not there, and AmountTooLarge from 10^14 on.
    """
    if not isinstance(usage, Usage):
        usage = Usage(usage)
    with localcontext(EXACT):
        steps = list(list_steps(price, usage))
        if price.is_bounded:
            steps.extend(hold_bounds(price, add_steps(steps), with_minimum=with_minimum, part=usage.part))
        return make_line(price, usage.quantity, steps)


def make_line(price: PriceTerms, quantity: Decimal, steps: Iterable[Step]) -> RatedLine:
    """Raises AmountTooLarge. To be called within the exact context."""
    steps = tuple(steps)
    amount = add_steps(steps)
    if abs(amount) >= AMOUNT_LIMIT:
        raise AmountTooLarge(f"{price.description}: {amount:f} is more than an invoice line can hold.")
    return RatedLine(trim(quantity), amount, steps)


def add_steps(steps: Iterable[Step]) -> Decimal:
    return trim(sum((step.amount for step in steps), start=ZERO))


def list_steps(price: PriceTerms, usage: Usage) -> Iterator[Step]:
    if price.per_seat:
        yield make_step(StepKind.SEATS, max(usage.quantity, ZERO), price.unit_amount or ZERO)
    elif price.model is PriceModel.FLAT:
        yield make_step(StepKind.FEE, ONE, price.unit_amount or ZERO)
    elif price.percentage is not None:
        yield from take_share(price.percentage, usage)
    elif price.model is PriceModel.DIMENSION:
        parts = sort_parts(price, usage)
        yield from tell_conversion(price, max(usage.quantity, ZERO), sum(parts.values(), start=ZERO))
        yield from price_parts(price, parts)
    else:
        quantity = max(usage.quantity, ZERO)
        units = convert(quantity, price.conversion) if price.conversion else quantity
        yield from tell_conversion(price, quantity, units)
        included = min(units, price.included_units)
        if included:
            yield make_step(StepKind.INCLUDED, included, ZERO)
        yield from charge_units(price, units - included, usage)


def tell_conversion(price: PriceTerms, quantity: Decimal, units: Decimal) -> Iterator[Step]:
    if price.conversion is not None and quantity:
        names = (price.conversion.unit,) if price.conversion.unit else ()
        yield make_step(StepKind.CONVERTED, units, ZERO, basis=trim(quantity), values=names)


def charge_units(price: PriceTerms, charged: Decimal, usage: Usage) -> Iterator[Step]:
    """The steps of what is left to be charged."""
    unit_amount = price.unit_amount or ZERO
    match price.model:
        case PriceModel.PER_UNIT if charged:
            yield make_step(StepKind.UNITS, charged, unit_amount)
        case PriceModel.PACKAGE if charged and price.package_size:
            packages = count_packages(charged, price.package_size, price.package_rounding)
            yield make_step(StepKind.PACKAGES, packages, unit_amount, basis=price.package_size)
        case PriceModel.GRADUATED | PriceModel.GRADUATED_PERCENTAGE:
            yield from climb_tiers(price, charged)
        case PriceModel.VOLUME:
            yield from reach_tier(price, charged, find_reached(price, charged, usage))


def find_reached(price: PriceTerms, charged: Decimal, usage: Usage) -> Decimal:
    """What picks the tier of a volume price: the charged units, or what would be charged of another quantity."""
    if usage.tier_quantity is None:
        return charged
    quantity = max(usage.tier_quantity, ZERO)
    units = convert(quantity, price.conversion) if price.conversion else quantity
    return max(units - price.included_units, ZERO)


def rate_buckets(price: PriceTerms, quantities: Iterable[Decimal]) -> RatedLine:
    """Price each quantity as if it were alone, so that tiers and packages begin anew, and add up; bounds hold the sum.

    For peaks by hour and the like: each is a quantity of its own, and what is charged is all of them.
    """
    with localcontext(EXACT):
        total = ZERO
        steps: list[Step] = []
        for quantity in quantities:
            total += quantity
            steps.extend(list_steps(price, Usage(quantity)))
        steps = merge_steps(steps)
        steps.extend(hold_bounds(price, add_steps(steps), with_minimum=True))
        return make_line(price, total, steps)
