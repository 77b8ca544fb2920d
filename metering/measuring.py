"""What one event is worth to each meter of its type. No database here: the same answer whenever it is asked."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.events import Measure, Skip, encode_canonical
from metering.expressions import Expression, ValueRefused, compile_expression
from metering.filters import compile_filter
from metering.numbers import BOUND, number_text
from metering.paths import MISSING, Path, compile_reader, parse_path, write_path

DIMENSION_MAX = 200  # characters of one dimension's value
DIMENSIONS_MAX_BYTES = 1_800  # of all of them: an index of PostgreSQL takes 2,704, among them UNIQUE_MAX characters
UNIQUE_MAX = 200  # characters of a value that is counted once; longer ones go by their hash

Properties = dict[str, Any]
ReadValue = Callable[[Properties], int | Decimal | str]
Admits = Callable[[Properties], bool]


@dataclass(frozen=True, slots=True)
class VersionTerms:
    """One version of a meter: which events it counts within [starts_at, ends_at), and what each is worth.

    `value` is an expression, empty for a count; `filter` is the JSON of `metering.filters`; None bounds nothing.
    """

    meter_id: int
    meter_key: str
    aggregation: str
    event_type: str
    value: str
    filter: Any
    dimensions: tuple[str, ...]
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Measurer:
    """Compiled versions, by the type of event they count."""

    def __init__(self, versions: Iterable[VersionTerms]) -> None:
        self.gauges: dict[str, list[Gauge]] = {}
        for terms in versions:
            self.gauges.setdefault(terms.event_type, []).append(Gauge(terms))
        self.constant = {  # the worth of types whose meters look at nothing in the event
            type_: tuple(gauge.constant for gauge in gauges if gauge.constant is not None)
            for type_, gauges in self.gauges.items()
            if all(gauge.constant is not None for gauge in gauges)
        }

    def narrow(self, meter_ids: Collection[int]) -> "Measurer":
        """The same versions of these meters alone."""
        narrowed = Measurer([])
        for type_, gauges in self.gauges.items():
            if kept := [gauge for gauge in gauges if gauge.meter_id in meter_ids]:
                narrowed.gauges[type_] = kept
        return narrowed

    def measure(
        self, event_type: str, properties: Properties, happened_at: datetime
    ) -> tuple[tuple[Measure, ...], tuple[Skip, ...]]:
        """Measures of the meters that count the event, and of those that could not use it the reasons."""
        measures: list[Measure] = []
        skipped: tuple[Skip, ...] = ()
        for gauge in self.gauges[event_type]:
            if gauge.constant is not None:
                measures.append(gauge.constant)
                continue
            if gauge.is_bounded and not gauge.covers(happened_at):
                continue
            if gauge.admits is not None and not gauge.admits(properties):
                continue
            try:
                value = gauge.read_value(properties)
                dimensions = gauge.read_dimensions(properties) if gauge.dimensions else ""
                measures.append(Measure(gauge.meter_id, value, dimensions))
            except ValueRefused as refused:
                skipped += (Skip(gauge.meter_key, refused.code, refused.field, refused.message),)
        return tuple(measures), skipped


class Gauge:
    """One version, ready to measure."""

    def __init__(self, terms: VersionTerms) -> None:
        self.meter_id, self.meter_key = terms.meter_id, terms.meter_key
        self.starts_at, self.ends_at = terms.starts_at, terms.ends_at
        self.is_bounded = terms.starts_at is not None or terms.ends_at is not None
        compiled = compile_filter(terms.filter)
        self.admits: Admits | None = None if compiled is None else compiled.admits
        paths = [parse_path(text) for text in terms.dimensions]
        self.dimensions = [(path, compile_reader(path)) for path in paths]
        self.read_value = build_reader(terms)
        looks_at_something = self.is_bounded or self.admits or self.dimensions or terms.value
        self.constant = None if looks_at_something else Measure(terms.meter_id, 1)

    def covers(self, moment: datetime) -> bool:
        return (self.starts_at is None or moment >= self.starts_at) and (self.ends_at is None or moment < self.ends_at)

    def read_dimensions(self, properties: Properties) -> str:
        """A missing one is null. Raises ValueRefused when they are too long to break a quantity down by."""
        values = []
        for path, read in self.dimensions:
            value = read(properties)
            text = "null" if value is MISSING else encode_canonical(value).decode()
            if len(text) > DIMENSION_MAX:
                name = write_path(path)
                message = f"{name} may have at most {DIMENSION_MAX} characters."
                raise ValueRefused("dimension_too_long", f"data.{name}", message)
            values.append(text)
        dimensions = f"[{','.join(values)}]"
        if 4 * len(dimensions) > DIMENSIONS_MAX_BYTES < len(dimensions.encode()):
            message = f"The dimensions of {self.meter_key} may have at most {DIMENSIONS_MAX_BYTES} bytes together."
            raise ValueRefused("dimension_too_long", "data", message)
        return dimensions


def build_reader(terms: VersionTerms) -> ReadValue:
    if terms.aggregation == "count":
        return lambda properties: 1
    expression = compile_expression(terms.value)
    if terms.aggregation == "unique" and expression.path is not None:
        return build_name_reader(expression.path)
    if terms.aggregation in ("unique", "percentile"):
        return lambda properties: number_text(expression.evaluate(properties))
    if expression.path is not None and len(expression.path) == 1:
        return build_property_reader(expression)
    return expression.evaluate


def build_property_reader(expression: Expression) -> ReadValue:
    """The way most values are read, without the general evaluation for whole numbers."""
    [name] = expression.path or ()

    def read(properties: Properties) -> int | Decimal | str:
        value = properties.get(name)
        if type(value) is int and -BOUND < value < BOUND:
            return value
        return expression.evaluate(properties)

    return read


def build_name_reader(path: Path) -> ReadValue:
    """The text that equal values share: their JSON, or its hash where that is long."""
    read, name = compile_reader(path), write_path(path)

    def read_name(properties: Properties) -> str:
        value = read(properties)
        if value is MISSING or value is None:
            raise ValueRefused("value_missing", f"data.{name}", f"The data needs a value called {name}.")
        text = encode_canonical(value).decode()
        return text if len(text) <= UNIQUE_MAX else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    return read_name
