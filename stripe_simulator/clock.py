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
    """The simulator's own time, in unix seconds: frozen, or the real one with what it was moved by."""

    def __init__(self, frozen: int | None = None) -> None:
        self.frozen = frozen
        self.ahead = 0

    def read(self) -> int:
        return int(time.time()) + self.ahead if self.frozen is None else self.frozen

    def set(self, to: int) -> None:
        if self.frozen is None:
            self.ahead = to - int(time.time())
        else:
            self.frozen = to

    def dump(self) -> dict[str, int | None]:
        return {"frozen": self.frozen, "ahead": self.ahead}

    def load(self, held: dict[str, Any]) -> None:
        self.frozen, self.ahead = held["frozen"], held["ahead"]
