"""How an invoice adds up: discounts, then billing credits, then taxes, each line an integer. Pure.

Assumed where nothing is documented (docs/stripe-open-questions.md): an invoice's discount is rounded once over all its
lines and shared among them by largest remainder; a tax is rounded once per line and rate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from stripe_simulator.tiers import round_amount


@dataclass(frozen=True, slots=True)
class Discount:
    """One application of a coupon: a percentage or an amount off."""

    id: str
    percent_off: Decimal | None = None
    amount_off: int | None = None
    products: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A percentage on top of an amount, or inside it."""

    id: str
    percentage: Decimal
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Tax:
    """What one rate takes of one line."""

    rate: str
    amount: int
    taxable_amount: int
    inclusive: bool = False
    reason: str = "standard_rated"


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of a line before it is added up. `fixed_taxes` were given with the line; they win over rates."""

    id: str
    amount: int
    discountable: bool = True
    product: str | None = None
    discounts: tuple[Discount, ...] = ()
    rates: tuple[TaxRate, ...] = ()
    fixed_taxes: tuple[Tax, ...] | None = None
    credit: int = 0


@dataclass(slots=True)
class LineSum:
    """What a line comes to. `subtotal` is its amount less its own discounts, before the invoice's."""

    line: Line
    discounts: dict[str, int] = field(default_factory=dict)
    taxes: tuple[Tax, ...] = ()
    subtotal: int = 0

    @property
    def left(self) -> int:
        """The amount less its discounts."""
        return self.line.amount - sum(self.discounts.values())


@dataclass(frozen=True, slots=True)
class Totals:
    """An invoice added up, in the smallest unit. The subtotal is net of the lines' own discounts."""

    lines: tuple[LineSum, ...]
    subtotal: int
    subtotal_excluding_tax: int
    total: int
    total_excluding_tax: int
    discounts: dict[str, int]
    credit: int
    taxes: tuple[Tax, ...]


def add_up(lines: Sequence[Line], discounts: Sequence[Discount] = ()) -> Totals:
    """Add an invoice up: a line's own discounts first, then the invoice's in their order, then credits, then taxes."""
    sums = [LineSum(line) for line in lines]
    for each in sums:
        for discount in each.line.discounts:
            take_discount([each], discount)
        each.subtotal = each.left
    for discount in discounts:
        take_discount(sums, discount)
    for each in sums:
        each.taxes = find_taxes(each)
    subtotal = sum(each.subtotal for each in sums)
    taken = merge_counts(each.discounts for each in sums)
    credit = sum(line.credit for line in lines)
    inclusive = sum(tax.amount for each in sums for tax in each.taxes if tax.inclusive)
    exclusive = sum(tax.amount for each in sums for tax in each.taxes if not tax.inclusive)
    net = sum(each.left for each in sums) - credit
    return Totals(
        lines=tuple(sums),
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal - inclusive,
        total=net + exclusive,
        total_excluding_tax=net - inclusive,
        discounts=taken,
        credit=credit,
        taxes=merge_taxes(tax for each in sums for tax in each.taxes),
    )


def take_discount(sums: Sequence[LineSum], discount: Discount) -> None:
    """Share a discount among the lines that it may touch; none goes below zero."""
    touched = [
        each
        for each in sums
        if each.line.discountable
        and each.left > 0
        and (discount.products is None or each.line.product in discount.products)
    ]
    whole = sum(each.left for each in touched)
    if not whole:
        return
    if discount.percent_off is not None:
        amount = round_amount(Fraction(whole) * Fraction(discount.percent_off) / 100)
    else:
        amount = min(discount.amount_off or 0, whole)
    for each, share in zip(touched, share_amount(amount, [each.left for each in touched]), strict=True):
        each.discounts[discount.id] = each.discounts.get(discount.id, 0) + share


def share_amount(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights into integers that add up to it: the largest remainders get what is left over."""
    whole = sum(weights)
    exact = [Fraction(amount) * weight / whole for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda index: shares[index] - exact[index])
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def find_taxes(each: LineSum) -> tuple[Tax, ...]:
    """The taxes of a line: those given with it, or its rates on what discounts and credits leave."""
    line = each.line
    if line.fixed_taxes is not None:
        return line.fixed_taxes
    base = Fraction(each.left - line.credit)
    inside = sum((Fraction(rate.percentage) for rate in line.rates if rate.inclusive), Fraction(0))
    net = base * 100 / (100 + inside)
    taxable = round_amount(net)
    return tuple(
        Tax(rate.id, round_amount(net * Fraction(rate.percentage) / 100), taxable, rate.inclusive)
        for rate in line.rates
    )


def merge_counts(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    merged: dict[str, int] = {}
    for each in counts:
        for key, amount in each.items():
            merged[key] = merged.get(key, 0) + amount
    return merged


def merge_taxes(taxes: Iterable[Tax]) -> tuple[Tax, ...]:
    """One tax per rate, in the order in which the rates first appear."""
    merged: dict[tuple[str, str], Tax] = {}
    for tax in taxes:
        key = (tax.rate, tax.reason)
        known = merged.get(key)
        amount, taxable = (known.amount, known.taxable_amount) if known else (0, 0)
        merged[key] = Tax(tax.rate, amount + tax.amount, taxable + tax.taxable_amount, tax.inclusive, tax.reason)
    return tuple(merged.values())
