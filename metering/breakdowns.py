"""By which dimensions a quantity is broken down, and which of their values count.

A meter's versions may have dimensions in different orders: a breakdown knows, for the hours of each version, where in
the rollups' lists of values each dimension stands.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from metering.models import MeterVersion


class UnknownDimension(ValueError):
    """No version of the meter has a dimension of this name."""


class VersionDimensions(NamedTuple):
    """From `starts_at` on (None: always) a meter's rollups list the values of these dimensions."""

    meter_id: int
    meter_key: str
    starts_at: datetime | None
    dimensions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """`versions` and `sieve` are JSON for the statement that reads spans; `dimensions` name the values of a group."""

    dimensions: tuple[str, ...]
    versions: str
    sieve: str


def read_dimensions(meter_keys: Collection[str] | None = None) -> list[VersionDimensions]:
    """Of these meters (None: of all), by meter and in order of their versions. One query."""
    versions = MeterVersion.objects.order_by("meter_id", "number")
    if meter_keys is not None:
        versions = versions.filter(meter__key__in=meter_keys)
    return [
        VersionDimensions(*row) for row in versions.values_list("meter_id", "meter__key", "starts_at", "dimensions")
    ]


def plan_breakdown(
    versions: Iterable[VersionDimensions], *, group_by: Sequence[str], filters: Mapping[str, Collection[str]]
) -> Breakdown:
    """Group by these dimensions, and count only where each of `filters` has one of its values.

    A value that is no text goes by its JSON: 5, true, null; null stands for a missing one too. Raises UnknownDimension
    for a name that some meter has in none of its versions.
    """
    by_meter: dict[int, list[VersionDimensions]] = {}
    for version in versions:
        by_meter.setdefault(version.meter_id, []).append(version)
    for each in by_meter.values():
        require_dimensions(each, [*group_by, *filters])
    places = {
        str(meter_id): [
            locate_dimensions(version, following, group_by=group_by, filters=filters)
            for version, following in zip(each, [*each[1:], None], strict=True)
        ]
        for meter_id, each in by_meter.items()
    }
    sieve = [sorted(values) for values in filters.values()]
    return Breakdown(tuple(group_by), encode(places), encode(sieve))


def require_dimensions(versions: Sequence[VersionDimensions], names: Iterable[str]) -> None:
    known = {name for version in versions for name in version.dimensions}
    for name in names:
        if name not in known:
            raise UnknownDimension(f"Meter {versions[0].meter_key} has no dimension {name!r}.")


def locate_dimensions(
    version: VersionDimensions,
    following: VersionDimensions | None,
    *,
    group_by: Iterable[str],
    filters: Iterable[str],
) -> dict[str, Any]:
    order = {name: place for place, name in enumerate(version.dimensions)}
    return {
        "starts_at": version.starts_at or "-infinity",
        "ends_at": (following and following.starts_at) or "infinity",
        "places": [order.get(name) for name in group_by],
        "sieve": [order.get(name) for name in filters],
    }


def encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()
