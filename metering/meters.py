"""Meters: how events become a quantity. A meter's versions say from when on which events count, and for how much."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext

from metering.aggregations import DEFAULT_PERCENTILE
from metering.backfill import count_past
from metering.catalogue import UnknownMeter
from metering.events import floor_hour
from metering.expressions import InvalidExpression, compile_expression
from metering.filters import InvalidFilter, compile_filter
from metering.models import Aggregation, Backfill, Meter, MeterVersion
from metering.paths import InvalidPath, parse_path

__all__ = [
    "InvalidMeter",
    "MeterConflict",
    "MeterRef",
    "MeterTerms",
    "UnknownMeter",
    "VersionTerms",
    "change_meter",
    "create_meter",
    "find_meter",
    "list_meter_terms",
    "list_meters",
    "save_meter",
]

MAX_DIMENSIONS = 5


@dataclass(frozen=True, slots=True)
class MeterRef:
    """A meter as other apps see it, by its youngest version. `value` is empty exactly when it counts events."""

    id: int
    key: str
    name: str
    unit: str
    aggregation: str
    event_type: str
    value: str
    filter: Any
    dimensions: tuple[str, ...]
    percentile: Decimal | None
    rounding: str
    rounding_places: int
    carries_over: bool
    version: int
    is_backfilling: bool = False  # its past is yet to be counted in part

    def sample_data(self) -> dict[str, Any]:
        """The data of an event that counts one: each property of its value is 1."""
        data: dict[str, Any] = {}
        for *outer, name in compile_expression(self.value).paths if self.value else ():
            place = data
            for segment in outer:
                place = place.setdefault(segment, {})
            place[name] = 1
        return data


@dataclass(frozen=True, slots=True)
class VersionTerms:
    """Which events a meter counts from `starts_at` (None: always) until its next version starts."""

    number: int
    event_type: str
    value: str
    filter: Any
    dimensions: tuple[str, ...]
    starts_at: datetime | None


@dataclass(frozen=True, slots=True)
class MeterTerms:
    """A meter with all of its versions, the first one first."""

    key: str
    name: str
    unit: str
    aggregation: str
    percentile: Decimal | None
    rounding: str
    rounding_places: int
    carries_over: bool
    versions: tuple[VersionTerms, ...]


class MeterConflict(ValueError):
    """A meter of this key exists and counts something else. What it counts changes by a version, from an hour on."""


class InvalidMeter(ValueError):
    """A meter cannot be made of these fields; the message says why, `field` which, where it is one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@transaction.atomic
def create_meter(
    *,
    key: str,
    name: str,
    event_type: str,
    aggregation: str = Aggregation.COUNT,
    value: str = "",
    unit: str,
    filter: Any = None,
    dimensions: Sequence[str] = (),
    percentile: Decimal | None = None,
    rounding: str = "",
    rounding_places: int = 0,
    carries_over: bool = False,
    at: datetime,
) -> MeterRef:
    """Make a meter, and count for it what is already stored of its event type, by a job where that is much.

    Idempotent on the key: a second call returns the meter that is there. Raises MeterConflict when that one counts
    something else, InvalidMeter when a field cannot be.
    """
    hold_meters_for_change()
    meter = Meter(
        key=key,
        name=name,
        unit=unit,
        aggregation=aggregation,
        percentile=complete_percentile(aggregation, percentile),
        rounding=rounding,
        rounding_places=rounding_places,
        carries_over=carries_over,
        created_at=at,
    )
    version = MeterVersion(
        meter=meter,
        number=1,
        event_type=event_type,
        value=value,
        filter=filter,
        dimensions=list(dimensions),
        created_at=at,
    )
    found = Meter.objects.filter(key=key).select_related("backfill").first()
    if found is not None:
        return require_same(state_meter(found), state_version(meter, version))
    save_meter(meter, version, at=at)
    return state_version(meter, version)


def save_meter(meter: Meter, version: MeterVersion, *, at: datetime) -> None:
    """Store a new meter with its first version and count its past; in the caller's transaction. Raises InvalidMeter."""
    hold_meters_for_change()
    meter.percentile = complete_percentile(meter.aggregation, meter.percentile)
    require_valid(meter, version)
    meter.save(force_insert=True)
    version.meter = meter
    version.save(force_insert=True)
    count_past(meter.pk, at=at)


def complete_percentile(aggregation: str, percentile: Decimal | None) -> Decimal | None:
    """A percentile that does not say which one is the usual one."""
    return DEFAULT_PERCENTILE if aggregation == Aggregation.PERCENTILE and percentile is None else percentile


@transaction.atomic
def change_meter(
    key: str,
    *,
    event_type: str,
    value: str = "",
    filter: Any = None,
    dimensions: Sequence[str] = (),
    starts_at: datetime,
    at: datetime,
) -> MeterRef:
    """Count by other terms from the full hour `starts_at` on; what was before stays as it is.

    The same terms from the same hour change nothing. Raises UnknownMeter, InvalidMeter when the hour is not full, or
    when events of it may be here already, or are: their times may be ahead of `at`.
    """
    hold_meters_for_change()
    meter = load_meter(key)
    last = find_version(meter)
    version = MeterVersion(
        meter=meter,
        number=last.number + 1,
        event_type=event_type,
        value=value,
        filter=filter,
        dimensions=list(dimensions),
        starts_at=starts_at,
        created_at=at,
    )
    if last.starts_at == starts_at and list_terms(last) == list_terms(version):
        return state_version(meter, last)
    require_valid(meter, version)
    require_future_hour(starts_at, after=last.starts_at, at=at)
    try:
        with transaction.atomic():
            version.save(force_insert=True)
    except IntegrityError as error:
        if "has counted and is frozen" not in str(error):
            raise
        raise InvalidMeter(
            gettext("Events of that hour or of later ones are counted already: a version starts after them."),
            "starts_at",
        ) from error
    return state_version(meter, version)


def require_future_hour(starts_at: datetime, *, after: datetime | None, at: datetime) -> None:
    earliest = floor_hour(at + timedelta(minutes=settings.EVENT_MAX_FUTURE_MINUTES)) + timedelta(hours=1)
    if floor_hour(starts_at) != starts_at:
        raise InvalidMeter(gettext("A version starts at a full hour of UTC."), "starts_at")
    if starts_at < earliest:
        message = gettext("A version starts at %(moment)s UTC or later: earlier events may be counted.")
        raise InvalidMeter(message % {"moment": f"{earliest:%Y-%m-%d %H:%M}"}, "starts_at")
    if after is not None and starts_at <= after:
        message = gettext("The version before it starts at %(moment)s UTC; a later one must follow it.")
        raise InvalidMeter(message % {"moment": f"{after:%Y-%m-%d %H:%M}"}, "starts_at")


def require_valid(meter: Meter, version: MeterVersion) -> None:
    """Raises InvalidMeter, with a sentence for people."""
    try:
        meter.full_clean(validate_unique=meter._state.adding, validate_constraints=meter._state.adding)
        version.full_clean(exclude=["meter"], validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        [field, *others] = getattr(error, "error_dict", {"": error})
        raise InvalidMeter("; ".join(error.messages), "" if others or field == NON_FIELD_ERRORS else field) from error
    if meter.aggregation == Aggregation.COUNT and version.value:
        raise InvalidMeter(gettext("A count looks at no value."), "value")
    if meter.aggregation != Aggregation.COUNT and not version.value:
        raise InvalidMeter(gettext("Every meter but a count needs a value."), "value")
    if len(version.dimensions) > MAX_DIMENSIONS:
        message = gettext("A meter may have at most %(most)d dimensions.")
        raise InvalidMeter(message % {"most": MAX_DIMENSIONS}, "dimensions")
    field = "value"
    try:
        if version.value:
            compile_expression(version.value)
        field = "dimensions"
        for path in version.dimensions:
            parse_path(path)
        field = "filter"
        compile_filter(version.filter)
    except (InvalidExpression, InvalidFilter, InvalidPath) as error:
        raise InvalidMeter(str(error), field) from error


def require_same(found: MeterRef, wanted: MeterRef) -> MeterRef:
    for field in COMPARED:
        if getattr(found, field) != getattr(wanted, field):
            raise MeterConflict(
                f"Meter {found.key} exists with {field} {getattr(found, field)!r}, not {getattr(wanted, field)!r}."
            )
    return found


COMPARED = (
    "event_type", "aggregation", "value", "unit", "filter", "dimensions", "percentile", "rounding", "rounding_places",
    "carries_over",
)  # fmt: skip


def hold_meters_for_change() -> None:
    """Wait until no transaction counts by the meters as they were, and keep others from starting until ours ends."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE metering_meter IN EXCLUSIVE MODE")


def list_meters() -> list[MeterRef]:
    """Every meter, by key."""
    meters = Meter.objects.order_by("key").prefetch_related("versions").select_related("backfill")
    return [state_version(meter, max(meter.versions.all(), key=lambda each: each.number)) for meter in meters]


def list_meter_terms() -> list[MeterTerms]:
    """Every meter with its versions, by key, in two queries."""
    return [state_meter_terms(meter) for meter in Meter.objects.order_by("key").prefetch_related("versions")]


def read_meter_terms(meter_ids: Iterable[int]) -> dict[int, MeterTerms]:
    """meter id → the meter with its versions, by key, in two queries."""
    meters = Meter.objects.filter(pk__in=meter_ids).order_by("key").prefetch_related("versions")
    return {meter.pk: state_meter_terms(meter) for meter in meters}


def state_meter_terms(meter: Meter) -> MeterTerms:
    return MeterTerms(
        key=meter.key,
        name=meter.name,
        unit=meter.unit,
        aggregation=str(meter.aggregation),
        percentile=meter.percentile,
        rounding=str(meter.rounding),
        rounding_places=meter.rounding_places,
        carries_over=meter.carries_over,
        versions=tuple(map(state_terms, sorted(meter.versions.all(), key=lambda version: version.number))),
    )


def state_terms(version: MeterVersion) -> VersionTerms:
    return VersionTerms(
        number=version.number,
        event_type=version.event_type,
        value=version.value,
        filter=version.filter,
        dimensions=tuple(version.dimensions),
        starts_at=version.starts_at,
    )


def find_meter(key: str) -> MeterRef:
    """Raises UnknownMeter."""
    return state_meter(load_meter(key))


def load_meter(key: str) -> Meter:
    meter = Meter.objects.filter(key=key).select_related("backfill").first()
    if meter is None:
        raise UnknownMeter(f"No meter is called {key!r}.")
    return meter


def find_version(meter: Meter) -> MeterVersion:
    return meter.versions.latest("number")


def list_terms(version: MeterVersion) -> tuple[object, ...]:
    return version.event_type, version.value, version.filter, list(version.dimensions)


def state_meter(meter: Meter) -> MeterRef:
    return state_version(meter, find_version(meter))


def state_version(meter: Meter, version: MeterVersion) -> MeterRef:
    return MeterRef(
        id=meter.pk,
        key=meter.key,
        name=meter.name,
        unit=meter.unit,
        aggregation=str(meter.aggregation),
        event_type=version.event_type,
        value=version.value,
        filter=version.filter,
        dimensions=tuple(version.dimensions),
        percentile=meter.percentile,
        rounding=str(meter.rounding),
        rounding_places=meter.rounding_places,
        carries_over=meter.carries_over,
        version=version.number,
        is_backfilling=is_backfilling(meter),
    )


def is_backfilling(meter: Meter) -> bool:
    try:
        return meter.backfill.finished_at is None
    except Backfill.DoesNotExist:
        return False
