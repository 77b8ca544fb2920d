"""Customers whose bill is easy to tell: ten euros for being there, and one for each request."""

from decimal import Decimal

from billing.rating import flat_fee, per_unit
from metering.alerts import AlertFact, list_alerts
from metering.models import AlertLevel, AlertRule, RuleSet
from tests.billing.makers import make_plan, make_subscription

EURO_EACH = [flat_fee("Base fee", Decimal(10)), per_unit("Requests", meter_key="requests", unit_amount=Decimal(1))]


def make_customers(*keys, time_zone="UTC", **terms):
    """The ids of their accounts."""
    plan = make_plan("euro", **{"prices": EURO_EACH, "limits": []} | terms)
    return [make_subscription(key, plan=plan, time_zone=time_zone).account_id for key in keys]


def make_rule(kind, *levels, unit="absolute", **terms):
    rule = AlertRule.objects.create(
        rule_set=RuleSet.objects.get(is_live=True), name=f"{kind} {levels} {unit}", kind=kind, unit=unit, **terms
    )
    AlertLevel.objects.bulk_create(AlertLevel(rule=rule, level=level) for level in levels)
    return rule


def list_told(account_id, kind) -> list[AlertFact]:
    """The oldest first."""
    return [fact for fact in reversed(list_alerts([account_id])) if fact.kind == kind]


def list_levels(account_id, kind):
    return [int(fact.level) for fact in list_told(account_id, kind)]
