"""What fees come to for a part of a period: pure, in smallest units of one currency. No Django here."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from billing.proration import WHOLE, change_price, prorate


@dataclass(frozen=True, slots=True)
class Fee:
    """What is asked once a period, whatever is used. `key` names it within its subscription."""

    key: str
    description: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class FeePart:
    """A fee and what a change makes of it: below zero it is given back."""

    fee: Fee
    amount_minor: int


def credit_fees(fees: Iterable[Fee], *, left: Fraction, asked: Fraction = WHOLE) -> list[FeePart]:
    """What each fee gives back of the part that is left, where `asked` of it was to be paid: never more than that."""
    return [
        FeePart(
            fee,
            -change_price(fee.amount_minor, 0, left=left, paid_minor=prorate(fee.amount_minor, asked)).credit_minor,
        )
        for fee in fees
    ]


def charge_fees(fees: Iterable[Fee], *, left: Fraction) -> list[FeePart]:
    """What each fee asks for the part that is left."""
    return [FeePart(fee, change_price(0, fee.amount_minor, left=left).charge_minor) for fee in fees]


def spare_fees(fees: Iterable[Fee], *, left: Fraction) -> list[FeePart]:
    """What brings each whole fee down to what the part that is left asks."""
    return [FeePart(part.fee, part.amount_minor - part.fee.amount_minor) for part in charge_fees(fees, left=left)]


def add_parts(parts: Iterable[FeePart]) -> int:
    return sum(part.amount_minor for part in parts)
