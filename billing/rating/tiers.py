"""Tiers: each prices the units that fall into it (graduated), or the one that is reached prices all (volume)."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from billing.rating.digits import ONE, ZERO
from billing.rating.percentage import find_factor
from billing.rating.steps import Step, StepKind, make_step
from billing.rating.terms import PriceTerms, TierTerms
from billing.rating.units import count_packages


def climb_tiers(price: PriceTerms, charged: Decimal) -> Iterator[Step]:
    """Each tier prices the units that fall into it; a tier without any is not entered."""
    if not charged:
        yield from enter_first(price)
        return
    floor = ZERO
    for number, tier in enumerate(price.tiers, start=1):
        if charged <= floor:
            return
        ceiling = charged if tier.up_to is None else min(charged, tier.up_to)
        yield price_units(StepKind.TIER, ceiling - floor, tier, number)
        yield from enter_tier(tier, number)
        floor = ceiling


def reach_tier(price: PriceTerms, charged: Decimal, reached: Decimal) -> Iterator[Step]:
    """The tier into which `reached` falls prices all charged units."""
    if not charged:
        yield from enter_first(price)
        return
    number, tier = find_tier(price.tiers, reached)
    yield price_units(StepKind.VOLUME, charged, tier, number)
    yield from enter_tier(tier, number)


def find_tier(tiers: Sequence[TierTerms], quantity: Decimal) -> tuple[int, TierTerms]:
    """The tier that holds the quantity, counted from 1. `up_to` is inclusive."""
    for number, tier in enumerate(tiers, start=1):
        if tier.up_to is None or quantity <= tier.up_to:
            return number, tier
    raise AssertionError("the last tier is open-ended")


def price_units(kind: StepKind, units: Decimal, tier: TierTerms, number: int) -> Step:
    if tier.rate_percent is not None:
        return make_step(StepKind.RATE, units, find_factor(tier.rate_percent), tier=number)
    if tier.package_size is not None:
        packages = count_packages(units, tier.package_size)
        return make_step(kind, packages, tier.unit_amount, tier=number, basis=tier.package_size)
    return make_step(kind, units, tier.unit_amount, tier=number)


def enter_tier(tier: TierTerms, number: int) -> Iterator[Step]:
    if tier.flat_amount:
        yield make_step(StepKind.TIER_FEE, ONE, tier.flat_amount, tier=number)


def enter_first(price: PriceTerms) -> Iterator[Step]:
    """Whether nothing costs the first tier's flat amount is the price's to say: peers differ."""
    if price.first_tier_flat_at_zero:
        yield from enter_tier(price.tiers[0], 1)
