"""Handing alerts out: to sales, each once, and to whoever lists them."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from metering.alerts.facts import AlertFact, state_alert
from metering.models import Alert, AlertState

IS_FOR_SALES = Q(rule=None) | Q(rule__tells_rep=True)


def claim_alerts(*, at: datetime, limit: int = 100) -> list[AlertFact]:
    """Hand out up to `limit` alerts nobody has taken, oldest first, and mark them taken in the caller's transaction.

    Of every kind, but only what is told, and told to sales by its rule; two callers never get the same one.
    """
    free = Alert.objects.filter(IS_FOR_SALES, claimed_at=None, state=AlertState.TOLD).order_by("pk")
    ids = list(free.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:limit])
    Alert.objects.filter(pk__in=ids).update(claimed_at=at)
    return [state_alert(alert) for alert in Alert.objects.filter(pk__in=ids).select_related("meter").order_by("pk")]


def list_alerts(account_ids: Collection[int]) -> list[AlertFact]:
    """Every alert of these accounts that was told, the latest first."""
    alerts = Alert.objects.filter(account_id__in=account_ids, state=AlertState.TOLD).select_related("meter")
    return [state_alert(alert) for alert in alerts.order_by("-detected_at", "-pk")]
