"""What a subscription has beside its usage: how many seats, and which add-ons. Pure; no Django here."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

LARGEST_QUANTITY = 1_000_000


class InvalidSeats(ValueError):
    """A subscription has at least one seat, and no more than LARGEST_QUANTITY."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a period bills of fees by seat and of add-ons: what there was when it began.

    `add_ons` are (key, how many), in the order of keys.
    """

    seats: int = 1
    add_ons: tuple[tuple[str, int], ...] = ()

    @property
    def seat_quantity(self) -> Decimal:
        return Decimal(self.seats)

    def count_add_on(self, key: str) -> int:
        return dict(self.add_ons).get(key, 0)


ONE_SEAT = Held()


def hold(seats: int, add_ons: Mapping[str, int]) -> Held:
    return Held(seats, tuple(sorted(add_ons.items())))


def check_seats(seats: int) -> int:
    """Raises InvalidSeats."""
    if isinstance(seats, bool) or not isinstance(seats, int) or not 1 <= seats <= LARGEST_QUANTITY:
        raise InvalidSeats(f"A subscription has 1 to {LARGEST_QUANTITY} seats, not {seats}.")
    return seats
