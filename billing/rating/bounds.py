"""The least and the most that a price comes to in one period, and in a part of one."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from billing.money import EXACT
from billing.rating.digits import ONE, PLACES, ZERO, Rounding, round_quantity
from billing.rating.readings import WHOLE
from billing.rating.steps import Step, StepKind, make_step
from billing.rating.terms import PriceTerms


def hold_bounds(price: PriceTerms, amount: Decimal, *, with_minimum: bool, part: Fraction = WHOLE) -> Iterator[Step]:
    """What has to be added to reach that part of the minimum, or taken off to stay under that part of the cap."""
    missing = find_true_up(find_share(price.minimum, part), amount)
    if with_minimum and missing:
        yield make_step(StepKind.MINIMUM, ONE, missing)
    elif price.cap is not None and amount > find_share(price.cap, part):
        yield make_step(StepKind.CAP, ONE, find_share(price.cap, part) - amount)


def find_share(bound: Decimal, part: Fraction) -> Decimal:
    """To as many decimals as a price has, half away from zero."""
    return bound if part == WHOLE else round_quantity(Fraction(bound) * part, Rounding.HALF, PLACES)


def find_true_up(minimum: Decimal, billed: Decimal) -> Decimal:
    """What is missing to a minimum that was promised; zero when it was reached."""
    return max(EXACT.subtract(minimum, billed), ZERO)
