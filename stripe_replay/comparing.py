"""Two sets of answers, step by step: every difference, and where it is."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from stripe_replay.stage import Answer

WORDED = {"message"}  # of errors: Stripe's own words, which it changes as it likes


def compare(ours: Sequence[Answer], theirs: Sequence[Answer]) -> Iterator[str]:
    """One line for each difference; what comes after a step that only one side has is not compared in its scenario."""
    for name in dict.fromkeys([*(each.scenario for each in ours), *(each.scenario for each in theirs)]):
        steps = [[each for each in side if each.scenario == name] for side in (ours, theirs)]
        yield from compare_steps(name, *steps)


def compare_steps(name: str, ours: Sequence[Answer], theirs: Sequence[Answer]) -> Iterator[str]:
    for left, right in zip_longest(ours, theirs):
        if left is None or right is None or left.step != right.step:
            yield f"{name}: {left.step if left else 'nothing'} ≠ {right.step if right else 'nothing'}"
            return
        if left.status != right.status:
            yield f"{name} / {left.step}: status {left.status} ≠ {right.status}"
        yield from (f"{name} / {left.step}: {line}" for line in compare_values(left.body, right.body, ""))


def compare_values(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted((ours.keys() | theirs.keys()) - WORDED):
            if key not in ours or key not in theirs:
                yield f"{path}.{key} only in {'theirs' if key not in ours else 'ours'}"
            else:
                yield from compare_values(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}: {len(ours)} ≠ {len(theirs)} of them"
        for place, pair in enumerate(zip(ours, theirs, strict=False)):
            yield from compare_values(*pair, f"{path}[{place}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} ≠ {theirs!r}"
