"""Stripe's lists: newest first, 1 to 100 a page; by cursor in v1, by the address of the next page in v2."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from stripe_simulator.errors import refuse

if TYPE_CHECKING:
    from stripe_simulator.routes import Request

Object = dict[str, Any]
DEFAULT, DEFAULT_V2, MOST = 10, 20, 100
PAGE = "page"  # a parameter of addresses that Stripe gives: no client sends it by itself, and no contract holds it
OPERATORS = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def answer_list(request: "Request", objects: Iterable[Object], *, oldest_first: bool = False) -> Object:
    """The page that `limit`, `starting_after` and `ending_before` ask for, of objects given oldest first.

    A `created` filter among the parameters is applied; `oldest_first` is for lists that Stripe keeps in order (lines).
    Objects on a test clock are left out unless the request names the clock, or their customer or subscription.
    """
    params = request.params
    found = [value for value in objects if is_visible(request, value) and matches_range(value, params, "created")]
    if not oldest_first:
        found.reverse()
        found.sort(key=lambda value: -value.get("created", 0))
    return cut_page(found, params, url=request.path)


def cut_page(found: list[Object], params: dict[str, Any], *, url: str) -> Object:
    limit = read_limit(params)
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise refuse("You may only specify one of these parameters: ending_before, starting_after.")
    if before:
        end = find_place(found, before, "ending_before")
        page, has_more = found[max(0, end - limit) : end], end > limit
    else:
        start = find_place(found, after, "starting_after") + 1 if after else 0
        page, has_more = found[start : start + limit], start + limit < len(found)
    return {"object": "list", "data": page, "has_more": has_more, "url": url}


def answer_list_v2(request: "Request", found: Sequence[Object]) -> Object:
    """The page that `limit` and an address of ours ask for, of objects given newest first.

    The address of the next page holds all that was asked, and after which object it begins; null on the last page.
    """
    limit = read_limit(request.params, default=DEFAULT_V2)
    start = find_place(list(found), request.page, PAGE) + 1 if request.page else 0
    page = list(found[start : start + limit])
    has_more = start + limit < len(found)
    asked = [*flatten(request.params), (PAGE, page[-1]["id"])] if has_more else []
    next_page = f"{request.path}?{urlencode(asked)}" if has_more else None
    return {"data": page, "next_page_url": next_page, "previous_page_url": None}


def flatten(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    """Parameters as a query has them: `types[0]`, `created[gte]`."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from flatten(each, f"{name}[{key}]" if name else str(key))
    else:
        yield name, str(value)


def read_limit(params: dict[str, Any], default: int = DEFAULT) -> int:
    limit: int = params.get("limit", default)
    if limit < 1:
        raise refuse("This value must be greater than or equal to 1.", param="limit", code="parameter_invalid_integer")
    if limit > MOST:
        raise refuse(f"This value must be less than or equal to {MOST} (it currently is '{limit}').", param="limit")
    return limit


def find_place(found: list[Object], id: str, param: str) -> int:
    for position, value in enumerate(found):
        if value.get("id") == id:
            return position
    raise refuse(f"No such object: '{id}'", param=param, code="resource_missing")


def matches_range(value: Object, params: dict[str, Any], name: str) -> bool:
    """A filter that is a moment, or `gt`, `gte`, `lt`, `lte` around it."""
    wanted = params.get(name)
    if wanted is None:
        return True
    given = value.get(name)
    if isinstance(wanted, dict):
        return given is not None and all(OPERATORS[sign](given, bound) for sign, bound in wanted.items())
    return bool(given == wanted)


def is_visible(request: "Request", value: Object) -> bool:
    if request.ids:  # a list of one owner's
        return True
    clock = request.sim.find_clock_of_object(value)
    if clock is None:
        return request.params.get("test_clock") is None
    return clock == request.params.get("test_clock") or any(
        request.params.get(name) for name in ("customer", "subscription", "invoice", "payment_intent")
    )
