"""A part of a price for a part of a period: pure, exact, rounded once per amount. No Django here.

Amounts are in smallest units of one currency. The part is a fraction of the whole period, even where a subscription
began or ends within it. A discount is taken off before the part is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from billing.discounts import Discount, discount_items, discount_price
from billing.money import round_minor
from billing.periods import count_days
from billing.taxes import TaxedLine, TaxTerms, tax_line

WHOLE = Fraction(1)
MICROSECOND = timedelta(microseconds=1)


class OutsidePeriod(ValueError):
    """There is no part of a period before its start, after its end, or of one without any length."""


class Proration(StrEnum):
    """What a period is cut by: to the second and its parts, or by the days of the calendar, a begun one in full."""

    SECOND = "second"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What changing a price in mid-period gives back of the old one, and asks for the new one. Neither is negative."""

    credit_minor: int
    charge_minor: int

    @property
    def net_minor(self) -> int:
        return self.charge_minor - self.credit_minor


def find_part_left(
    at: datetime, *, start: datetime, end: datetime, by: Proration = Proration.SECOND, time_zone: str = "UTC"
) -> Fraction:
    """The part of the whole period [start, end) that lies at and after `at`, from 1 at its start to 0 at its end.

    By day, the day of `at` counts as left, and days are those of the time zone, be they 23, 24 or 25 hours long; a
    period within one day is left in full until it ends. Raises OutsidePeriod.
    """
    if not start <= at <= end or start == end:
        raise OutsidePeriod(f"{at} is not within the period from {start} to {end}.")
    if at == end:
        return Fraction(0)
    if by is Proration.SECOND:
        return Fraction((end - at) // MICROSECOND, (end - start) // MICROSECOND)
    days = count_days(start, end, time_zone)
    return part_of_days(count_days(at, end, time_zone), days) if days else WHOLE


def find_part_of(
    start: datetime, end: datetime, *, whole_start: datetime, whole_end: datetime, by: Proration, time_zone: str
) -> Fraction:
    """The part that [start, end) is of the whole period around it. By day, days are those that begin within.

    Raises OutsidePeriod.
    """
    if not whole_start <= start < end <= whole_end:
        raise OutsidePeriod(f"From {start} to {end} is no part of the period from {whole_start} to {whole_end}.")
    days = count_days(whole_start, whole_end, time_zone)
    if by is Proration.DAY and days:
        return part_of_days(count_days(start, end, time_zone), days)
    return Fraction((end - start) // MICROSECOND, (whole_end - whole_start) // MICROSECOND)


def part_of_days(days: int, period_days: int) -> Fraction:
    """The coefficient of so many days of a period's. Raises OutsidePeriod."""
    if not 0 <= days <= period_days or not period_days:
        raise OutsidePeriod(f"There are no {days} days in a period of {period_days}.")
    return Fraction(days, period_days)


def prorate(amount_minor: int, part: Fraction) -> int:
    """That part of an amount, rounded half away from zero."""
    return round_minor(amount_minor * part)


def change_price(
    old_minor: int,
    new_minor: int,
    *,
    left: Fraction,
    charged_part: Fraction | None = None,
    old_discount: Discount | None = None,
    new_discount: Discount | None = None,
    paid_minor: int | None = None,
    credited_minor: int = 0,
) -> PriceChange:
    """Give back the part of the old price that is left of its period, and ask the same part of the new one.

    Where the interval changes a new period begins: `charged_part` is then the whole of it. `paid_minor` is what was
    paid of the old price (all of it when left out), and `credited_minor` what was given back of that before.
    """
    credit = prorate(discount_price(old_minor, old_discount), left)
    return PriceChange(
        credit_minor=credit if paid_minor is None else cap_credit(credit, paid_minor, credited_minor),
        charge_minor=prorate(discount_price(new_minor, new_discount), left if charged_part is None else charged_part),
    )


def change_items(
    old_items_minor: Sequence[int],
    new_items_minor: Sequence[int],
    *,
    left: Fraction,
    old_discount: Discount | None = None,
    new_discount: Discount | None = None,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """change_price for items that share one discount: the credits of the old, the charges of the new."""
    credits = tuple(prorate(item, left) for item in discount_items(old_items_minor, old_discount))
    charges = tuple(prorate(item, left) for item in discount_items(new_items_minor, new_discount))
    return credits, charges


def change_quantity(
    *,
    unit_minor: int,
    old_quantity: int,
    new_quantity: int,
    left: Fraction,
    discount: Discount | None = None,
    base_minor: int = 0,
) -> int:
    """The price of more seats for what is left of the period, rounded once; below zero it is what fewer give back.

    The seats' share of a discount counts, and that depends on the `base_minor` beside them.
    """
    old, new = (
        discount_items([base_minor, quantity * unit_minor], discount)[1] for quantity in (old_quantity, new_quantity)
    )
    return prorate(new - old, left)


def cap_credit(credit_minor: int, paid_minor: int, credited_minor: int = 0) -> int:
    """No more than what was paid and has not been given back before; never below zero."""
    return max(0, min(credit_minor, paid_minor - credited_minor))


def credit_unused(
    price_minor: int, *, left: Fraction, taxes: Iterable[TaxTerms] = (), paid_minor: int | None = None
) -> TaxedLine:
    """A credit note for the part of a price that was not used, with its tax.

    The part is rounded, then the tax on it: the total is the sum of the two, as on the invoice. `paid_minor`, without
    tax, bounds the credit.
    """
    credit = prorate(price_minor, left)
    return tax_line(credit if paid_minor is None else cap_credit(credit, paid_minor), taxes)
