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


def shift_fees(before: Iterable[Fee], after: Iterable[Fee], *, left: Fraction) -> list[FeePart]:
    """What fees that were and fees that are come to for the part that is left; below zero it is given back.

    Of each the difference is rounded once, so that a change and its reverse at one moment net to nothing.
    """
    old = {fee.key: fee for fee in before}
    new = {fee.key: fee for fee in after}
    parts = []
    for key, fee in (old | new).items():
        was, becomes = (fees[key].amount_minor if key in fees else 0 for fees in (old, new))
        parts.append(FeePart(fee, prorate(becomes - was, left)))
    return [part for part in parts if part.amount_minor]


def spare_fees(fees: Iterable[Fee], *, left: Fraction) -> list[FeePart]:
    """What brings each whole fee down to what the part that is left asks."""
    return [FeePart(part.fee, part.amount_minor - part.fee.amount_minor) for part in charge_fees(fees, left=left)]


def add_parts(parts: Iterable[FeePart]) -> int:
    return sum(part.amount_minor for part in parts)
