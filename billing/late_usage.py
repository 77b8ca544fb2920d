"""What is done about usage that was counted, or taken back, after its invoice was issued. Pure. No Django here."""

from dataclasses import dataclass
from enum import StrEnum

from billing.money import CurrencyMismatch, Money


class LateAction(StrEnum):
    BILL = "bill"
    CREDIT = "credit"
    WAIVE = "waive"
    NOTHING = "nothing"  # the price of the new quantity is the old one


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
