"""From what was found of a span to quantities: a level is carried from bucket to bucket, a mean is divided once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from metering.aggregations import add_up, divide, find_seconds, multiply, round_quantity
from metering.spans import FoundSpan, Part, Terms

NOTHING = Decimal(0)


class Measured(NamedTuple):
    """The quantity of one bucket, as it is and not rounded, and how many events are in it."""

    quantity: Decimal
    event_count: int


@dataclass(slots=True)
class Level:
    """What a meter that carries over brings into the next bucket."""

    value: Decimal = NOTHING


def measure_buckets(terms: Terms, parts: Sequence[Part], bounds: Sequence[datetime]) -> list[Measured]:
    """Of one group, a value for each bucket between the bounds."""
    amounts: dict[int, Part] = {}
    for part in parts:
        found = amounts.get(part.bucket)
        amounts[part.bucket] = part if found is None else merge_parts(found, part)
    if not terms.carries_over:
        return [measure_alone(terms, amounts.get(bucket), bounds, bucket) for bucket in range(1, len(bounds))]
    level = Level()
    raise_level(terms, level, amounts.get(0))
    return [measure_level(terms, level, amounts.get(bucket), bounds, bucket) for bucket in range(1, len(bounds))]


def merge_parts(first: Part, second: Part) -> Part:
    """Distinct values and percentiles come apart from the number of events."""
    amount = add_up(amount for amount in (first.amount, second.amount) if amount is not None)
    return first._replace(amount=amount, event_count=first.event_count + second.event_count)


def measure_alone(terms: Terms, part: Part | None, bounds: Sequence[datetime], bucket: int) -> Measured:
    if part is None or part.amount is None:
        return EMPTY
    if terms.aggregation == "avg":
        return Measured(divide(part.amount, Decimal(part.event_count)), part.event_count)
    if terms.aggregation == "weighted_sum":
        length = find_seconds(bounds[bucket] - bounds[bucket - 1])
        return Measured(divide(part.amount, length), part.event_count)
    return Measured(part.amount, part.event_count)


def measure_level(terms: Terms, level: Level, part: Part | None, bounds: Sequence[datetime], bucket: int) -> Measured:
    """The bucket's quantity; leaves the level that it brings into the next."""
    event_count = 0 if part is None else part.event_count
    if terms.aggregation != "weighted_sum":
        raise_level(terms, level, part)
        return Measured(level.value, event_count)
    length = find_seconds(bounds[bucket] - bounds[bucket - 1])
    weighed = multiply(level.value, length)
    if part is not None and part.amount is not None:
        weighed = add_up([weighed, part.amount])
    raise_level(terms, level, part)
    return Measured(divide(weighed, length), event_count)


def raise_level(terms: Terms, level: Level, part: Part | None) -> None:
    if part is None:
        return
    amount = part.change if terms.aggregation == "weighted_sum" else part.amount
    if amount is not None:
        level.value = amount if terms.aggregation == "latest" else add_up([level.value, amount])


def list_groups(span: FoundSpan, bounds: Sequence[datetime]) -> Iterator[tuple[str, list[Measured]]]:
    """Each group of the span with its buckets, by the group's text; without any, one group of nothing."""
    groups: dict[str, list[Part]] = {}
    for part in span.parts:
        groups.setdefault(part.group, []).append(part)
    for group in sorted(groups) or [""]:
        yield group, measure_buckets(span.terms, groups.get(group, ()), bounds)


def round_reading(terms: Terms, quantity: Decimal) -> Decimal:
    return round_quantity(quantity, terms.rounding, terms.rounding_places) if terms.rounding else quantity


EMPTY = Measured(NOTHING, 0)
