"""Time and what is due: the simulator's clock is real or frozen, and a customer's test clock goes before it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Due = Callable[["Simulator", int, dict[str, Any]], None]
DUE: dict[str, Due] = {}
MAIN = ""


def due(name: str) -> Callable[[Due], Due]:
    """Register what `sim.schedule(at, name, payload)` calls when its clock has come there."""

    def register(function: Due) -> Due:
        if name in DUE:
            raise LookupError(f"{name} is due twice")
        DUE[name] = function
        return function

    return register


class Clock:
    """The simulator's own time, in unix seconds."""

    def __init__(self, frozen: int | None = None) -> None:
        self.frozen = frozen

    def read(self) -> int:
        return int(time.time()) if self.frozen is None else self.frozen
