"""Which events a meter counts: conditions on their properties, joined by and and or. No Django here.

    {"property": "status", "op": "<", "value": 500}
    {"all": [{"property": "region", "op": "in", "value": ["eu", "us"]}, {"any": [...]}]}

Operators are `= != in < <= > >= exists`. Numbers are compared by value, text by its characters; a number and a text
are neither equal nor less. A property that is missing satisfies only `!=` and `exists: false`.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from metering.paths import MISSING, InvalidPath, Path, compile_reader, parse_path

MAX_CONDITIONS = 50
MAX_DEPTH = 5
MAX_LISTED = 100  # values of one `in`
MAX_TEXT = 500  # characters of a value

Admits = Callable[[dict[str, Any]], bool]
Scalar = str | int | Decimal | bool | None

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS = ("=", "!=", "in", *ORDERS, "exists")
NUMBERS = (int, Decimal)


class InvalidFilter(ValueError):
    """The specification is no filter; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`admits(properties)` says whether the event is counted; `paths` are the properties that it looks at."""

    paths: tuple[Path, ...]
    admits: Admits


def compile_filter(spec: dict[str, Any] | None) -> Filter | None:
    """None when there is nothing to ask. Raises InvalidFilter."""
    if not spec and (spec is None or spec == {}):
        return None
    compiler = Compiler()
    admits = compiler.compile(spec, depth=1)
    return Filter(paths=tuple(dict.fromkeys(compiler.paths)), admits=admits)


class Compiler:
    """Compiles one specification; counts its conditions and collects its paths on the way."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def compile(self, spec: object, *, depth: int) -> Admits:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"A filter may be nested at most {MAX_DEPTH} deep.")
        if not isinstance(spec, dict):
            raise InvalidFilter("A filter is an object with property, op and value, or one list named all or any.")
        for word, join in (("all", join_all), ("any", join_any)):
            if word in spec:
                return join(self.compile_parts(word, spec, depth=depth))
        return self.compile_condition(spec)

    def compile_parts(self, word: str, spec: dict[str, Any], *, depth: int) -> list[Admits]:
        parts = spec[word]
        if len(spec) > 1:
            raise InvalidFilter(f"Beside {word} nothing else may stand.")
        if not isinstance(parts, list) or not parts:
            raise InvalidFilter(f"{word} needs a list of at least one condition.")
        if len(parts) > MAX_CONDITIONS:
            raise InvalidFilter(f"A filter may have at most {MAX_CONDITIONS} conditions.")
        return [self.compile(part, depth=depth + 1) for part in parts]

    def compile_condition(self, spec: dict[str, Any]) -> Admits:
        unknown = sorted(map(str, spec.keys() - {"property", "op", "value"}))
        if unknown:
            raise InvalidFilter(f"A condition has property, op and value, not {unknown[0]!r}.")
        path, op = read_property(spec.get("property")), spec.get("op")
        if not isinstance(op, str) or op not in OPERATORS:
            raise InvalidFilter(f"{op!r} is no operator; known are {' '.join(OPERATORS)}.")
        if op != "exists" and "value" not in spec:
            raise InvalidFilter(f"The operator {op} needs a value.")
        self.paths.append(path)
        if len(self.paths) > MAX_CONDITIONS:
            raise InvalidFilter(f"A filter may have at most {MAX_CONDITIONS} conditions.")
        return compile_test(path, op, spec.get("value", True))


def read_property(text: object) -> Path:
    if not isinstance(text, str):
        raise InvalidFilter("A condition needs a property, as text.")
    try:
        return parse_path(text)
    except InvalidPath as error:
        raise InvalidFilter(str(error)) from error


def compile_test(path: Path, op: str, value: object) -> Admits:
    read = compile_reader(path)
    if op == "exists":
        return compile_presence(read, value)
    if op == "in":
        return compile_membership(read, value)
    wanted = read_scalar(value)
    if op == "=":
        return compile_equality(read, wanted)
    if op == "!=":
        equals = compile_equality(read, wanted)
        return lambda properties: not equals(properties)
    return compile_order(read, op, wanted)


def read_scalar(value: object) -> Scalar:
    """The value to compare with. A float is what readers of JSON make of a decimal: its digits are what was written."""
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) and not value.is_finite():
        raise InvalidFilter(f"{value} is no number to compare with.")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise InvalidFilter(f"A text to compare with may have at most {MAX_TEXT} characters.")
    if value is None or isinstance(value, str | int | Decimal):
        return value
    raise InvalidFilter("A value to compare with is a text, a number, true, false or null.")


def compile_presence(read: Callable[[dict[str, Any]], Any], wanted: object) -> Admits:
    if not isinstance(wanted, bool):
        raise InvalidFilter("The operator exists takes true or false.")
    return lambda properties: (read(properties) is not MISSING) is wanted


def compile_equality(read: Callable[[dict[str, Any]], Any], wanted: Scalar) -> Admits:
    if wanted is None or isinstance(wanted, bool):  # to Python, true is 1
        return lambda properties: read(properties) is wanted
    if isinstance(wanted, str):
        return lambda properties: bool(read(properties) == wanted)

    def equals(properties: dict[str, Any]) -> bool:
        value = read(properties)
        return type(value) in NUMBERS and value == wanted

    return equals


def compile_membership(read: Callable[[dict[str, Any]], Any], values: object) -> Admits:
    if not isinstance(values, list) or not values:
        raise InvalidFilter("The operator in takes a list of at least one value.")
    if len(values) > MAX_LISTED:
        raise InvalidFilter(f"The operator in takes at most {MAX_LISTED} values.")
    wanted = frozenset(name_kind(read_scalar(value)) for value in values)

    def is_member(properties: dict[str, Any]) -> bool:
        value = read(properties)
        return is_scalar(value) and name_kind(value) in wanted

    return is_member


def name_kind(value: Scalar) -> tuple[str, Scalar]:
    """Keeps 1 apart from true and from "1"; 1 and 1.0 are the same."""
    if value is None or isinstance(value, bool):
        return "word", value
    return ("text" if isinstance(value, str) else "number"), value


def is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | Decimal)


def compile_order(read: Callable[[dict[str, Any]], Any], op: str, wanted: Scalar) -> Admits:
    if wanted is None or isinstance(wanted, bool):
        raise InvalidFilter(f"The operator {op} takes a number or a text.")
    holds = ORDERS[op]
    kinds: tuple[type, ...] = (str,) if isinstance(wanted, str) else NUMBERS

    def admits(properties: dict[str, Any]) -> bool:
        value = read(properties)
        return type(value) in kinds and holds(value, wanted)

    return admits


def join_all(parts: list[Admits]) -> Admits:
    if len(parts) == 2:  # what most filters are; no generator
        first, second = parts
        return lambda properties: first(properties) and second(properties)
    return lambda properties: all(part(properties) for part in parts)


def join_any(parts: list[Admits]) -> Admits:
    if len(parts) == 2:
        first, second = parts
        return lambda properties: first(properties) or second(properties)
    return lambda properties: any(part(properties) for part in parts)
