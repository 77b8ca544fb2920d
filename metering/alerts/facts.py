"""An alert as it crosses the border of metering."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from metering.models import Alert


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
    details: dict[str, Any] = field(default_factory=dict)


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
