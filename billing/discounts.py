"""What is taken off a price before anything else is made of it: pure. No Django here."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.money import allocate
from billing.taxes import HUNDRED, take_percent


class InvalidDiscount(ValueError):
    """A discount is either a percentage up to 100 or an amount, and never below zero."""


@dataclass(frozen=True, slots=True)
class Discount:
    """Either so many percent off, or an amount off in smallest units."""

    percent: Decimal | None = None
    amount_minor: int | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount_minor is None):
            raise InvalidDiscount("A discount has either a percentage or an amount.")
        if self.percent is not None and not (self.percent.is_finite() and 0 <= self.percent <= HUNDRED):
            raise InvalidDiscount(f"A discount is between 0 and 100 percent, not {self.percent}.")
        if self.amount_minor is not None and self.amount_minor < 0:
            raise InvalidDiscount(f"A discount may not be negative: {self.amount_minor}.")


def share_discount(items_minor: Sequence[int], discount: Discount | None) -> tuple[int, ...]:
    """What the discount takes off each of the amounts (none below zero), in smallest units.

    A percentage takes it off each, rounded there. An amount is taken off once, shared in proportion to the items by
    `allocate`, and never more than they come to.
    """
    if discount is None or not sum(items_minor):
        return (0,) * len(items_minor)
    if discount.percent is not None:
        return tuple(take_percent(item, discount.percent) for item in items_minor)
    return allocate(min(discount.amount_minor or 0, sum(items_minor)), items_minor)


def share_discounts(items_minor: Sequence[int], discounts: Sequence[Discount]) -> tuple[tuple[int, ...], ...]:
    """What each of several discounts takes off each of the amounts; each takes off what those before it have left."""
    left, shares = tuple(items_minor), []
    for discount in discounts:
        share = share_discount(left, discount)
        left = tuple(item - part for item, part in zip(left, share, strict=True))
        shares.append(share)
    return tuple(shares)


def discount_items(items_minor: Sequence[int], discount: Discount | None) -> tuple[int, ...]:
    """What remains of each amount."""
    shares = share_discount(items_minor, discount)
    return tuple(item - share for item, share in zip(items_minor, shares, strict=True))


def discount_price(price_minor: int, discount: Discount | None) -> int:
    """What remains of one price."""
    return discount_items([price_minor], discount)[0]
