"""The reasons of an amount, and how a document keeps them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Any

from billing.money import EXACT, Money, round_money
from billing.rating.digits import ONE, ZERO, trim


class StepKind(StrEnum):
    FEE = "fee"  # a flat price
    SEATS = "seats"  # a flat price for each seat, or each unit of an add-on
    CONVERTED = "converted"  # from the metered unit to the one that is charged
    INCLUDED = "included"  # units taken off before any is charged
    UNITS = "units"  # charged units at one price
    PACKAGES = "packages"  # packages that were started
    TIER = "tier"  # the units that fall into one tier, or its packages
    VOLUME = "volume"  # all units, at the price of the tier that was reached
    TIER_FEE = "tier_fee"  # what entering a tier costs
    FREE = "free"  # value of which no percentage is taken
    RATE = "rate"  # a percentage of a value
    TRANSACTIONS = "transactions"  # the fee of each transaction
    SMALL = "small_transactions"  # transactions that pay the least one pays
    LARGE = "large_transactions"  # transactions that pay the most one pays
    MINIMUM = "minimum"  # what is missing to the price's minimum
    CAP = "cap"  # what goes beyond the price's cap, below zero


BOUNDS = {StepKind.MINIMUM, StepKind.CAP}


@dataclass(frozen=True, slots=True)
class Step:
    """One reason for a part of an amount: `quantity` × `unit_amount` = `amount`, nothing rounded.

    `tier` counts from 1 and is None outside tiers; `unit_amount` of what is free is 0, and of a rate a hundredth of its
    percentage. `basis` is the units in a package, or the metered quantity of a conversion. `values` are those of the
    price's dimensions, or the name of the unit that a conversion leads to.
    """

    kind: StepKind
    quantity: Decimal
    unit_amount: Decimal
    amount: Decimal
    tier: int | None = None
    basis: Decimal | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RatedLine:
    """The exact amount of one price for one metered quantity, and the steps that add up to it."""

    quantity: Decimal
    amount_exact: Decimal
    steps: tuple[Step, ...]

    def round(self, currency: str) -> Money:
        """What the document shows: rounded here, once per line."""
        return round_money(self.amount_exact, currency)

    @property
    def tier_amounts(self) -> tuple[Decimal, ...]:
        """What each tier that was entered comes to, its fee included, lowest first."""
        amounts: dict[int, Decimal] = {}
        for step in self.steps:
            if step.tier is not None:
                amounts[step.tier] = EXACT.add(amounts.get(step.tier, ZERO), step.amount)
        return tuple(trim(amounts[tier]) for tier in sorted(amounts))

    @property
    def charged_units(self) -> Decimal:
        """What is left of the quantity when it has been converted and the included units were taken off."""
        converted = [step.quantity for step in self.steps if step.kind is StepKind.CONVERTED]
        included = [step.quantity for step in self.steps if step.kind is StepKind.INCLUDED]
        with localcontext(EXACT):
            return trim(sum(converted or [max(self.quantity, ZERO)], start=ZERO) - sum(included, start=ZERO))


def make_step(
    kind: StepKind,
    quantity: Decimal,
    unit_amount: Decimal,
    *,
    tier: int | None = None,
    basis: Decimal | None = None,
    values: tuple[str, ...] = (),
) -> Step:
    return Step(kind, trim(quantity), trim(unit_amount), trim(quantity * unit_amount), tier, basis, values)


def merge_steps(steps: Iterable[Step]) -> list[Step]:
    """Steps of the same kind, tier, price and values as one, in the order of the first; those of nothing go.

    What bounds add or take off is one sum. To be called within the exact context.
    """
    merged: dict[tuple[object, ...], Step] = {}
    for step in steps:
        key = key_of(step)
        merged[key] = join_steps(merged[key], step) if key in merged else step
    return [step for step in merged.values() if step.quantity and (step.unit_amount or step.kind not in BOUNDS)]


def key_of(step: Step) -> tuple[object, ...]:
    if step.kind in BOUNDS or step.kind is StepKind.CONVERTED:
        return (step.kind,)
    return (step.kind, step.tier, step.unit_amount, step.basis, step.values)


def join_steps(one: Step, other: Step) -> Step:
    if one.kind in BOUNDS:
        return make_step(one.kind, ONE, one.amount + other.amount)
    basis = one.basis
    if one.kind is StepKind.CONVERTED and one.basis is not None and other.basis is not None:
        basis = trim(one.basis + other.basis)
    quantity = one.quantity + other.quantity
    return make_step(one.kind, quantity, one.unit_amount, tier=one.tier, basis=basis, values=one.values)


def negate_step(step: Step) -> Step:
    """The step that takes this one back."""
    if step.kind in BOUNDS:
        return make_step(step.kind, ONE, -step.amount)
    basis = -step.basis if step.kind is StepKind.CONVERTED and step.basis is not None else step.basis
    return make_step(step.kind, -step.quantity, step.unit_amount, tier=step.tier, basis=basis, values=step.values)


def write_steps(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """The steps as a document keeps them: JSON with decimals as text, and only what a step has."""
    return [write_step(step) for step in steps]


def write_step(step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": step.kind.value,
        "quantity": f"{step.quantity:f}",
        "unit_amount": f"{step.unit_amount:f}",
        "amount": f"{step.amount:f}",
    }
    if step.tier is not None:
        row["tier"] = step.tier
    if step.basis is not None:
        row["basis"] = f"{step.basis:f}"
    if step.values:
        row["values"] = list(step.values)
    return row


def read_steps(rows: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """The reverse of write_steps."""
    return tuple(
        Step(
            kind=StepKind(row["kind"]),
            quantity=Decimal(row["quantity"]),
            unit_amount=Decimal(row["unit_amount"]),
            amount=Decimal(row["amount"]),
            tier=int(row["tier"]) if "tier" in row else None,
            basis=Decimal(row["basis"]) if "basis" in row else None,
            values=tuple(row.get("values", ())),
        )
        for row in rows
    )
