"""A price in Stripe's words, where it has words that come to the same amount for any usage. Pure; no Django here.

Stripe's rules, as documented: a tier's `up_to` is inclusive and whole; graduated tiers price the units that fall into
them, a volume tier all units; a `flat_amount` is asked once its tier is entered, that of the first one also of no usage
at all; `transform_quantity` divides and then rounds to whole packages, and does not go with tiers; amounts are in the
smallest unit with at most 12 decimals; a line is rounded once, half up, and is zero where usage is below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.money import EXACT, find_exponent
from billing.rating import ZERO, PriceModel, PriceTerms, Rounding, TierTerms, trim

# Palier's aggregation of a meter → the formula of Stripe's. We send what each hour counted, so that a count is a sum.
FORMULAS = {"count": "sum", "sum": "sum", "latest": "last"}

# The currencies whose smallest unit is another one for Stripe, or of which it charges only tens.
COUNTED_OTHERWISE = frozenset({"BHD", "IQD", "ISK", "JOD", "KWD", "LYD", "MGA", "OMR", "TND", "UGX"})

LARGEST_TIER_END = 2**53 - 1  # what every reader of JSON takes for the whole number that it is
ROUNDS = {Rounding.UP: "up", Rounding.DOWN: "down"}


class Mode(StrEnum):
    METERS = "meters"  # usage goes out as meter events, Stripe charges it
    LINES = "lines"  # no usage goes out, Palier adds a line


class Reason(StrEnum):
    """Why a price is charged by lines of Palier's own: of any period, or of one."""

    FORCED = "forced"
    FEE = "fee"
    MODEL = "model"
    AGGREGATION = "aggregation"
    CARRIED = "carried"
    METER_ROUNDING = "meter_rounding"
    CURRENCY = "currency"
    MINIMUM = "minimum"
    CAP = "cap"
    CONVERSION = "conversion"
    INCLUDED_FRACTION = "included_fraction"
    INCLUDED_UNITS = "included_units"
    TIER_END = "tier_end"
    TIER_PACKAGE = "tier_package"
    FEE_ABOVE_ZERO = "fee_above_zero"
    PACKAGE_SIZE = "package_size"
    PACKAGE_ROUNDING = "package_rounding"
    FREE = "free"
    UNMIRRORED = "unmirrored"
    CYCLE = "cycle"
    NO_ITEM = "no_item"
    SHARED = "shared"
    CUT = "cut"
    TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What of a meter decides: its aggregation, whether its level carries over, and how a reading is rounded."""

    aggregation: str
    carries_over: bool = False
    rounding: str = ""


@dataclass(frozen=True, slots=True)
class Expressed:
    """The parameters of Stripe's price that say what it costs; which meter and how often it recurs is not part of it.

    Amounts are plain decimals in the smallest unit, as text; `formula` is that which Stripe's meter has to have.
    """

    params: dict[str, Any]
    formula: str


@dataclass(frozen=True, slots=True)
class Inexpressible:
    reason: Reason


def express_price(price: PriceTerms, meter: MeterFacts | None, currency: str) -> Expressed | Inexpressible:
    """A metered price as Stripe has it, or why it has none that asks the same of any usage. A fee has no meter.

    Raises UnknownCurrency.
    """
    find_exponent(currency)
    if meter is None:
        return Inexpressible(Reason.FEE)
    reason = find_obstacle(price, meter, currency)
    if reason is not None:
        return Inexpressible(reason)
    params = {"currency": currency.lower()} | express_amounts(price, currency)
    return Expressed(params, FORMULAS[meter.aggregation])


def find_obstacle(price: PriceTerms, meter: MeterFacts, currency: str) -> Reason | None:
    """The first of all that stands in the way."""
    obstacles = {
        Reason.MODEL: price.model not in EXPRESSED_BY,
        Reason.AGGREGATION: meter.aggregation not in FORMULAS,
        Reason.CARRIED: meter.carries_over,
        Reason.METER_ROUNDING: bool(meter.rounding),
        Reason.CURRENCY: currency in COUNTED_OTHERWISE,
        Reason.MINIMUM: price.minimum > 0,
        Reason.CAP: price.cap is not None,
        Reason.CONVERSION: price.conversion is not None,
        Reason.INCLUDED_FRACTION: not is_whole(price.included_units),
        Reason.INCLUDED_UNITS: bool(price.included_units) and price.model not in SHIFTED,
        Reason.TIER_END: not all(is_whole(price.included_units + end) for end in list_ends(price)),
        Reason.TIER_PACKAGE: any(tier.package_size is not None for tier in price.tiers),
        Reason.FEE_ABOVE_ZERO: asks_fee_above_zero(price),
        Reason.PACKAGE_SIZE: price.package_size is not None and not is_whole(price.package_size),
        Reason.PACKAGE_ROUNDING: price.package_size is not None and price.package_rounding not in ROUNDS,
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def is_whole(number: Decimal) -> bool:
    return number == number.to_integral_value() and number <= LARGEST_TIER_END


def list_ends(price: PriceTerms) -> list[Decimal]:
    return [tier.up_to for tier in price.tiers if tier.up_to is not None]


def asks_fee_above_zero(price: PriceTerms) -> bool:
    """Whether the first tier's fee is asked of some usage, and not of none. Included units are a tier before it."""
    has_fee = bool(price.tiers) and bool(price.tiers[0].flat_amount)
    return has_fee and not price.first_tier_flat_at_zero and not price.included_units


def express_amounts(price: PriceTerms, currency: str) -> dict[str, Any]:
    if price.tiers or price.included_units:
        return {
            "billing_scheme": "tiered",
            "tiers_mode": "volume" if price.model is PriceModel.VOLUME else "graduated",
            "tiers": express_tiers(price, currency),
        }
    params: dict[str, Any] = {
        "billing_scheme": "per_unit",
        "unit_amount_decimal": write_amount(price.unit_amount or ZERO, currency),
    }
    if price.package_size is not None:
        rounds = ROUNDS[price.package_rounding]
        params["transform_quantity"] = {"divide_by": int(price.package_size), "round": rounds}
    return params


def express_tiers(price: PriceTerms, currency: str) -> list[dict[str, Any]]:
    """Included units are a first tier that costs nothing, but for a fee that is asked of no usage as well."""
    tiers: Sequence[TierTerms] = price.tiers or [TierTerms(None, price.unit_amount or ZERO)]
    fees = [tier.flat_amount for tier in tiers]
    expressed = []
    if price.included_units:
        free_fee = fees[0] if price.first_tier_flat_at_zero else ZERO
        fees[0] -= free_fee
        expressed.append(express_tier(price.included_units, ZERO, free_fee, currency))
    for tier, fee in zip(tiers, fees, strict=True):
        end = None if tier.up_to is None else price.included_units + tier.up_to
        expressed.append(express_tier(end, tier.unit_amount, fee, currency))
    return expressed


def express_tier(end: Decimal | None, unit_amount: Decimal, fee: Decimal, currency: str) -> dict[str, Any]:
    tier: dict[str, Any] = {
        "up_to": "inf" if end is None else int(end),
        "unit_amount_decimal": write_amount(unit_amount, currency),
    }
    return tier | ({"flat_amount_decimal": write_amount(fee, currency)} if fee else {})


def write_amount(amount: Decimal, currency: str) -> str:
    """Whole units of the currency as smallest ones. A price has 12 decimals, so that this has no more."""
    return f"{trim(amount.scaleb(find_exponent(currency), EXACT)):f}"


EXPRESSED_BY = {PriceModel.PER_UNIT, PriceModel.GRADUATED, PriceModel.VOLUME, PriceModel.PACKAGE}
SHIFTED = {PriceModel.PER_UNIT, PriceModel.GRADUATED}
