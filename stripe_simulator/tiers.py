"""What a quantity costs under a price, exactly. Pure: no state, no clock, no float.

Amounts are in the currency's smallest unit (cents, yen, fils), with up to 12 decimals while they are being multiplied;
`round_amount` takes the decimals off once, at the end of a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a quantity that one unit amount and one flat amount price."""

    quantity: Fraction
    unit_amount: Fraction
    flat_amount: Fraction

    @property
    def amount(self) -> Fraction:
        return self.quantity * self.unit_amount + self.flat_amount


def rate_quantity(price: Mapping[str, Any], quantity: Decimal) -> Fraction:
    """The exact amount of a quantity, in the smallest unit. A negative quantity costs what zero costs."""
    return sum((part.amount for part in split_quantity(price, quantity)), Fraction(0))


def split_quantity(price: Mapping[str, Any], quantity: Decimal) -> list[Part]:
    """The parts of a quantity: one per tier that it reaches if the price is graduated, else one."""
    exact = max(Fraction(quantity), Fraction(0))
    if price["billing_scheme"] == "tiered":
        split = split_by_volume if price["tiers_mode"] == "volume" else split_by_graduation
        return split(price["_tiers"], exact)
    transform = price.get("transform_quantity") or price.get("transform_usage")
    if transform:
        exact = transform_quantity(exact, transform["divide_by"], transform["round"])
    return [Part(exact, read_amount(price, "unit_amount"), Fraction(0))]


def transform_quantity(quantity: Fraction, divide_by: int, direction: str) -> Fraction:
    """Packages of a quantity: whole ones only, the last one charged or given away by `direction` (up, down)."""
    packages = quantity / divide_by
    whole = packages.numerator // packages.denominator
    return Fraction(whole + 1 if direction == "up" and packages > whole else whole)


def split_by_volume(tiers: Sequence[Mapping[str, Any]], quantity: Fraction) -> list[Part]:
    """The whole quantity at the tier it ends in; `up_to` belongs to its own tier."""
    for tier in tiers:
        if tier["up_to"] is None or quantity <= tier["up_to"]:
            return [Part(quantity, read_amount(tier, "unit_amount"), read_amount(tier, "flat_amount"))]
    raise ValueError("the last tier has a bound")


def split_by_graduation(tiers: Sequence[Mapping[str, Any]], quantity: Fraction) -> list[Part]:
    """Each tier's share at its own price. The first tier's flat amount is due at a quantity of zero too."""
    parts: list[Part] = []
    lower = Fraction(0)
    for tier in tiers:
        if parts and quantity <= lower:
            break
        upper = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
        parts.append(Part(upper - lower, read_amount(tier, "unit_amount"), read_amount(tier, "flat_amount")))
        lower = upper
        if tier["up_to"] is not None and quantity <= tier["up_to"]:
            break
    return parts


def read_amount(source: Mapping[str, Any], name: str) -> Fraction:
    """An amount of a price or a tier: its decimal form if it has one, else its integer, else zero."""
    decimal = source.get(f"{name}_decimal")
    if decimal is not None:
        return Fraction(Decimal(decimal))
    return Fraction(source.get(name) or 0)


def round_amount(exact: Fraction | Decimal) -> int:
    """The integer amount of a line: half a unit goes away from zero."""
    doubled = abs(Fraction(exact)) * 2 + 1
    whole = int(doubled.numerator // (doubled.denominator * 2))
    return whole if exact >= 0 else -whole


def format_decimal(number: Decimal | Fraction | int) -> str:
    """A number in plain notation without trailing zeros, with at most 12 decimals, as the API writes it."""
    if isinstance(number, Fraction):
        number = Decimal(round_amount(number * 10**12)).scaleb(-12)
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
