"""What a price is applied to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from billing.money import EXACT
from billing.rating.digits import QUANTITY_DIGITS, ZERO, InvalidQuantity, find_digit_problem

WHOLE = Fraction(1)


class MissingReading(InvalidQuantity):
    """The price needs a part of the reading that is not there; `field` names it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was used where the dimensions had these values: (name, value) in the order of names."""

    values: tuple[tuple[str, str], ...]
    quantity: Decimal

    def find_values(self, dimensions: Iterable[str]) -> tuple[str, ...]:
        """The values of these dimensions; empty where there was none."""
        values = dict(self.values)
        return tuple(values.get(name, "") for name in dimensions)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one period used of one meter, with as much detail as the price asks for.

    `quantity` is the meter's, or for a percentage the value of all transactions. `event_count` is the number of
    transactions, `transactions` the value of each in the order in which they happened, `parts` the quantity by
    dimension values. `tier_quantity` picks the tier of a volume price where the quantity itself was prorated. `part` is
    what was used of a whole period's time: a price's minimum and cap are for all of it. Raises InvalidQuantity.
    """

    quantity: Decimal
    event_count: int | None = None
    transactions: tuple[Decimal, ...] | None = None
    parts: tuple[Part, ...] | None = None
    tier_quantity: Decimal | None = None
    part: Fraction = WHOLE

    def __post_init__(self) -> None:
        check_quantity("quantity", self.quantity)
        if not 0 <= self.part <= 1:
            raise InvalidQuantity("The part of a period is between nothing and the whole of it.", "part")
        if self.tier_quantity is not None:
            check_quantity("tier_quantity", self.tier_quantity)
        for number, value in enumerate(self.transactions or ()):
            check_quantity(f"transactions[{number}]", value)
        for number, part in enumerate(self.parts or ()):
            check_quantity(f"parts[{number}].quantity", part.quantity)

    @classmethod
    def of_nothing(cls) -> "Usage":
        return cls(ZERO, event_count=0, transactions=(), parts=())

    @classmethod
    def of_transactions(cls, values: Iterable[Decimal]) -> "Usage":
        listed = tuple(values)
        return cls(add_quantities(listed), event_count=len(listed), transactions=listed)

    @classmethod
    def of_parts(cls, parts: Iterable[tuple[Mapping[str, str], Decimal]]) -> "Usage":
        listed = tuple(Part(tuple(sorted(values.items())), quantity) for values, quantity in parts)
        return cls(add_quantities(part.quantity for part in listed), parts=listed)


def add_quantities(quantities: Iterable[Decimal]) -> Decimal:
    with localcontext(EXACT):
        return sum(quantities, start=ZERO)


def check_quantity(field: str, value: Decimal) -> None:
    problem = find_digit_problem(value, QUANTITY_DIGITS, may_be_negative=True)
    if problem:
        raise InvalidQuantity(f"The {field.replace('_', ' ')} {problem}.", field)
