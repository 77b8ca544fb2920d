"""What the story tells: facts, and waiting for the worker that makes them true."""

import time
from collections.abc import Callable
from dataclasses import dataclass

PATIENCE_SECONDS = 60  # for the worker


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing the product says, beside what it should say."""

    step: str
    what: str
    found: object
    expected: object

    @property
    def holds(self) -> bool:
        return self.found == self.expected


def show_figure(figure: object) -> str:
    """As a person reads it: yes or no, thousands grouped."""
    match figure:
        case bool():
            return "yes" if figure else "no"
        case int():
            return f"{figure:,}"
        case list():
            return " · ".join(map(show_figure, figure))
        case _:
            return str(figure)


def wait_until(is_done: Callable[[], object]) -> None:
    """Give the worker time; what it did not do by then shows as a fact that does not hold."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done() and time.monotonic() < deadline:
        time.sleep(0.2)
