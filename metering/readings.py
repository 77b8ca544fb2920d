"""From what was found of a span to quantities: a level is carried from bucket to bucket, a mean is divided once."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from metering.aggregations import NOTHING, add_up, divide, find_seconds, multiply, round_quantity
from metering.spans import FoundSpan, Part, Terms

Measured = tuple[Decimal, int]  # a quantity as it is, not rounded, and how many events are in its bucket

Found = tuple[Decimal, int, Decimal]  # what was found in a bucket: amount, number of events, change
Amounts = dict[int, Found]

EMPTY: Measured = (NOTHING, 0)
NO_CHANGE: Found = (NOTHING, 0, NOTHING)


def measure_buckets(terms: Terms, parts: Sequence[Part], bounds: Sequence[datetime]) -> list[Measured]:
    """Of one group, a value for each bucket between the bounds."""
    amounts = gather_buckets(parts)
    buckets = range(1, len(bounds))
    if terms.carries_over:
        return list(carry_level(terms, amounts, bounds))
    if terms.aggregation == "avg":
        return [measure_mean(*amounts[bucket]) if bucket in amounts else EMPTY for bucket in buckets]
    if terms.aggregation == "weighted_sum":
        return [weigh_bucket(NOTHING, amounts.get(bucket), bounds, bucket) for bucket in buckets]
    return [amounts[bucket][:2] if bucket in amounts else EMPTY for bucket in buckets]


def gather_buckets(parts: Sequence[Part]) -> Amounts:
    """Distinct values and percentiles come apart from the number of their events, and are put together here."""
    amounts: Amounts = {}
    for bucket, _, event_count, amount, change in parts:
        found = amounts.get(bucket)
        if found is None:
            amounts[bucket] = (amount or NOTHING, event_count, change or NOTHING)
        else:
            amounts[bucket] = (add_up([found[0], amount or NOTHING]), found[1] + event_count, found[2])
    return amounts


def measure_mean(total: Decimal, event_count: int, _change: Decimal) -> Measured:
    return divide(total, Decimal(event_count)), event_count


def weigh_bucket(level: Decimal, found: Found | None, bounds: Sequence[datetime], bucket: int) -> Measured:
    """The mean of a level that is there when the bucket begins and changes as was found."""
    amount, event_count, _ = found or NO_CHANGE
    length = find_seconds(bounds[bucket] - bounds[bucket - 1])
    return divide(add_up([multiply(level, length), amount]), length), event_count


def carry_level(terms: Terms, amounts: Amounts, bounds: Sequence[datetime]) -> Iterator[Measured]:
    """Of a meter that carries over: bucket 0 brings its level into the first."""
    level = raise_level(terms, NOTHING, amounts.get(0))
    for bucket in range(1, len(bounds)):
        found = amounts.get(bucket)
        if terms.aggregation == "weighted_sum":
            yield weigh_bucket(level, found, bounds, bucket)
        level = raise_level(terms, level, found)
        if terms.aggregation != "weighted_sum":
            yield level, found[1] if found else 0


def raise_level(terms: Terms, level: Decimal, found: Found | None) -> Decimal:
    if found is None:
        return level
    amount, _, change = found
    if terms.aggregation == "latest":
        return amount
    return add_up([level, change if terms.aggregation == "weighted_sum" else amount])


def list_groups(span: FoundSpan, bounds: Sequence[datetime]) -> Iterator[tuple[str, list[Measured]]]:
    """Each group of the span with its buckets, by the group's text; without any, one group of nothing."""
    groups: dict[str, list[Part]] = {}
    for part in span.parts:
        groups.setdefault(part[1], []).append(part)
    for group in sorted(groups) or [""]:
        yield group, measure_buckets(span.terms, groups.get(group, ()), bounds)


def round_reading(terms: Terms, quantity: Decimal) -> Decimal:
    return round_quantity(quantity, terms.rounding, terms.rounding_places) if terms.rounding else quantity
