"""The least and the most that a price comes to in one period."""

from collections.abc import Iterator
from decimal import Decimal

from billing.money import EXACT
from billing.rating.digits import ONE, ZERO
from billing.rating.steps import Step, StepKind, make_step
from billing.rating.terms import PriceTerms


def hold_bounds(price: PriceTerms, amount: Decimal, *, with_minimum: bool) -> Iterator[Step]:
    """What has to be added to reach the minimum, or taken off to stay under the cap."""
    if with_minimum and find_true_up(price.minimum, amount):
        yield make_step(StepKind.MINIMUM, ONE, find_true_up(price.minimum, amount))
    elif price.cap is not None and amount > price.cap:
        yield make_step(StepKind.CAP, ONE, price.cap - amount)


def find_true_up(minimum: Decimal, billed: Decimal) -> Decimal:
    """What is missing to a minimum that was promised; zero when it was reached."""
    return max(EXACT.subtract(minimum, billed), ZERO)
