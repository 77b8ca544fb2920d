"""Stripe's forms: `items[0][price]=…` to nested values, typed by the contract. Pure."""

import re
from collections.abc import Callable, Iterable
from typing import Any

Schema = dict[str, Any]
INTEGER = re.compile(r"-?\d+")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
KEYS = re.compile(r"[^\[\]]+|(?<=\[)(?=\])")


def unflatten(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nest bracketed names. Lists come out as dicts keyed by position; `coerce` makes them lists."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        if "[" not in name:
            root[name] = value
            continue
        *path, last = KEYS.findall(name)
        place = root
        for key in path:
            inner = place.setdefault(key or str(len(place)), {})
            if not isinstance(inner, dict):  # a=1&a[b]=2: what came last counts
                inner = place[key] = {}
            place = inner
        place[last or str(len(place))] = value
    return root


def coerce(value: Any, schema: Schema, is_valid: Callable[[Any, Schema], bool]) -> Any:
    """The value in the types that the schema asks for; what does not fit stays, and validation names it."""
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            candidate = coerce(value, branch, is_valid)
            if is_valid(candidate, branch):
                return candidate
        return coerce_likeliest(value, schema["anyOf"], is_valid)
    kind = schema.get("type")
    if isinstance(value, dict):
        if kind == "array":
            items = schema.get("items", {})
            ordered = sorted(value.items(), key=lambda pair: (len(pair[0]), pair[0]))
            return [coerce(item, items, is_valid) for _, item in ordered]
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        rest = extra if isinstance(extra, dict) else {}
        return {key: coerce(item, properties.get(key, rest), is_valid) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    if kind == "integer" and INTEGER.fullmatch(value):
        return int(value)
    if kind == "number" and NUMBER.fullmatch(value):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def coerce_likeliest(value: Any, branches: list[Schema], is_valid: Callable[[Any, Schema], bool]) -> Any:
    """No branch fits: go by the outer shape, so that the error is named as deep as it lies."""
    shapes = ("object", "array") if isinstance(value, dict) else ("integer", "number", "boolean", "string")
    for branch in branches:
        if branch.get("type") in shapes and "enum" not in branch:
            return coerce(value, branch, is_valid)
    return value


def format_param(path: Iterable[str | int]) -> str:
    """`["items", 0, "price"]` as Stripe writes it: `items[0][price]`."""
    first, *rest = [str(part) for part in path] or [""]
    return first + "".join(f"[{part}]" for part in rest)
