"""What a subscription has beside its usage: how many seats, and which add-ons. Pure; no Django here."""

from dataclasses import dataclass
from decimal import Decimal

LARGEST_QUANTITY = 1_000_000


class InvalidSeats(ValueError):
    """A subscription has at least one seat, and no more than LARGEST_QUANTITY."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a period bills of fees by seat: how many there were when it began."""

    seats: int = 1

    @property
    def seat_quantity(self) -> Decimal:
        return Decimal(self.seats)


ONE_SEAT = Held()


def check_seats(seats: int) -> int:
    """Raises InvalidSeats."""
    if isinstance(seats, bool) or not isinstance(seats, int) or not 1 <= seats <= LARGEST_QUANTITY:
        raise InvalidSeats(f"A subscription has 1 to {LARGEST_QUANTITY} seats, not {seats}.")
    return seats
