"""A share of a value, a fee for each transaction, and what is free of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.rating.digits import ZERO
from billing.rating.readings import MissingReading, Usage
from billing.rating.steps import Step, StepKind, make_step
from billing.rating.terms import PercentageTerms


def find_factor(rate_percent: Decimal) -> Decimal:
    """1.5 % of one: 0.015."""
    return rate_percent.scaleb(-2)


def take_share(terms: PercentageTerms, usage: Usage) -> Iterator[Step]:
    """Raises MissingReading where the price looks at single transactions and the reading does not list them."""
    if terms.needs_transactions:
        if usage.transactions is None:
            raise MissingReading("The price needs the value of each transaction.", "transactions")
        yield from sort_transactions(terms, usage.transactions).list_steps(terms)
        return
    if terms.fee and usage.event_count is None:
        raise MissingReading("The price needs the number of transactions.", "event_count")
    value = max(usage.quantity, ZERO)
    free = min(value, terms.free_amount)
    yield from list_share_steps(terms, free=free, value=value - free, count=usage.event_count or 0)


def list_share_steps(terms: PercentageTerms, *, free: Decimal, value: Decimal, count: int) -> Iterator[Step]:
    if free:
        yield make_step(StepKind.FREE, free, ZERO)
    if value:
        yield make_step(StepKind.RATE, value, find_factor(terms.rate_percent))
    if terms.fee and count:
        yield make_step(StepKind.TRANSACTIONS, Decimal(count), terms.fee)


@dataclass(slots=True)
class Sorted:
    """Transactions by what they pay: nothing, rate and fee, the least or the most."""

    free: Decimal = ZERO
    value: Decimal = ZERO
    count: int = 0
    small: int = 0
    large: int = 0

    def list_steps(self, terms: PercentageTerms) -> Iterator[Step]:
        yield from list_share_steps(terms, free=self.free, value=self.value, count=self.count)
        if self.small and terms.minimum is not None:
            yield make_step(StepKind.SMALL, Decimal(self.small), terms.minimum)
        if self.large and terms.maximum is not None:
            yield make_step(StepKind.LARGE, Decimal(self.large), terms.maximum)


def sort_transactions(terms: PercentageTerms, transactions: Sequence[Decimal]) -> Sorted:
    """In the order in which they happened; a value below zero counts as none."""
    found = Sorted()
    for number, signed in enumerate(transactions):
        value = max(signed, ZERO)
        free = find_free_part(terms, value, number=number, used=found.free)
        found.free += free
        # A transaction of nothing is free only while something is.
        if free == value and (value or is_free_now(terms, number=number, used=found.free)):
            continue
        charge = (value - free) * find_factor(terms.rate_percent) + terms.fee
        if terms.minimum is not None and charge < terms.minimum:
            found.small += 1
        elif terms.maximum is not None and charge > terms.maximum:
            found.large += 1
        else:
            found.value += value - free
            found.count += 1
    return found


def find_free_part(terms: PercentageTerms, value: Decimal, *, number: int, used: Decimal) -> Decimal:
    if not is_free_now(terms, number=number, used=used):
        return ZERO
    return min(value, terms.free_amount - used) if terms.free_amount else value


def is_free_now(terms: PercentageTerms, *, number: int, used: Decimal) -> bool:
    """Whether the free transactions and the free amount, as far as the price has them, both still last."""
    if terms.free_transactions and number >= terms.free_transactions:
        return False
    if terms.free_amount and used >= terms.free_amount:
        return False
    return bool(terms.free_transactions or terms.free_amount)
