"""Which alarms stand, and which of them a person has done something about."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from metering.alerts.facts import AlertFact, state_alert
from metering.models import Alert, Silence


def list_standing(account_ids: Collection[int], *, at: datetime) -> list[AlertFact]:
    """The alarms of these accounts that nothing has cleared, the oldest first. One query.

    Those that were superseded or kept silent as well: a level stands whether it was told or not. What was late never
    stood, and a window that has ended, or was cut before `at` by another plan, takes its alarms with it.
    """
    runs = Q(ends_at__gt=at) & (Q(limit=None) | Q(limit__ends_at__gt=at))
    alerts = Alert.objects.filter(runs, account_id__in=account_ids, resolved_at=None).exclude(silence=Silence.LATE)
    return [state_alert(alert) for alert in alerts.select_related("meter").order_by("pk")]


def mark_acted_on(alert_ids: Collection[int], *, at: datetime) -> int:
    """A person did something about these alerts. The first time is kept; returns of how many this was the first."""
    return Alert.objects.filter(pk__in=alert_ids, acted_on_at=None).update(acted_on_at=at)
