"""What meters must read, in plain Python over the raw events of one account: exact fractions, no rollups, no SQL.

It shares no code with the product: each rule is written here once more, as simply as it can be said.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

Properties = dict[str, Any]
Values = list[tuple[datetime, Any]]

MICROSECOND = timedelta(microseconds=1)
BOUND = 10**26
CARRYING = ("sum", "latest", "unique", "weighted_sum")


class NoValue(Exception):
    """The event has nothing that the meter could use."""


def number(value: Any) -> Fraction:
    if type(value) in (int, Decimal) and abs(value) < BOUND:
        return Fraction(value)
    raise NoValue


def find(properties: Properties, *path: str) -> Any:
    found: Any = properties
    for name in path:
        if not isinstance(found, dict) or name not in found:
            raise NoValue
        found = found[name]
    return found


def over(dividend: Fraction, divisor: Fraction) -> Fraction:
    if not divisor:
        raise NoValue
    return dividend / divisor


def v(properties: Properties) -> Fraction:
    return number(find(properties, "v"))


def w(properties: Properties) -> Fraction:
    return number(find(properties, "deep", "w"))


# The text of an expression, and the same in Python.
WORTHS: dict[str, Callable[[Properties], Fraction]] = {
    "v": v,
    "deep.w": w,
    "v * 2 - 1": lambda data: v(data) * 2 - 1,
    "v / 3": lambda data: v(data) / 3,
    "-v": lambda data: -v(data),
    "ceil(v / 7) * 7": lambda data: Fraction(math.ceil(v(data) / 7) * 7),
    "max(v, deep.w)": lambda data: max(v(data), w(data)),
    "v / deep.w": lambda data: over(v(data), w(data)),
    "round(abs(v), 2)": lambda data: round_half_away(abs(v(data)), 2),
}
PATHS = {"v": ("v",), "deep.w": ("deep", "w")}


def is_less(value: Any, bound: int) -> bool:
    return type(value) in (int, Decimal) and value < bound


# The text of a filter, and the same in Python.
FILTERS: dict[str, tuple[Any, Callable[[Properties], bool]]] = {
    "all of them": (None, lambda data: True),
    "what went well": (
        {"property": "status", "op": "<", "value": 500},
        lambda data: is_less(data.get("status"), 500),
    ),
    "at home or failed": (
        {
            "any": [
                {"property": "region", "op": "in", "value": ["eu", "us"]},
                {"property": "status", "op": "=", "value": 500},
            ]
        },
        lambda data: data.get("region") in ("eu", "us") or data.get("status") == 500,
    ),
    "somewhere, but found": (
        {
            "all": [
                {"property": "region", "op": "exists"},
                {"property": "status", "op": "!=", "value": 404},
            ]
        },
        lambda data: "region" in data and data.get("status") != 404,
    ),
}


@dataclass(frozen=True)
class Version:
    """What a meter counts from `starts_at` on; None is for ever."""

    event_type: str
    worth: str
    filter: str
    dimensions: tuple[str, ...] = ()
    starts_at: datetime | None = None


@dataclass(frozen=True)
class MeterPlan:
    """A meter as the test makes it; its versions in order."""

    key: str
    aggregation: str
    versions: tuple[Version, ...]
    carries_over: bool = False
    percentile: Decimal | None = None
    rounding: str = ""
    rounding_places: int = 0

    def find_version(self, at: datetime) -> Version:
        return [each for each in self.versions if each.starts_at is None or each.starts_at <= at][-1]


@dataclass(frozen=True)
class RawEvent:
    """An event that counts: sent once, and not corrected."""

    type: str
    time: datetime
    data: Properties


def fold_events(plan: MeterPlan, events: Iterable[RawEvent], start: datetime, end: datetime) -> tuple[Fraction, int]:
    """The quantity over [start, end), before the meter rounds it, and how many events are in the window."""
    values = measure_events(plan, events)
    inside = [(at, value) for at, value in values if start <= at < end]
    before = [(at, value) for at, value in values if at < start] if plan.carries_over else []
    return fold_values(plan, before, inside, start, end), len(inside)


def measure_events(plan: MeterPlan, events: Iterable[RawEvent]) -> Values:
    values = []
    for event in events:
        version = plan.find_version(event.time)
        if event.type == version.event_type and FILTERS[version.filter][1](event.data):
            try:
                values.append((event.time, measure(plan.aggregation, version, event.data)))
            except NoValue:
                continue
    return values


def measure(aggregation: str, version: Version, data: Properties) -> Any:
    if aggregation == "count":
        return 1
    if aggregation == "unique" and version.worth in PATHS:
        return name_value(find(data, *PATHS[version.worth]))
    worth = round_half_away(WORTHS[version.worth](data), 12)
    if abs(worth) >= BOUND:
        raise NoValue
    return worth


def name_value(value: Any) -> Any:
    """Equal for equal values: 1 is 1.0, but neither true nor "1"."""
    if value is None:
        raise NoValue
    if type(value) in (int, Decimal):
        return Fraction(value)
    return f"{type(value).__name__} {value!r}"


def name_dimension(plan: MeterPlan, event: RawEvent, name: str) -> str:
    """The dimension's value as JSON; null where it is missing, or where the version of that hour does not have it."""
    value = event.data.get(name) if name in plan.find_version(event.time).dimensions else None
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return json.dumps(value)


def fold_values(plan: MeterPlan, before: Values, inside: Values, start: datetime, end: datetime) -> Fraction:
    every = [*before, *inside]
    values = [value for _, value in every]
    match plan.aggregation:
        case "count":
            return Fraction(len(values))
        case "sum":
            return sum(values, start=Fraction(0))
        case "min":
            return min(values, default=Fraction(0))
        case "max":
            return max(values, default=Fraction(0))
        case "avg":
            return round_half_away(sum(values, start=Fraction(0)) / max(len(values), 1), 12)
        case "latest":
            return max(every)[1] if every else Fraction(0)
        case "unique":
            return Fraction(len(set(values)))
        case "percentile":
            rank = math.ceil(Fraction(plan.percentile or 95) / 100 * len(values))
            return sorted(values)[rank - 1] if values else Fraction(0)
    return weigh_level(before, inside, start, end)


def weigh_level(before: Values, inside: Values, start: datetime, end: datetime) -> Fraction:
    """Walks along the window: so long at this level, so long at that."""
    if start == end:
        return Fraction(0)
    level = sum((value for _, value in before), start=Fraction(0))
    weighed, since = Fraction(0), start
    for at, value in sorted(inside):
        weighed += level * ((at - since) // MICROSECOND)
        level, since = level + value, at
    weighed += level * ((end - since) // MICROSECOND)
    return round_half_away(weighed / ((end - start) // MICROSECOND), 12)


def round_plan(plan: MeterPlan, quantity: Fraction) -> Fraction:
    """As the meter rounds what it reads."""
    scale = Fraction(10) ** plan.rounding_places
    match plan.rounding:
        case "round":
            return round_half_away(quantity, plan.rounding_places)
        case "ceil":
            return math.ceil(quantity * scale) / scale
        case "floor":
            return math.floor(quantity * scale) / scale
    return quantity


def round_half_away(value: Fraction, places: int) -> Fraction:
    scale = Fraction(10) ** places
    size = math.floor(abs(value) * scale + Fraction(1, 2)) / scale
    return -size if value < 0 else size


def seal_event(source: str, id: str, time: datetime, type: str, subject: str, data: Properties) -> int:
    """SHA-256 of the event as one line of JSON, its keys in order and its numbers in lowest terms."""
    moment = time.isoformat().replace("+00:00", "Z")
    line = f"[{','.join(map(write_json, (source, id, moment, type, subject, data)))}]"
    return int(hashlib.sha256(line.encode()).hexdigest(), 16)


def write_json(value: Any) -> str:
    match value:
        case dict():
            inner = ",".join(f"{write_json(key)}:{write_json(value[key])}" for key in sorted(value))
            return f"{{{inner}}}"
        case list():
            return f"[{','.join(map(write_json, value))}]"
        case Decimal() if value == value.to_integral_value():
            return str(int(value))
        case Decimal():
            return str(value.normalize())
    return json.dumps(value, ensure_ascii=False)
