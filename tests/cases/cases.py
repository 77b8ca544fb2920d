"""Cases as their files hold them, and whether an answer is the one that a case expects."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from metering.numbers import round_number

DATA = Path(__file__).parent / "data"
ROUNDINGS = {"half_up": "round", "up": "ceil", "down": "floor"}  # as the sources call them
HOW_TO_COMPARE = {"places", "rounding"}
FLOAT_PLACES = 15


class MalformedCases(ValueError):
    """A file or a case is not what tests/cases/data/README.md describes."""


@dataclass(frozen=True)
class Case:
    """`given` is the case's input; `expected` names the parts of the answer and what each must be."""

    name: str
    kind: str
    given: dict[str, Any]
    expected: dict[str, Any]


def read_folder(folder: Path) -> list[Case]:
    """Every case of every *.json. Raises MalformedCases, also when there is none."""
    cases = [case for file in sorted(folder.glob("*.json")) for case in read_file(file)]
    if not cases:
        raise MalformedCases(f"{folder} has no case: it needs files *.json of {{'cases': [...]}}.")
    return cases


def read_file(file: Path) -> Iterator[Case]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        for case in content["cases"]:
            # A kind that nothing runs may have other parts; those of the kinds that are run are checked by running.
            # What happens step by step has a timeline in the place of an input.
            given = case.get("input", {"timeline": case["timeline"]} if "timeline" in case else {})
            yield Case(f"{file.stem}:{case['id']}", case["kind"], given, case.get("expected", {}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedCases(f"{file} is no file of cases: {type(error).__name__} {error}.") from error


def find_differences(case: Case, answer: dict[str, Any]) -> list[str]:
    """What the answer has otherwise than the case expects, one sentence each."""
    wanted = {name: value for name, value in case.expected.items() if name not in HOW_TO_COMPARE}
    if not wanted:
        return [f"The case {case.name} expects nothing."]
    differences = []
    for name, value in wanted.items():
        if name not in answer:
            differences.append(f"{case.name} expects {name}, which the kind {case.kind} does not answer.")
        elif not is_same(answer[name], value, case.expected):
            differences.append(f"{case.name}: {name} is {answer[name]}, expected {value}.")
    return differences


def is_same(answer: Any, value: Any, how: dict[str, Any]) -> bool:
    """Whether an answer is the value that the case writes, part by part: a number and a time have many spellings.

    A fraction whose places the case does not tell is compared to as many as it writes, at most the 15 of a float.
    """
    if isinstance(answer, list | tuple) and isinstance(value, list):
        return len(answer) == len(value) and all(map(is_same, answer, value, [how] * len(value)))
    if isinstance(answer, dict) and isinstance(value, dict):
        return answer.keys() == value.keys() and all(is_same(answer[name], value[name], how) for name in value)
    if isinstance(answer, datetime):
        return isinstance(value, str) and answer == datetime.fromisoformat(value)
    number = read_number(value)
    if isinstance(answer, Fraction) and isinstance(number, Decimal) and "places" not in how:
        places = min(FLOAT_PLACES, max(0, -int(number.as_tuple().exponent)))
        return round_number(answer, places) == round_number(number, places)
    return bool(round_answer(read_number(answer), how) == number)


def round_answer(value: Any, expected: dict[str, Any]) -> Any:
    if isinstance(value, bool | str) or not hasattr(value, "as_integer_ratio"):
        return value
    if "places" not in expected:
        return value
    return round_number(value, int(expected["places"]), ROUNDINGS[expected.get("rounding", "half_up")])


def read_number(value: Any) -> Any:
    """A text that is a number, as one; anything else as it is."""
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            return value
        return number if number.is_finite() else value
    return value
