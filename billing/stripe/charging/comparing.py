"""Whether Stripe's meters charge what we say they have to. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from billing.stripe.charging.composing import MeteredLine, OurTax
from billing.stripe.charging.told import TheirLine


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of ours, by its position, that Stripe's meters charge otherwise; in Stripe's units."""

    position: int
    ours: int
    theirs: int


def group_lines(lines: Iterable[TheirLine]) -> dict[str, list[TheirLine]]:
    """item of the subscription → its lines: Stripe has one for each tier."""
    found: dict[str, list[TheirLine]] = {}
    for line in lines:
        if line.item:
            found.setdefault(line.item, []).append(line)
    return found


def compare_metered(
    metered: Iterable[MeteredLine], items: Mapping[int, str], lines: Iterable[TheirLine]
) -> list[Difference]:
    """`items` maps positions to the items of the subscription. What Stripe charges of any other item is none of ours,
    and shows in the total.
    """
    theirs = {item: sum(line.amount for line in each) for item, each in group_lines(lines).items()}
    pairs = [(line, theirs.get(items[line.position], 0)) for line in metered]
    return [Difference(line.position, line.amount, amount) for line, amount in pairs if line.amount != amount]


def place_taxes(
    metered: Iterable[MeteredLine], items: Mapping[int, str], lines: Iterable[TheirLine]
) -> dict[str, tuple[OurTax, ...]]:
    """id of Stripe's line → the taxes to be said on it: all of them on the largest of an item's lines."""
    theirs = group_lines(lines)
    found = {}
    for line in metered:
        if line.taxes and (each := theirs.get(items[line.position])):
            found[max(each, key=lambda one: one.amount).stripe_id] = line.taxes
    return found
