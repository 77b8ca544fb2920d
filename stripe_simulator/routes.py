"""Which function answers which route, and what it is given."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stripe_simulator.contract import get_contract

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Object = dict[str, Any]


@dataclass(slots=True)
class Request:
    """One call. `params` is typed by the contract; `ids` holds the path's parameters; `at` is the clock that counts."""

    sim: "Simulator"
    method: str
    path: str
    params: dict[str, Any]
    ids: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    request_id: str = ""
    idempotency_key: str | None = None
    base_url: str = ""
    page: str | None = None  # of a v2 list, as `lists.answer_list_v2` gave it

    @property
    def id(self) -> str:
        return self.ids["id"]

    @property
    def at(self) -> int:
        """Unix seconds of the test clock of what the path or the parameters name, else of the simulator."""
        clock = self.params.get("test_clock")
        if isinstance(clock, str) and self.sim.store.peek("test_helpers.test_clock", clock):
            return self.sim.clock_time(clock)
        for named in (self.params, {"": self.ids.get("id"), **self.ids}):
            for value in named.values():
                if isinstance(value, str) and (owner := self.sim.find_clock_of(value)):
                    return self.sim.clock_time(owner)
        return self.sim.now()


@dataclass(frozen=True, slots=True)
class Page:
    """What an HTML page answers; `location` makes it a redirection."""

    html: str = ""
    status: int = 200
    location: str | None = None


Handler = Callable[[Request], Object]
PageHandler = Callable[[Request], Page]
ROUTES: dict[tuple[str, str], Handler] = {}
PAGES: list[tuple[str, re.Pattern[str], PageHandler]] = []


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Register what answers an operation of the contract. `{name}` in the path may be called as one likes here;
    `request.ids` has them by the contract's names."""
    known = {blank_ids(template): template for verb, template in get_contract().operations if verb == method}
    template = known.get(blank_ids(path))
    if template is None:
        raise LookupError(f"the contract has no {method} {path}")

    def register(handler: Handler) -> Handler:
        if (method, template) in ROUTES:
            raise LookupError(f"{method} {path} is answered twice")
        ROUTES[method, template] = handler
        return handler

    return register


def blank_ids(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def page(method: str, path: str) -> Callable[[PageHandler], PageHandler]:
    """Register an HTML page, outside of the API: no key is asked and no contract checked."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")

    def register(handler: PageHandler) -> PageHandler:
        PAGES.append((method, pattern, handler))
        return handler

    return register


def find_page(method: str, path: str) -> tuple[PageHandler, dict[str, str]] | None:
    for verb, pattern, handler in PAGES:
        if verb == method and (match := pattern.match(path)):
            return handler, match.groupdict()
    return None
