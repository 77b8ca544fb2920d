"""The kinds of cases: each has one function, from a case's input to the parts of the product's answer."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cases.cases import Case

Run = Callable[[dict[str, Any]], dict[str, Any]]

RUNS: dict[str, Run] = {}


def runs(kind: str) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        RUNS[kind] = run
        return run

    return register


def find_run(case: Case) -> Run:
    """Fails the test when nothing runs the kind: a case that is not run must not look as if it held."""
    if case.kind not in RUNS:
        pytest.fail(f"{case.name} is of kind {case.kind!r}, which nothing here runs; known are {', '.join(RUNS)}.")
    return RUNS[case.kind]
