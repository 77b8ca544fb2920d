"""A figure: what was measured, what the same machine could do at best in the same run, and whether that is enough."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """`ratio` compares `value` with `floor`, round by round; `holds` is whether it is on the right side of `target`."""

    bench: str
    value: float
    unit: str
    floor: float
    ratio: float
    target: float
    holds: bool

    def as_json(self) -> str:
        rounded = {key: float(f"{each:.4g}") if type(each) is float else each for key, each in asdict(self).items()}
        return json.dumps(rounded)


def at_least(bench: str, *, values: list[float], floors: list[float], unit: str, target: float) -> Figure:
    """Rates: the more the better. Round n of `values` was measured beside round n of `floors`."""
    ratio = median(value / floor for value, floor in zip(values, floors, strict=True))
    return Figure(bench, median(values), unit, median(floors), ratio, target, ratio >= target)


def at_most(bench: str, *, values: list[float], floors: list[float], unit: str, target: float) -> Figure:
    """Times: the fewer the better."""
    ratio = median(value / floor for value, floor in zip(values, floors, strict=True))
    return Figure(bench, median(values), unit, median(floors), ratio, target, ratio <= target)


def seconds(act: Callable[[], object]) -> float:
    """How long `act` takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
