"""`expand[]`, and what an answer shows of an object."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stripe_simulator.contract import get_contract
from stripe_simulator.errors import refuse

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Object = dict[str, Any]
DEPTH = 4
Includer = Callable[["Simulator", Object], Any]
INCLUDABLE: dict[tuple[str, str], Includer] = {}


def includable(kind: str, name: str) -> Callable[[Includer], Includer]:
    """Register what fills a field that Stripe shows only when `expand` names it (`price.tiers`, `invoice.payments`)."""

    def register(includer: Includer) -> Includer:
        INCLUDABLE[kind, name] = includer
        return includer

    return register


def strip(value: Any) -> Any:
    """A copy without the simulator's own keys."""
    if isinstance(value, dict):
        return {key: strip(item) for key, item in value.items() if key[:1] != "_"}
    if isinstance(value, list):
        return [strip(item) for item in value]
    return value


def expand(sim: "Simulator", answer: Any, paths: list[str]) -> Any:
    """Put the objects in the place of their ids, in place, along each path. Raises Stripe's refusals."""
    for position, path in enumerate(paths):
        parts = path.split(".")
        if len([part for part in parts if part != "data"]) > DEPTH:
            raise refuse(
                f"You cannot expand more than {DEPTH} levels deep of a property. Property: {path}",
                param=f"expand[{position}]",
            )
        if not expand_path(sim, answer, parts):
            raise refuse(f"This property cannot be expanded ({path}).", param=f"expand[{position}]")
    return answer


def expand_path(sim: "Simulator", value: Any, parts: list[str]) -> bool:
    """Whether the path exists. Null in the way is no error: there is nothing to expand."""
    if isinstance(value, list):
        return all(expand_path(sim, item, parts) for item in value)
    if value is None or not parts:
        return True
    if not isinstance(value, dict):
        return False
    head, *rest = parts
    kind = value.get("object", "")
    if (kind, head) in INCLUDABLE and head not in value:
        value[head] = strip(INCLUDABLE[kind, head](sim, value))
    if isinstance(inner := value.get(head), str):
        found = find_object(sim, inner)
        if found is None and not is_expandable(kind, head):
            return False
        value[head] = found if found is not None else inner
    elif isinstance(inner, list) and inner and all(isinstance(item, str) for item in inner):
        value[head] = [find_object(sim, item) or item for item in inner]
    elif head not in value:
        return is_expandable(kind, head)
    return expand_path(sim, value[head], rest) if not isinstance(value[head], str) or rest == [] else True


def find_object(sim: "Simulator", id: str) -> Object | None:
    """Any object by its id, whatever its kind; a deleted one's stub."""
    for kind, table in sim.store.tables.items():
        if kind[:1] != "_" and id in table:
            return dict(strip(table[id]))
    return next((dict(stub) for stub in sim.store.scan("_deleted", id=id)), None)


def is_expandable(kind: str, name: str) -> bool:
    """Whether the contract lets this field hold an object (then an id that we lack stays an id)."""
    contract = get_contract()
    schema = contract.schemas.get(contract.by_object.get((kind, False), ""), {})
    if not schema:
        return True  # inside an unnamed part of an object: nobody says
    field = schema.get("properties", {}).get(name)
    return field is not None and "#/components" in str(field)
