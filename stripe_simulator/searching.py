"""Stripe's search language, `metadata['account']:'acme' AND -status:'canceled'`. Pure: a query becomes a test.

Clauses are joined by AND or by OR, never by both. `:` is equality, `~` looks for a part, `<` and its kin compare
numbers, `null` stands for nothing. Not kept from Stripe: results there may lag by a minute.
"""

import re
from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from stripe_simulator.errors import refuse
from stripe_simulator.lists import read_limit

if TYPE_CHECKING:
    from stripe_simulator.routes import Request

Object = dict[str, Any]

CLAUSE = re.compile(
    r"""(?P<no>-)?(?P<field>[a-z_][a-z_.0-9]*)(?:\[(?P<key>"[^"]*"|'[^']*')\])?
    (?P<operator>:|~|>=|<=|>|<)(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s"']+)""",
    re.VERBOSE,
)
JOINT = re.compile(r"\s+(AND|OR)\s+|\s+", re.IGNORECASE)
COMPARISONS = {">": gt, ">=": ge, "<": lt, "<=": le}


class BadQuery(ValueError):
    """The query is not in the language."""


def compile_query(query: str) -> Callable[[Object], bool]:
    """A test that an object passes or not. Raises BadQuery."""
    query = query.strip()
    tests, joints, position = [], set(), 0
    while True:
        clause = CLAUSE.match(query, position)
        if clause is None:
            raise BadQuery(f"We were unable to parse your search query near {query[position : position + 40]!r}.")
        tests.append(compile_clause(clause))
        position = clause.end()
        if position == len(query):
            break
        joint = JOINT.match(query, position)
        if joint is None:
            raise BadQuery("Clauses are joined by AND or OR.")
        joints.add((joint.group(1) or "AND").upper())
        position = joint.end()
    if len(joints) > 1:
        raise BadQuery("You cannot combine AND and OR in one query.")
    combine = any if joints == {"OR"} else all
    return lambda obj: combine(test(obj) for test in tests)


def compile_clause(clause: re.Match[str]) -> Callable[[Object], bool]:
    field, key, operator, no = clause["field"], clause["key"], clause["operator"], bool(clause["no"])
    value = unquote(clause["value"])
    path = [*field.split("."), *([unquote(key)] if key else [])]
    if operator in COMPARISONS:
        if not re.fullmatch(r"-?\d+", value):
            raise BadQuery(f"{field} is compared with a number.")
        compare = COMPARISONS[operator]
        return lambda obj: isinstance(found := look_up(obj, path), int) and compare(found, int(value)) is not no
    if value == "null" and clause["value"] == "null":
        return lambda obj: (look_up(obj, path) is None) is not no
    if operator == "~":
        return lambda obj: (value.lower() in str(look_up(obj, path) or "").lower()) is not no
    return lambda obj: (write(look_up(obj, path)).lower() == value.lower()) is not no


def unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] in "\"'" else text


def look_up(obj: object, path: list[str]) -> object:
    for name in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(name)
    return obj


def write(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer_search(request: "Request", objects: Iterable[Object]) -> Object:
    """The page of a search result, newest first; `page` is the place to go on from."""
    try:
        test = compile_query(request.params["query"])
    except BadQuery as error:
        raise refuse(str(error), param="query") from None
    found = sorted(filter(test, reversed(list(objects))), key=lambda value: -value.get("created", 0))
    start, limit = int(request.params.get("page") or 0), read_limit(request.params)
    has_more = start + limit < len(found)
    return {
        "object": "search_result",
        "data": found[start : start + limit],
        "has_more": has_more,
        "next_page": str(start + limit) if has_more else None,
        "url": request.path,
    }
