"""What is done about usage that was counted, or taken back, after its invoice was issued. Pure. No Django here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.discounts import Discount, share_discount
from billing.money import CurrencyMismatch, Money, round_minor
from billing.taxes import take_percent


class LateAction(StrEnum):
    BILL = "bill"
    CREDIT = "credit"
    WAIVE = "waive"
    NOTHING = "nothing"  # the price of the new quantity is the old one
    TAKE_BACK = "take_back"  # what was settled of an invoice that became void


class LateUsage(StrEnum):
    """What a plan version says is done about late usage."""

    SETTINGS = "settings"  # as the installation says
    SETTLE = "settle"  # billed and credited
    CREDIT = "credit"  # only credited
    WAIVE = "waive"  # neither


@dataclass(frozen=True, slots=True)
class LatePolicy:
    """Whether more usage is billed and less usage credited. A charge under `waive_under_minor` is let go.

    A credit never is for being small: it is the customer's money.
    """

    bills: bool = True
    credits: bool = True
    waive_under_minor: int = 0


@dataclass(frozen=True, slots=True)
class LateSettlement:
    """`difference` is what the usage now costs less what was billed; `amount` is the part of it that goes on a line."""

    action: LateAction
    difference: Money
    amount: Money


def settle_difference(billed: Money, rerated: Money, policy: LatePolicy) -> LateSettlement:
    """Compare a line as it was billed, corrections included, with the price of what is counted now, both rounded.

    So all lines about one price and period add up to its price. Raises CurrencyMismatch.
    """
    if billed.currency != rerated.currency:
        raise CurrencyMismatch(billed.currency, rerated.currency)
    difference = Money(rerated.minor - billed.minor, billed.currency)
    action = choose_action(difference.minor, policy)
    charged = difference.minor if action in (LateAction.BILL, LateAction.CREDIT) else 0
    return LateSettlement(action, difference, Money(charged, billed.currency))


def choose_action(difference_minor: int, policy: LatePolicy) -> LateAction:
    if difference_minor == 0:
        return LateAction.NOTHING
    if difference_minor < 0:
        return LateAction.CREDIT if policy.credits else LateAction.WAIVE
    is_charged = policy.bills and difference_minor >= policy.waive_under_minor
    return LateAction.BILL if is_charged else LateAction.WAIVE


@dataclass(frozen=True, slots=True)
class LineDiscount:
    """One discount of a billed line: a percentage, or of an amount what this line got of it.

    It took `taken_minor` off the `left_minor` that discounts before it had left.
    """

    left_minor: int
    taken_minor: int
    percent: Decimal | None = None

    def take(self, amount_minor: int) -> int:
        """What it takes off another amount. An amount was given once: of more it takes no more, of less its part."""
        if self.percent is not None:
            return take_percent(amount_minor, self.percent)
        if amount_minor >= self.left_minor:
            return self.taken_minor
        return round_minor(Fraction(amount_minor * self.taken_minor, self.left_minor))


def tell_discounts(amounts_minor: Sequence[int], place: int, discounts: Iterable[Discount]) -> tuple[LineDiscount, ...]:
    """What each discount of an invoice, in their order, took off one of its lines; amounts are those of all lines."""
    left, told = tuple(amounts_minor), []
    for discount in discounts:
        shares = share_discount(left, discount)
        told.append(LineDiscount(left[place], shares[place], discount.percent))
        left = tuple(amount - share for amount, share in zip(left, shares, strict=True))
    return tuple(told)


def take_discounts(amount_minor: int, discounts: Iterable[LineDiscount]) -> int:
    """What is left of an amount once each discount took its part of what those before it left."""
    for discount in discounts:
        amount_minor -= discount.take(amount_minor)
    return amount_minor
