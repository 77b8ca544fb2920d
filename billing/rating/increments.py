"""What is still to be charged where a part of a period was billed before: rate(total) − rate(billed), never less steps.

Any split adds up to the rating of the whole, as every line is the difference of two totals. It is below zero where a
volume price falls with a tier that was reached since.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.money import EXACT
from billing.rating.digits import ZERO
from billing.rating.rates import make_line, rate
from billing.rating.readings import Usage
from billing.rating.steps import BOUNDS, RatedLine, StepKind, merge_steps, negate_step
from billing.rating.terms import PriceTerms


@dataclass(frozen=True, slots=True)
class Difference:
    """`reversed` is what a difference line takes back, below zero; `charged` what it adds, before the cap."""

    reversed: Decimal
    charged: Decimal
    capped_off: Decimal


def rate_increment(
    price: PriceTerms, *, billed: Usage | Decimal | None, total: Usage | Decimal, is_last: bool = True
) -> RatedLine:
    """The line for `total` of which `billed` was billed before (None: there was no line); its steps are what changed.

    Earlier lines of a period never hold its minimum: what is missing to it is asked by the last one alone. Raises what
    rate raises.
    """
    after = rate(price, total, with_minimum=is_last)
    if billed is None:
        return after
    before = rate(price, billed, with_minimum=False)
    with localcontext(EXACT):
        steps = merge_steps([*(negate_step(step) for step in before.steps), *after.steps])
        return make_line(price, after.quantity - before.quantity, steps)


def rate_running(price: PriceTerms, quantities: Iterable[Decimal]) -> Iterator[RatedLine]:
    """One line for each quantity as it arrives, priced from where those before it left off."""
    billed = None
    for quantity in quantities:
        total = EXACT.add(billed or ZERO, quantity)
        yield rate_increment(price, billed=billed, total=total)
        billed = total


def tell_difference(line: RatedLine) -> Difference:
    """What an increment takes back, adds and leaves out because of the cap."""
    amounts = [step.amount for step in line.steps if step.kind not in BOUNDS]
    with localcontext(EXACT):
        return Difference(
            reversed=sum((amount for amount in amounts if amount < 0), start=ZERO),
            charged=sum((amount for amount in amounts if amount > 0), start=ZERO),
            capped_off=-sum((step.amount for step in line.steps if step.kind is StepKind.CAP), start=ZERO),
        )
