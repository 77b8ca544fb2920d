"""Alerts and what they are raised by, as they cross the border of metering."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.models import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What something stands at, in its window [start, end): levels of the rules of its kind and unit may be reached.

    `unit` is percent (of `base`; None: there is nothing to be measured by) or absolute. What is not about a meter says
    by `subject` what it is about; an amount of money names its `currency`. `epoch` grows when the base is changed by
    somebody; `value_before` is the value as it was when it did, if that is known. `plan` finds the rules of a plan.
    What `is_final` is too late to be told: `value_before` is then the value at its close. `is_falling`, where it is
    said, asks for rules that go so; `own_levels` are told besides those of the rule.

    The `value` of an anomaly is the number of robust deviations. Of a forecast the `verdict` (alarm, clear, or empty)
    says whether its level holds.
    """

    account_id: int
    kind: str
    unit: str
    start: datetime
    end: datetime
    value: Decimal
    base: Decimal | None = None
    subject: str = ""
    currency: str = ""
    meter_id: int | None = None
    limit_id: int | None = None
    plan: str = ""
    time_zone: str = "UTC"
    epoch: int = 1
    value_before: Decimal | None = None
    verdict: str = ""
    p_hit: Decimal | None = None
    is_final: bool = False
    is_falling: bool | None = None
    own_levels: tuple[Decimal, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertFact:
    """One level that was reached; `used` and `quantity` as seen then.

    `crossed_at` is event time: the start of the hour where usage adds up, else that of the event; `detected_at` is not.
    `unit` is the meter's; `level_unit` says whether the level is percent of the quantity or an absolute number. What is
    not about a meter has none (`meter_id` None, empty names) but a `subject`.
    """

    id: int
    account_id: int
    meter_id: int | None
    meter_key: str
    meter_name: str
    unit: str
    level: Decimal
    used: Decimal
    quantity: Decimal | None
    start: datetime
    end: datetime
    crossed_at: datetime
    detected_at: datetime
    kind: str = "usage"
    level_unit: str = "percent"
    subject: str = ""
    limit_id: int | None = None
    rule_id: int | None = None
    plan: str = ""
    time_zone: str = "UTC"
    epoch: int = 1
    arming: int = 1
    severity: str = "warning"
    p_hit: Decimal | None = None
    cause: str = "usage"
    state: str = "told"
    silence: str = ""
    resolved_at: datetime | None = None
    recovery: str = ""
    reminded_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_standing(self) -> bool:
        return self.resolved_at is None


def state_alert(alert: Alert) -> AlertFact:
    """Wants the alert's meter selected with it."""
    meter = alert.meter
    return AlertFact(
        id=alert.pk,
        account_id=alert.account_id,
        meter_id=alert.meter_id,
        meter_key=meter.key if meter else "",
        meter_name=meter.name if meter else "",
        unit=meter.unit if meter else "",
        level=alert.level,
        used=alert.used,
        quantity=alert.quantity,
        start=alert.starts_at,
        end=alert.ends_at,
        crossed_at=alert.crossed_at,
        detected_at=alert.detected_at,
        kind=str(alert.kind),
        level_unit=str(alert.unit),
        subject=alert.subject,
        limit_id=alert.limit_id,
        rule_id=alert.rule_id,
        plan=alert.plan,
        time_zone=alert.time_zone,
        epoch=alert.epoch,
        arming=alert.arming,
        severity=str(alert.severity),
        p_hit=alert.p_hit,
        cause=str(alert.cause),
        state=str(alert.state),
        silence=str(alert.silence),
        resolved_at=alert.resolved_at,
        recovery=str(alert.recovery),
        reminded_at=alert.reminded_at,
        details=alert.details,
    )


def read_alerts(alert_ids: Collection[int]) -> dict[int, AlertFact]:
    """Those that there are, whatever their state. One query."""
    alerts = Alert.objects.filter(pk__in=alert_ids).select_related("meter")
    return {alert.pk: state_alert(alert) for alert in alerts}
