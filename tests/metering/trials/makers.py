"""Rules to try, and windows of November 2026 that are described by what had been used when."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.trials.rule_sets import TrialSet, parse_rules
from metering.trials.windows import AccountName, Allowed, TriedWindow, Used
from tests.metering.grading.makers import DECEMBER, NOVEMBER

USUAL = [
    {"name": "Usage", "kind": "usage", "levels": {"80": "warning", "100": "critical"}, "repeat_every": 25},
    {"name": "Forecast", "kind": "forecast"},
]


def make_set(name: str = "tried", rules: Sequence[dict[str, Any]] = USUAL) -> TrialSet:
    return parse_rules(name, list(rules))


def make_tried(
    *used: tuple[datetime, Any], quantity: Any = 100, changes: Sequence[tuple[datetime, Any]] = (), **values: Any
) -> TriedWindow:
    """`used` says what had been used by when; `changes` of the quantity each begin an epoch."""
    allowed = [Allowed(NOVEMBER, 1, None if quantity is None else Decimal(quantity))]
    for epoch, (at, changed) in enumerate(changes, start=2):
        allowed.append(Allowed(at, epoch, None if changed is None else Decimal(changed)))
    values = {
        "limit_id": 1,
        "account": AccountName(1, "acme", "Acme"),
        "meter_id": 1,
        "meter_key": "requests",
        "meter_name": "Requests",
        "unit": "request",
        "aggregation": "count",
        "carries_over": False,
        "plan": "",
        "start": NOVEMBER,
        "end": DECEMBER,
        "whole_end": DECEMBER,
        **values,
    }
    return TriedWindow(allowed=tuple(allowed), used=tuple(Used(at, Decimal(total)) for at, total in used), **values)
