"""What a rule says, and which rule holds for whom. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from metering.alerts.levels import CAP, Ladder, find_next, is_beyond, level_quantity

USAGE, FORECAST = "usage", "forecast"
PERCENT, ABSOLUTE = "percent", "absolute"
INFO, WARNING, CRITICAL = "info", "warning", "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as it stands; `severities` by level, beyond the outermost that of the outermost.

    An empty plan or currency, and no account or meter, are for all of them.
    """

    id: int
    kind: str
    unit: str
    ladder: Ladder
    severities: Mapping[Decimal, str] = field(default_factory=dict)
    rearm_points: Decimal = Decimal(5)
    renotify_hours: int = 24
    account_id: int | None = None
    plan: str = ""
    meter_id: int | None = None
    currency: str = ""
    p_on: Decimal = Decimal("0.8")
    p_off: Decimal = Decimal("0.5")
    confirmations: int = 2
    min_days: int = 7

    def add_levels(self, own: Sequence[Decimal]) -> "Rule":
        """With levels of whom it is about: each as severe as the level of the rule before it, or else information."""
        new = [level for level in own if level not in self.severities]
        severities = {level: self.find_severity_before(level) for level in new}
        return replace(self, ladder=replace(self.ladder, own=tuple(new)), severities={**self.severities, **severities})

    def find_severity_before(self, level: Decimal) -> str:
        passed = [each for each in self.ladder.levels if is_beyond(level, each, self.ladder)]
        return (
            self.severities[max(passed, key=lambda each: -each if self.ladder.is_falling else each)] if passed else INFO
        )

    def find_severity(self, level: Decimal) -> str:
        return self.severities.get(level) or self.severities.get(self.ladder.outermost, WARNING)


def build_ladder(levels: Sequence[Decimal], *, unit: str, step: Decimal | None, is_falling: bool) -> Ladder:
    """Percent recurs up to 1000 and down to nothing; a quantity without end."""
    bound = (Decimal(0) if is_falling else CAP) if unit == PERCENT else None
    return Ladder(tuple(sorted(levels)), step, is_falling, bound)


def find_rule(
    rules: Sequence[Rule],
    *,
    kind: str,
    unit: str,
    account_id: int,
    plan: str = "",
    meter_id: int | None = None,
    currency: str = "",
    is_falling: bool | None = None,
) -> Rule | None:
    """Of the rules of one kind and unit the closest: the account's, else its plan's, else that for everybody.

    Among these one for the meter comes before one for all, one for the currency likewise; at last the older one. Where
    it is said whether it falls, only rules that go so.
    """
    fitting = [
        rule
        for rule in rules
        if (rule.kind, rule.unit) == (kind, unit)
        and rule.account_id in (None, account_id)
        and rule.plan in ("", plan)
        and rule.meter_id in (None, meter_id)
        and rule.currency in ("", currency)
        and is_falling in (None, rule.ladder.is_falling)
    ]
    return min(fitting, key=measure_distance, default=None)


def measure_distance(rule: Rule) -> tuple[int, bool, bool, int]:
    scope = 0 if rule.account_id is not None else 1 if rule.plan else 2
    return scope, rule.meter_id is None, not rule.currency, rule.id


def find_next_total(rule: Rule, quantity: Decimal | None, *, beyond: Decimal | None = None) -> Decimal | None:
    """The lowest total at which the rule speaks beyond a level, of a limit of `quantity`; None if it does not."""
    level = find_next(rule.ladder, beyond=beyond)
    if level is None or rule.unit == ABSOLUTE:
        return level
    if quantity is None or (quantity == 0 and level > 100):
        return None
    return level_quantity(level, quantity)
