"""Alerts that are over without anybody having looked at a value: their window ended, or its limit was taken away."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection, transaction

from metering import notices
from metering.models import Alert, Recovery

PAGE = 1000

END_ALERTS = """
    UPDATE metering_alert SET resolved_at = %s, recovery = 'window_ended'
    FROM (
        SELECT id FROM metering_alert WHERE resolved_at IS NULL AND ends_at <= %s ORDER BY id LIMIT %s
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS over
    WHERE metering_alert.id = over.id
    RETURNING metering_alert.id, state = 'told' AND rule_id IS NOT NULL
"""


def end_alerts(*, at: datetime) -> int:
    """What is in alarm at the end of its window is over, a transaction per page. Returns how many; then finds none.

    Of alerts from before there were rules nobody hears so late.
    """
    count = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(END_ALERTS, [at, at, PAGE])
            rows = cursor.fetchall()
            announce_end([alert_id for alert_id, is_announced in rows if is_announced], at=at)
        count += len(rows)
        if len(rows) < PAGE:
            return count


def end_limits_alerts(limit_ids: Collection[int], *, at: datetime) -> None:
    """These limits are no more: their windows were cut short. Within the caller's transaction."""
    standing = Alert.objects.filter(limit__in=limit_ids, resolved_at=None).order_by("pk")
    rows = list(standing.select_for_update(of=("self",)).values_list("pk", "state"))
    if not rows:
        return
    Alert.objects.filter(pk__in=[pk for pk, _ in rows]).update(resolved_at=at, recovery=Recovery.LIMIT_CHANGED)
    announce_end([pk for pk, state in rows if state == "told"], at=at)


def announce_end(told: Collection[int], *, at: datetime) -> None:
    if told:
        notices.announce(told, occasion="recovered", at=at)
