"""What a plan's prices look at besides quantities and numbers of events: parts by dimension, single transactions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.projections import find_growth, project_count, project_quantity, project_values
from billing.rating import Part, PriceTerms, Usage
from metering import parts
from metering.usage import Reading


@dataclass(frozen=True, slots=True)
class Details:
    """Of one account and one window: parts by meter key and dimensions, values of transactions by meter key."""

    parts: Mapping[tuple[str, tuple[str, ...]], tuple[Part, ...]] = field(default_factory=dict)
    transactions: Mapping[str, tuple[Decimal, ...]] = field(default_factory=dict)

    def state_usage(self, price: PriceTerms, reading: Reading) -> Usage:
        """The reading with what this price needs of it."""
        return Usage(
            quantity=reading.quantity,
            event_count=reading.event_count,
            transactions=self.transactions.get(reading.meter_key) if price.needs_transactions else None,
            parts=self.parts.get((reading.meter_key, price.dimensions)) if price.dimensions else None,
        )

    def project(self, growth: Fraction, *, levels: Collection[str]) -> "Details":
        """At the end of a period that grows so; the meters of these keys are levels and stay as they are."""
        return Details(
            parts={
                (meter_key, dimensions): rows if meter_key in levels else project_parts(rows, growth)
                for (meter_key, dimensions), rows in self.parts.items()
            },
            transactions={key: project_values(values, growth) for key, values in self.transactions.items()},
        )


def project_parts(parts: Collection[Part], growth: Fraction) -> tuple[Part, ...]:
    return tuple(Part(part.values, project_quantity(part.quantity, growth)) for part in parts)


PLAIN = Details()


def project_usage(
    readings: Sequence[Reading], details: Details, *, start: datetime, end: datetime, at: datetime
) -> tuple[list[Reading], Details]:
    """What was used of [start, end) by `at`, as it will be at the end. Levels stay as they are.

    The one place that says how: a better forecast goes here.
    """
    growth = find_growth(start, end, at=at)
    levels = {reading.meter_key for reading in readings if reading.is_level}
    projected = [
        reading
        if reading.is_level
        else replace(
            reading,
            quantity=project_quantity(reading.quantity, growth),
            event_count=project_count(reading.event_count, growth),
        )
        for reading in readings
    ]
    return projected, details.project(growth, levels=levels)


def read_details(
    prices: Collection[PriceTerms], account_ids: Collection[int], *, start: datetime, end: datetime
) -> dict[int, Details]:
    """account id → what the prices ask for over [start, end). No statement where none asks for more than a quantity.

    Two statements for each table of prices, and for each price that looks at single transactions one over their events.
    """
    by_part: dict[int, dict[tuple[str, tuple[str, ...]], tuple[Part, ...]]] = {each: {} for each in account_ids}
    by_value: dict[int, dict[str, tuple[Decimal, ...]]] = {each: {} for each in account_ids}
    for meter_key, dimensions in {(price.meter_key or "", price.dimensions) for price in prices if price.dimensions}:
        found = parts.read_parts(account_ids, meter_key=meter_key, dimensions=dimensions, start=start, end=end)
        for account_id, rows in found.items():
            by_part[account_id][meter_key, dimensions] = tuple(
                Part(tuple(sorted(row.values.items())), row.quantity) for row in rows
            )
    for meter_key in {price.meter_key or "" for price in prices if price.needs_transactions}:
        for account_id, values in parts.read_values(account_ids, meter_key=meter_key, start=start, end=end).items():
            by_value[account_id][meter_key] = tuple(values)
    return {each: Details(by_part[each], by_value[each]) for each in account_ids}
