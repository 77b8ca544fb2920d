"""The rules that are switched on, as the database has them, and what follows when one is changed."""

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal

from django.db.models import Q

from metering.alerts.terms import Rule, build_ladder
from metering.models import AlertLevel, AlertRule, Direction

RULE_FIELDS = (
    "id", "kind", "unit", "direction", "account_id", "plan", "meter_id", "currency", "repeat_step", "rearm_points",
    "renotify_hours", "p_on", "p_off", "confirmations", "min_days",
)  # fmt: skip


def read_rules(
    kinds: Collection[str], *, account_ids: Collection[int] | None = None, rule_set_id: int | None = None
) -> list[Rule]:
    """The enabled rules of the live set (or the one named) that may hold for these accounts. Two statements.

    Without `account_ids` those of every account. Read for each call: whatever is changed holds at once everywhere.
    """
    found = AlertRule.objects.filter(kind__in=kinds, is_enabled=True)
    found = found.filter(rule_set__is_live=True) if rule_set_id is None else found.filter(rule_set=rule_set_id)
    if account_ids is not None:
        found = found.filter(Q(account=None) | Q(account__in=account_ids))
    rules = list(found.only(*RULE_FIELDS).order_by("pk"))
    levels: defaultdict[int, dict[Decimal, str]] = defaultdict(dict)
    for rule_id, level, severity in AlertLevel.objects.filter(rule__in=rules).values_list("rule", "level", "severity"):
        levels[rule_id][level] = severity
    return [state_rule(rule, levels[rule.pk]) for rule in rules]


def state_rule(rule: AlertRule, severities: dict[Decimal, str]) -> Rule:
    is_falling = rule.direction == Direction.FALLING
    return Rule(
        id=rule.pk,
        kind=rule.kind,
        unit=rule.unit,
        ladder=build_ladder(list(severities), unit=rule.unit, step=rule.repeat_step, is_falling=is_falling),
        severities=severities,
        rearm_points=rule.rearm_points,
        renotify_hours=rule.renotify_hours,
        account_id=rule.account_id,
        plan=rule.plan,
        meter_id=rule.meter_id,
        currency=rule.currency,
        p_on=rule.p_on,
        p_off=rule.p_off,
        confirmations=rule.confirmations,
        min_days=rule.min_days,
    )


def list_live_kinds() -> set[str]:
    """The kinds of which an enabled rule of the live set may speak; of others nobody need look."""
    return set(AlertRule.objects.filter(rule_set__is_live=True, is_enabled=True).values_list("kind", flat=True))
