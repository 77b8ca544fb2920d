"""What a price is: its model, its amounts, and what is taken off before or after."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from billing.rating.checks import check_price
from billing.rating.digits import PLACES, ZERO, Rounding


class PriceModel(StrEnum):
    FLAT = "flat"  # a fee, whatever was used
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"  # each tier prices the units that fall into it
    VOLUME = "volume"  # the tier that was reached prices all units
    PACKAGE = "package"  # started packages, whole
    PERCENTAGE = "percentage"  # of the metered value, and a fee for each transaction
    GRADUATED_PERCENTAGE = "graduated_percentage"  # each tier takes its percentage of the value that falls into it
    DIMENSION = "dimension"  # per unit, by the values of dimensions


class ChargedBy(StrEnum):
    """Where an account is charged through Stripe: by whom a price is."""

    AUTOMATIC = "automatic"  # by Stripe's meters where Stripe's prices ask the same
    LINES = "lines"  # by lines of ours


@dataclass(frozen=True, slots=True)
class TierTerms:
    """One step of a tiered price. `up_to` is inclusive and counts charged units; None is open-ended.

    `flat_amount` is charged once when the tier is entered, that is when at least a part of a unit falls into it. With
    a `package_size` the tier's units are charged by started packages, `unit_amount` each. The tiers of a graduated
    percentage have `rate_percent` (1.5 is 1.5 %) in place of `unit_amount`.
    """

    up_to: Decimal | None
    unit_amount: Decimal = ZERO
    flat_amount: Decimal = ZERO
    rate_percent: Decimal | None = None
    package_size: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the metered unit to the one that is charged: quantity × multiply_by ÷ divide_by, rounded once to `places`.

    `unit` names what is charged, such as hour. Included units and tiers count converted units.
    """

    multiply_by: Decimal = Decimal(1)
    divide_by: Decimal = Decimal(1)
    rounding: Rounding = Rounding.HALF
    places: int = PLACES
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PercentageTerms:
    """A share of the metered value, and `fee` for each transaction.

    Free is what comes first: value up to `free_amount`, and `free_transactions`; of two limits the one that is reached
    first ends it. A transaction wholly free pays no fee. `minimum` and `maximum` bound what one transaction that is
    not free pays, its fee included.
    """

    rate_percent: Decimal
    fee: Decimal = ZERO
    free_amount: Decimal = ZERO
    free_transactions: int = 0
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    @property
    def needs_transactions(self) -> bool:
        """Whether value and number of the transactions are not enough to know the amount."""
        bounded = self.minimum is not None or self.maximum is not None
        return bounded or self.free_transactions > 0 or (self.free_amount > 0 and self.fee > 0)


@dataclass(frozen=True, slots=True)
class DimensionPrice:
    """What a unit costs where the price's dimensions have these values, in its order of dimensions."""

    values: tuple[str, ...]
    unit_amount: Decimal


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """One charge: a flat fee (no meter), or a meter's quantity by one of the models.

    The quantity is converted, the included units are taken off, the rest is charged, and the sum is held between
    `minimum` and `cap`. `unit_amount` is the fee, the price of a unit or of a package, or what a unit costs whose
    dimension values are not in the table. Amounts are in whole units of the currency. `first_tier_flat_at_zero` asks
    the first tier's flat amount also where nothing is charged. A flat fee `per_seat` is asked for each seat; what is
    rated is then how many there are. `charged_by` changes nothing of what it comes to. Raises InvalidPrice, with the
    field, when made of parts that do not fit.
    """

    description: str
    model: PriceModel
    meter_key: str | None = None
    unit_amount: Decimal | None = None
    included_units: Decimal = ZERO
    tiers: tuple[TierTerms, ...] = field(default=())
    conversion: Conversion | None = None
    package_size: Decimal | None = None
    package_rounding: Rounding = Rounding.UP
    percentage: PercentageTerms | None = None
    dimensions: tuple[str, ...] = ()
    table: tuple[DimensionPrice, ...] = ()
    first_tier_flat_at_zero: bool = False
    minimum: Decimal = ZERO
    cap: Decimal | None = None
    per_seat: bool = False
    charged_by: ChargedBy = ChargedBy.AUTOMATIC

    def __post_init__(self) -> None:
        check_price(self)

    @property
    def is_bounded(self) -> bool:
        """Whether it matters of which part of a period a reading is."""
        return bool(self.minimum) or self.cap is not None

    @property
    def needs_transactions(self) -> bool:
        """Whether a reading has to list its single transactions."""
        return self.percentage is not None and self.percentage.needs_transactions


def flat_fee(description: str, amount: Decimal, *, per_seat: bool = False) -> PriceTerms:
    return PriceTerms(description, PriceModel.FLAT, unit_amount=amount, per_seat=per_seat)


def per_unit(description: str, *, meter_key: str, unit_amount: Decimal, included_units: Decimal = ZERO) -> PriceTerms:
    return PriceTerms(description, PriceModel.PER_UNIT, meter_key, unit_amount, included_units)


def graduated(
    description: str, *, meter_key: str, tiers: Iterable[TierTerms], included_units: Decimal = ZERO
) -> PriceTerms:
    return PriceTerms(description, PriceModel.GRADUATED, meter_key, None, included_units, tuple(tiers))


def stack_blocks(blocks: Iterable[tuple[Decimal, int | None, Decimal]]) -> tuple[TierTerms, ...]:
    """(size, how many or None, price of one) → the tiers that hold as many units as their blocks, one upon another."""
    tiers, floor = [], ZERO
    for size, count, price in blocks:
        floor += size * (count or 0)
        tiers.append(TierTerms(None if count is None else floor, price, package_size=size))
    return tuple(tiers)
