"""What a quantity costs, and why: pure, exact, without rounding. No Django here.

The same function serves the live cost and the invoice, so they cannot disagree.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from enum import StrEnum

from billing.money import EXACT, Money, round_money

ZERO = Decimal(0)
ONE = Decimal(1)
UNIT_PRICE_DIGITS = (12, 12)  # before and after the point, as stored
QUANTITY_DIGITS = (26, 12)
AMOUNT_LIMIT = Decimal(10) ** 14


class InvalidPrice(ValueError):
    """A price that cannot be charged; the message says what is wrong with it."""


class InvalidQuantity(ValueError):
    """A quantity that is no number, or has more digits than are stored."""


class AmountTooLarge(ValueError):
    """An amount beyond what a document can hold."""


class PriceModel(StrEnum):
    FLAT = "flat"
    PER_UNIT = "per_unit"
    GRADUATED = "graduated"


class StepKind(StrEnum):
    FEE = "fee"  # a flat price
    INCLUDED = "included"  # units taken off before any is charged
    UNITS = "units"  # all charged units of a per-unit price
    TIER = "tier"  # the units that fall into one tier
    TIER_FEE = "tier_fee"  # what entering a tier costs


@dataclass(frozen=True, slots=True)
class TierTerms:
    """One step of a graduated price. `up_to` is inclusive and counts charged units; None is open-ended.

    `flat_amount` is charged once when the tier is entered, that is when at least a part of a unit falls into it.
    """

    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """One charge: a flat fee (no meter), or a meter's quantity per unit or by tiers, after the included units.

    Amounts are in whole units of the currency. Raises InvalidPrice when made of parts that do not fit.
    """

    description: str
    model: PriceModel
    meter_key: str | None = None
    unit_amount: Decimal | None = None
    included_units: Decimal = ZERO
    tiers: tuple[TierTerms, ...] = field(default=())

    def __post_init__(self) -> None:
        check_price(self)


@dataclass(frozen=True, slots=True)
class Step:
    """One reason for a part of an amount: `quantity` × `unit_amount` = `amount`, nothing rounded.

    `tier` counts from 1 and is None outside tiers; `unit_amount` of an included step is 0.
    """

    kind: StepKind
    quantity: Decimal
    unit_amount: Decimal
    amount: Decimal
    tier: int | None = None


@dataclass(frozen=True, slots=True)
class RatedLine:
    """The exact amount of one price for one quantity, and the steps that add up to it."""

    quantity: Decimal
    amount_exact: Decimal
    steps: tuple[Step, ...]

    def round(self, currency: str) -> Money:
        """What the document shows: rounded here, once per line."""
        return round_money(self.amount_exact, currency)


def flat_fee(description: str, amount: Decimal) -> PriceTerms:
    return PriceTerms(description, PriceModel.FLAT, unit_amount=amount)


def per_unit(description: str, *, meter_key: str, unit_amount: Decimal, included_units: Decimal = ZERO) -> PriceTerms:
    return PriceTerms(description, PriceModel.PER_UNIT, meter_key, unit_amount, included_units)


def graduated(
    description: str, *, meter_key: str, tiers: Iterable[TierTerms], included_units: Decimal = ZERO
) -> PriceTerms:
    return PriceTerms(description, PriceModel.GRADUATED, meter_key, None, included_units, tuple(tiers))


def rate(price: PriceTerms, quantity: Decimal) -> RatedLine:
    """Price a quantity. A flat fee costs the same whatever the quantity; below zero nothing is charged.

    Raises InvalidQuantity, and AmountTooLarge from 10^14 on.
    """
    check_digits(quantity, QUANTITY_DIGITS, error=InvalidQuantity, name="The quantity", may_be_negative=True)
    with localcontext(EXACT):
        steps = tuple(list_steps(price, max(quantity, ZERO)))
        amount = trim(sum((step.amount for step in steps), start=ZERO))
        if amount >= AMOUNT_LIMIT:
            raise AmountTooLarge(f"{price.description}: {amount:f} is more than an invoice line can hold.")
        return RatedLine(trim(quantity), amount, steps)


def list_steps(price: PriceTerms, quantity: Decimal) -> Iterator[Step]:
    if price.model is PriceModel.FLAT:
        yield make_step(StepKind.FEE, ONE, price.unit_amount or ZERO)
        return
    included = min(quantity, price.included_units)
    charged = quantity - included
    if included:
        yield make_step(StepKind.INCLUDED, included, ZERO)
    if price.model is PriceModel.PER_UNIT and charged:
        yield make_step(StepKind.UNITS, charged, price.unit_amount or ZERO)
    if price.model is PriceModel.GRADUATED:
        yield from climb_tiers(price.tiers, charged)


def climb_tiers(tiers: Iterable[TierTerms], charged: Decimal) -> Iterator[Step]:
    """Each tier prices the units that fall into it; a tier without any is not entered."""
    floor = ZERO
    for number, tier in enumerate(tiers, start=1):
        if charged <= floor:
            return
        ceiling = charged if tier.up_to is None else min(charged, tier.up_to)
        yield make_step(StepKind.TIER, ceiling - floor, tier.unit_amount, tier=number)
        if tier.flat_amount:
            yield make_step(StepKind.TIER_FEE, ONE, tier.flat_amount, tier=number)
        floor = ceiling


def make_step(kind: StepKind, quantity: Decimal, unit_amount: Decimal, *, tier: int | None = None) -> Step:
    return Step(kind, trim(quantity), trim(unit_amount), trim(quantity * unit_amount), tier)


def trim(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    whole = value.to_integral_value()
    return whole.quantize(ONE, context=EXACT) if value == whole else value.normalize(EXACT)


def write_steps(steps: Iterable[Step]) -> list[dict[str, str | int]]:
    """The steps as a document keeps them: JSON with decimals as text."""
    return [
        {
            "kind": step.kind.value,
            "quantity": f"{step.quantity:f}",
            "unit_amount": f"{step.unit_amount:f}",
            "amount": f"{step.amount:f}",
        }
        | ({} if step.tier is None else {"tier": step.tier})
        for step in steps
    ]


def read_steps(rows: Iterable[Mapping[str, str | int]]) -> tuple[Step, ...]:
    """The reverse of write_steps."""
    return tuple(
        Step(
            kind=StepKind(str(row["kind"])),
            quantity=Decimal(row["quantity"]),
            unit_amount=Decimal(row["unit_amount"]),
            amount=Decimal(row["amount"]),
            tier=int(row["tier"]) if "tier" in row else None,
        )
        for row in rows
    )


def check_price(price: PriceTerms) -> None:
    """Raise InvalidPrice unless the parts fit the model."""
    problem = "; ".join(find_problems(price))
    if problem:
        raise InvalidPrice(f"{price.description or 'A price without a description'}: {problem}.")
    for name, value, digits in list_numbers(price):
        check_digits(value, digits, error=InvalidPrice, name=f"{price.description}: {name}")


def find_problems(price: PriceTerms) -> Iterator[str]:
    if not price.description.strip():
        yield "it needs a description"
    if price.model is PriceModel.FLAT and (price.meter_key is not None or price.included_units):
        yield "a flat fee has neither meter nor included units"
    if price.model is not PriceModel.FLAT and not price.meter_key:
        yield "a price for usage needs a meter"
    if (price.unit_amount is None) != (price.model is PriceModel.GRADUATED):
        yield "flat and per-unit prices have one amount, graduated prices have it in their tiers"
    if bool(price.tiers) != (price.model is PriceModel.GRADUATED):
        yield "graduated prices have tiers and others have none"
    if price.tiers:
        yield from find_tier_problems(price.tiers)


def find_tier_problems(tiers: tuple[TierTerms, ...]) -> Iterator[str]:
    *lower, last = tiers
    if last.up_to is not None:
        yield "the last tier must be open-ended"
    ends = [tier.up_to for tier in lower]
    closed = [end for end in ends if end is not None]
    if len(closed) < len(ends):
        yield "only the last tier may be open-ended"
    if any(end <= start for start, end in zip([ZERO, *closed], closed, strict=False)):
        yield "each tier must end above the one before"


def list_numbers(price: PriceTerms) -> Iterator[tuple[str, Decimal, tuple[int, int]]]:
    yield "the included quantity", price.included_units, QUANTITY_DIGITS
    if price.unit_amount is not None:
        yield "the amount", price.unit_amount, UNIT_PRICE_DIGITS
    for tier in price.tiers:
        if tier.up_to is not None:
            yield "the end of a tier", tier.up_to, QUANTITY_DIGITS
        yield "a tier's unit price", tier.unit_amount, UNIT_PRICE_DIGITS
        yield "a tier's fee", tier.flat_amount, UNIT_PRICE_DIGITS


def check_digits(
    value: Decimal, digits: tuple[int, int], *, error: type[ValueError], name: str, may_be_negative: bool = False
) -> None:
    """Raise `error` for what is no Decimal, no number, below zero, or would lose digits when stored."""
    before, after = digits
    if not isinstance(value, Decimal) or not value.is_finite():
        raise error(f"{name} must be a finite decimal number, not {value!r}.")
    if value < 0 and not may_be_negative:
        raise error(f"{name} may not be negative.")
    if value and value.adjusted() >= before:
        raise error(f"{name} has more than {before} digits before the point.")
    if int(trim(value).as_tuple().exponent) < -after:
        raise error(f"{name} has more than {after} digits after the point.")
