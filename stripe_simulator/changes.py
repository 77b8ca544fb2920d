"""Updates and their events: what changed within a block is told, and nothing is told if nothing changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stripe_simulator.events import diff
from stripe_simulator.expanding import strip
from stripe_simulator.routes import Object, Request

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator


@contextmanager
def updating(sim: "Simulator", event: str, value: Object) -> Iterator[None]:
    """Emit the event with the old values of what the block changed: `sim.emit` alone tells the whole request."""
    before = strip(value)
    yield
    after = strip(value)
    if after != before:
        sim.emit(event, value, diff(before, after))


def matches(request: Request, value: Object, *names: str) -> bool:
    """Whether an object has the values that a list's parameters ask for."""
    return all(value.get(name) == request.params[name] for name in names if name in request.params)
