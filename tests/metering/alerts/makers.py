"""Rules and levels for the tests of alerts, and of what is above them."""

from typing import Any

from metering.models import AlertLevel, AlertRule, RuleSet


def make_rule(kind: str, *levels: int, unit: str = "absolute", **terms: Any) -> AlertRule:
    """A rule of the live set beside those that a new installation has."""
    live = RuleSet.objects.get(is_live=True)
    name = f"{kind} {unit} {sorted(terms.items())}"
    rule = AlertRule.objects.create(rule_set=live, name=name, kind=kind, unit=unit, **terms)
    AlertLevel.objects.bulk_create(AlertLevel(rule=rule, level=level) for level in levels)
    return rule
