"""Which rules are tried: a set of the database, by its name, or one that a file describes.

Of a limit's window only what looks at usage can be replayed: rules on usage and on forecasts. The others are named, so
that nobody takes their silence for an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from metering.alerts.rules import read_rules
from metering.alerts.terms import PERCENT, WARNING, Rule, build_ladder
from metering.models import Account, AlertKind, AlertRule, Direction, LevelUnit, Meter, RuleSet, Severity

REPLAYED = (AlertKind.USAGE, AlertKind.FORECAST)
FORECAST_LEVEL = {"100": WARNING}
FIELDS = {
    "name", "kind", "unit", "direction", "levels", "repeat_every", "rearm_points", "renotify_hours", "account", "plan",
    "meter", "alarm_from", "clear_at", "runs", "days_of_data", "tells_sales",
}  # fmt: skip


class UnknownRuleSet(LookupError):
    """There is no rule set of this name, or none is live."""


class BrokenRules(ValueError):
    """What a file says is no rules."""


@dataclass(frozen=True, slots=True)
class TrialRule:
    """A rule with its name, and whether it tells sales: only what does makes leads."""

    name: str
    rule: Rule
    tells_rep: bool = True


@dataclass(frozen=True, slots=True)
class TrialSet:
    """`left_out` are the kinds of its rules that no history can be asked for."""

    name: str
    rules: tuple[TrialRule, ...]
    left_out: tuple[str, ...] = ()


def list_rule_sets() -> list[str]:
    return list(RuleSet.objects.order_by("name").values_list("name", flat=True))


def read_live_set() -> TrialSet:
    """Raises UnknownRuleSet when none is live."""
    found = RuleSet.objects.filter(is_live=True).first()
    if found is None:
        raise UnknownRuleSet(_("No rule set is live."))
    return state_set(found)


def read_rule_set(name: str) -> TrialSet:
    """Raises UnknownRuleSet."""
    found = RuleSet.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(list_rule_sets())
        raise UnknownRuleSet(
            format_lazy(_("No rule set is called {name}. There are: {known}."), name=repr(name), known=known or "–")
        )
    return state_set(found)


def state_set(rule_set: RuleSet) -> TrialSet:
    enabled = AlertRule.objects.filter(rule_set=rule_set, is_enabled=True)
    known = {pk: (name, tells_rep) for pk, name, tells_rep in enabled.values_list("pk", "name", "tells_rep")}
    rules = read_rules(REPLAYED, rule_set_id=rule_set.pk)
    left_out = enabled.exclude(kind__in=REPLAYED).order_by("kind").values_list("kind", flat=True).distinct()
    return TrialSet(
        rule_set.name, tuple(TrialRule(*known[rule.id][:1], rule, known[rule.id][1]) for rule in rules), tuple(left_out)
    )


def parse_rules(name: str, described: object) -> TrialSet:
    """Rules as JSON has them: a list of objects, each with a name, a kind, and whatever else differs from a new rule.

    `levels` is an object of levels and their severities, or a list of levels. Raises BrokenRules, which says where.
    """
    if not isinstance(described, list) or not described:
        raise BrokenRules("Rules are a list of objects, one for each rule.")
    return TrialSet(name, tuple(parse_rule(number, each) for number, each in enumerate(described, start=1)))


def parse_rule(number: int, described: object) -> TrialRule:
    if not isinstance(described, dict):
        raise BrokenRules(f"Rule {number} is no object.")
    unknown = sorted(described.keys() - FIELDS)
    if unknown:
        raise BrokenRules(f"Rule {number} has {unknown[0]!r}, which no rule has. Known: {', '.join(sorted(FIELDS))}.")
    try:
        return build_rule(number, described)
    except (KeyError, TypeError, ValueError, InvalidOperation, LookupError) as error:
        raise BrokenRules(f"Rule {number} cannot be read: {error}") from error


def build_rule(number: int, described: Mapping[str, Any]) -> TrialRule:
    kind = choose(described.get("kind"), [str(each) for each in REPLAYED], "kind")
    unit = choose(described.get("unit", PERCENT), LevelUnit.values, "unit")
    direction = choose(described.get("direction", Direction.RISING), Direction.values, "direction")
    levels = parse_levels(described.get("levels", FORECAST_LEVEL if kind == AlertKind.FORECAST else {}))
    if not levels:
        raise BrokenRules("it has no levels")
    step = described.get("repeat_every")
    rule = Rule(
        id=-number,  # of no rule in the database
        kind=kind,
        unit=unit,
        ladder=build_ladder(
            list(levels),
            unit=unit,
            step=None if step is None else parse_number(step),
            is_falling=direction == Direction.FALLING,
        ),
        severities=levels,
        rearm_points=parse_number(described.get("rearm_points", 5)),
        renotify_hours=int(described.get("renotify_hours", 24)),
        account_id=find_id(Account, described.get("account")),
        plan=str(described.get("plan", "")),
        meter_id=find_id(Meter, described.get("meter")),
        p_on=parse_number(described.get("alarm_from", "0.8")),
        p_off=parse_number(described.get("clear_at", "0.5")),
        confirmations=int(described.get("runs", 2)),
        min_days=int(described.get("days_of_data", 7)),
    )
    if not 0 <= rule.p_off < rule.p_on <= 1 or rule.confirmations < 1:
        raise BrokenRules("its chances are not in order: 0 ≤ clear_at < alarm_from ≤ 1, and at least one run")
    return TrialRule(str(described["name"]), rule, bool(described.get("tells_sales", True)))


def parse_levels(levels: object) -> dict[Decimal, str]:
    pairs: Sequence[tuple[object, str]]
    if isinstance(levels, dict):
        pairs = [(level, choose(severity, Severity.values, "severity")) for level, severity in levels.items()]
    elif isinstance(levels, list):
        pairs = [(level, WARNING) for level in levels]
    else:
        raise BrokenRules("levels are an object or a list")
    return {parse_number(level): severity for level, severity in pairs}


def parse_number(number: object) -> Decimal:
    found = Decimal(str(number))
    if not found.is_finite() or found < 0:
        raise BrokenRules(f"{number!r} is no number from zero on")
    return found


def choose(value: object, known: Sequence[str], what: str) -> str:
    if value not in known:
        raise BrokenRules(f"its {what} is {value!r}, and not one of {', '.join(known)}")
    return str(value)


def find_id(model: type[Account] | type[Meter], key: object) -> int | None:
    if key is None:
        return None
    found = model.objects.filter(key=str(key)).first()
    if found is None:
        raise BrokenRules(f"there is no {model._meta.verbose_name} {key!r}")
    return int(found.pk)
