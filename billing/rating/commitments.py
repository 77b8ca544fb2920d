"""A spend that was promised for every window of time, such as each hour: dearer beyond it, owed below it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.money import EXACT
from billing.rating.bounds import find_true_up
from billing.rating.digits import ONE, QUANTITY_DIGITS, UNIT_PRICE_DIGITS, ZERO, InvalidPrice, find_digit_problem
from billing.rating.rates import rate
from billing.rating.terms import PriceTerms

HOURS = 24


@dataclass(frozen=True, slots=True)
class WindowTerms:
    """What a window costs: `price` up to the commitment, `overage_factor` times as much beyond it.

    The commitment is an amount, or the price of a quantity; without either every use costs its price. With `true_up` a
    window that stays below it pays what is missing. Raises InvalidPrice.
    """

    price: PriceTerms
    commitment_amount: Decimal | None = None
    commitment_quantity: Decimal | None = None
    overage_factor: Decimal = ONE
    true_up: bool = False

    def __post_init__(self) -> None:
        if self.commitment_amount is not None and self.commitment_quantity is not None:
            raise InvalidPrice("A commitment is an amount or a quantity, not both.", "commitment_quantity")
        for field, value, digits in (
            ("commitment_amount", self.commitment_amount, UNIT_PRICE_DIGITS),
            ("commitment_quantity", self.commitment_quantity, QUANTITY_DIGITS),
            ("overage_factor", self.overage_factor, UNIT_PRICE_DIGITS),
        ):
            problem = find_digit_problem(value, digits) if value is not None else None
            if problem:
                raise InvalidPrice(f"The {field.replace('_', ' ')} {problem}.", field)

    @property
    def commitment(self) -> Decimal | None:
        if self.commitment_quantity is not None:
            return rate(self.price, self.commitment_quantity).amount_exact
        return self.commitment_amount


@dataclass(frozen=True, slots=True)
class HourTerms:
    """Other terms for the hours [from_hour, to_hour) of the day; over midnight where it ends before it begins."""

    from_hour: int
    to_hour: int
    terms: WindowTerms

    def __post_init__(self) -> None:
        if not 0 <= self.from_hour < HOURS:
            raise InvalidPrice("A day's hours begin from 0 to 23.", "from_hour")
        if not 0 <= self.to_hour <= HOURS:
            raise InvalidPrice("A day's hours end from 0 to 24.", "to_hour")

    def holds(self, hour: int) -> bool:
        if self.from_hour < self.to_hour:
            return self.from_hour <= hour < self.to_hour
        return hour >= self.from_hour or hour < self.to_hour


@dataclass(frozen=True, slots=True)
class WindowCharge:
    """Parts of an amount: within commitments, beyond them at the overage price, and missing to them."""

    utilized: Decimal = ZERO
    overage: Decimal = ZERO
    true_up: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return EXACT.add(EXACT.add(self.utilized, self.overage), self.true_up)

    def __add__(self, other: "WindowCharge") -> "WindowCharge":
        return WindowCharge(
            EXACT.add(self.utilized, other.utilized),
            EXACT.add(self.overage, other.overage),
            EXACT.add(self.true_up, other.true_up),
        )


def charge_window(terms: WindowTerms, quantity: Decimal) -> WindowCharge:
    """One window's use. Raises what rate raises."""
    amount, commitment = rate(terms.price, quantity).amount_exact, terms.commitment
    if commitment is None:
        return WindowCharge(utilized=amount)
    with localcontext(EXACT):
        utilized = min(amount, commitment)
        missing = find_true_up(commitment, amount) if terms.true_up else ZERO
        return WindowCharge(utilized, (amount - utilized) * terms.overage_factor, missing)


def charge_windows(
    default: WindowTerms, windows: Iterable[tuple[int, Decimal]], *, by_hour: Sequence[HourTerms] = ()
) -> WindowCharge:
    """All windows, given as (hour of the day, quantity); the first of `by_hour` that holds the hour has its terms."""
    total = WindowCharge()
    for hour, quantity in windows:
        terms = next((each.terms for each in by_hour if each.holds(hour)), default)
        total += charge_window(terms, quantity)
    return total
