"""Which credit pays which line: the order in which grants are used. Pure.

Source: Stripe's page on billing credits: priority, then the earliest to expire, promotional before paid, the earliest
to take effect, the earliest made. They pay metered lines only, at finalisation, at most what a line asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

NEVER = float("inf")  # an order, no amount


@dataclass(frozen=True, slots=True)
class Line:
    """What a metered line asks before tax, net of discounts, in the smallest unit."""

    id: str
    price: str
    amount: int


@dataclass(frozen=True, slots=True)
class Use:
    grant: str
    line: str
    amount: int


def sort_grants(grants: Iterable[Object]) -> list[Object]:
    return sorted(grants, key=find_place)


def find_place(grant: Object) -> tuple[Any, ...]:
    return (
        50 if grant["priority"] is None else grant["priority"],
        NEVER if grant["expires_at"] is None else grant["expires_at"],
        grant["category"] != "promotional",
        grant["effective_at"] or 0,
        grant["created"],
    )


def is_usable(grant: Object, currency: str, at: int) -> bool:
    """Neither void nor expired, already in effect, and in the currency of the invoice."""
    return (
        grant["voided_at"] is None
        and (grant["effective_at"] or 0) <= at
        and (grant["expires_at"] is None or at < grant["expires_at"])
        and grant["amount"]["monetary"]["currency"] == currency
    )


def covers(grant: Object, price: str) -> bool:
    """A scope is all metered prices, or those that it names."""
    prices = grant["applicability_config"]["scope"].get("prices")
    return not prices or price in {named["id"] for named in prices}


def plan_use(grants: Iterable[Object], balances: dict[str, int], lines: Iterable[Line]) -> list[Use]:
    """What each grant pays of each line, in order. `balances` is by grant; lines below zero are passed over."""
    asked = list(lines)
    open_amounts = {line.id: line.amount for line in asked}
    uses = []
    for grant in sort_grants(grants):
        left = balances[grant["id"]]
        for line in asked:
            amount = min(left, open_amounts[line.id])
            if amount > 0 and covers(grant, line.price):
                uses.append(Use(grant["id"], line.id, amount))
                left -= amount
                open_amounts[line.id] -= amount
    return uses
