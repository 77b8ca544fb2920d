"""The rules that are switched on, as the database has them, and what follows when one is changed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import transaction
from django.db.models import Q, Value

from jobs import queue
from metering.alerts.terms import Rule, build_ladder
from metering.locks import hold_accounts, hold_limits_for_change
from metering.models import AlertRule, Direction, Limit

APPLY = "metering.apply_rules"
PAGE = 1000

RULE_FIELDS = (
    "id", "kind", "unit", "direction", "account_id", "plan", "meter_id", "currency", "repeat_step", "rearm_points",
    "renotify_hours", "p_on", "p_off", "confirmations", "min_days",
)  # fmt: skip


def read_rules(
    kinds: Collection[str], *, account_ids: Collection[int] | None = None, rule_set_id: int | None = None
) -> list[Rule]:
    """The enabled rules of the live set (or the one named) that may hold for these accounts. One statement.

    Without `account_ids` those of every account. Read for each call: whatever is changed holds at once everywhere.
    """
    found = AlertRule.objects.filter(kind__in=kinds, is_enabled=True)
    found = found.filter(rule_set__is_live=True) if rule_set_id is None else found.filter(rule_set=rule_set_id)
    if account_ids is not None:
        found = found.filter(Q(account=None) | Q(account__in=account_ids))
    levels = found.only(*RULE_FIELDS).annotate(
        level_numbers=aggregate_levels("level"), level_severities=aggregate_levels("severity")
    )
    return [state_rule(rule) for rule in levels.order_by("pk")]


def aggregate_levels(column: str) -> ArrayAgg:
    return ArrayAgg(f"levels__{column}", filter=Q(levels__isnull=False), order_by="levels__level", default=Value([]))


def state_rule(rule: Any) -> Rule:
    """A row with its levels beside it."""
    severities = dict(zip(rule.level_numbers, rule.level_severities, strict=True))
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


class Scope(NamedTuple):
    """Whom a rule is for: an account or a plan, and a meter; without any of these everybody."""

    account_id: int | None = None
    plan: str = ""
    meter_id: int | None = None


def state_scope(rule: AlertRule) -> Scope:
    return Scope(rule.account_id, rule.plan, rule.meter_id)


def apply_change(scopes: Collection[Scope], *, at: datetime) -> None:
    """Rules for these were made, changed or taken away: promise that their limits are looked at again.

    In the caller's transaction. What a rule is for before and after is a scope each. Rules of other things than limits
    hold from the next observation on.
    """
    for scope in set(scopes):
        queue.enqueue(APPLY, uuid4().hex, scope._asdict(), at=at)


def mark_limits(scope: Scope, *, at: datetime) -> int:
    """Let the next check look at every open limit of the scope. Returns how many; done twice, it does no harm.

    A transaction per page, so that ingestion waits for one at most.
    """
    count, last = 0, 0
    open_limits = Limit.objects.filter(closed_at=None, ends_at__gt=at)
    if scope.account_id is not None:
        open_limits = open_limits.filter(account=scope.account_id)
    if scope.plan:
        open_limits = open_limits.filter(plan=scope.plan)
    if scope.meter_id is not None:
        open_limits = open_limits.filter(meter=scope.meter_id)
    while True:
        page = list(open_limits.filter(pk__gt=last).order_by("pk").values_list("pk", "account_id")[:PAGE])
        if not page:
            return count
        with transaction.atomic():
            hold_limits_for_change()
            hold_accounts({account_id for _, account_id in page})
            count += Limit.objects.filter(pk__in=[pk for pk, _ in page]).update(needs_check=True)
        last = page[-1][0]
