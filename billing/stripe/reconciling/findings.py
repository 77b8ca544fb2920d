"""What a look may find, and where it looks."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from billing.models import DriftState, StripeDrift

PAIR = re.compile(r"(\d+)[ /](\d+)")


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that happened in [since, at), of one account or of all, and whatever is known to differ."""

    at: datetime
    since: datetime
    account_id: int | None = None

    def list_open(self, *kinds: str) -> list[str]:
        """What open drifts of these kinds are about: each look sees whether they are still there."""
        drifts = StripeDrift.objects.filter(kind__in=kinds, state=DriftState.OPEN)
        if self.account_id is not None:
            drifts = drifts.filter(account_id=self.account_id)
        return list(drifts.values_list("key", flat=True))


@dataclass(frozen=True, slots=True)
class Finding:
    """Two figures that differ, as `drifts.open_drift` takes them; `difference_minor` is ours − theirs."""

    kind: str
    key: str
    account_id: int | None
    ours: str
    theirs: str
    cause: str
    difference_minor: int | None = None
    currency: str = ""


@dataclass(slots=True)
class Looked:
    """What was found, and all that was looked at: (kind, key). What was looked at and not found agrees."""

    findings: list[Finding] = field(default_factory=list)
    checked: set[tuple[str, str]] = field(default_factory=set)

    def check(self, key: str, *kinds: str) -> None:
        self.checked |= {(kind, key) for kind in kinds}

    def check_all(self, keys: Iterable[str], *kinds: str) -> None:
        for key in keys:
            self.check(key, *kinds)


def write_quantity(quantity: Decimal) -> str:
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_pairs(keys: Collection[str]) -> list[tuple[int, int]]:
    """Those keys that are made of two ids, of a period and a meter."""
    found = [PAIR.fullmatch(key) for key in keys]
    return [(int(match[1]), int(match[2])) for match in found if match]
