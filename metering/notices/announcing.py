"""Promising that somebody will be told: a notice for each audience of an alert, in the transaction of its cause."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection

from jobs import queue
from metering.calendars import find_time_zone
from metering.models import Alert, AlertRule, Audience, Digest, NoticeState, Occasion, Severity
from metering.notices.times import find_digest_time, find_quiet_end
from metering.notices.waking import wake

TELL = "metering.tell"
NOTICES_A_JOB = 100

INSERT_NOTICES = """
    INSERT INTO metering_notice (account_id, alert_id, audience, occasion, state, digest, made_at, due_at, decided_at)
    SELECT account_id, alert_id, audience, %(occasion)s, state, digest, %(at)s, due_at,
        CASE WHEN state = 'waiting' THEN NULL ELSE %(at)s END
    FROM unnest(%(accounts)s::bigint[], %(alerts)s::bigint[], %(audiences)s::text[], %(states)s::text[],
        %(digests)s::text[], %(dues)s::timestamptz[])
        AS wanted (account_id, alert_id, audience, state, digest, due_at)
    ORDER BY alert_id, audience
    ON CONFLICT DO NOTHING
    RETURNING id, audience, state, due_at
"""


def announce(alert_ids: Collection[int], *, occasion: str, at: datetime) -> int:
    """Promise that each audience hears of these alerts, in the caller's transaction. How many notices are new.

    `occasion` is raised, reminded or recovered; each is announced once per alert, whoever calls and how often. An
    audience that the rule does not tell gets its notice too, which says so. Two statements, one for each hundred
    notices, which a job tells that are due together, and one for each app above that begins at once.
    """
    alerts = list(Alert.objects.filter(pk__in=alert_ids).select_related("rule").order_by("pk"))
    if not alerts:
        return 0
    wanted = [(alert, audience) for alert in alerts for audience in (Audience.MEMBERS, Audience.REP, Audience.WEBHOOK)]
    values: dict[str, Any] = {
        "occasion": Occasion(occasion).value,
        "at": at,
        "accounts": [alert.account_id for alert, _ in wanted],
        "alerts": [alert.pk for alert, _ in wanted],
        "audiences": [audience.value for _, audience in wanted],
        "states": [find_state(alert, audience, occasion).value for alert, audience in wanted],
        "digests": [find_digest(alert.rule, audience) for alert, audience in wanted],
        "dues": [find_due(alert, audience, at=at) for alert, audience in wanted],
    }
    with connection.cursor() as cursor:
        cursor.execute(INSERT_NOTICES, values)
        rows = cursor.fetchall()
    if rows and occasion == Occasion.RAISED:
        wake([alert.pk for alert in alerts], at=at)  # first: whoever tells sales wants to know whose the account is
    enqueue_telling([(pk, audience, due_at) for pk, audience, state, due_at in rows if state == "waiting"], at=at)
    return len(rows)


def enqueue_telling(notices: Collection[tuple[int, str, datetime]], *, at: datetime) -> None:
    """A job for each hundred notices of one audience that are due together, under the name of its first."""
    groups: defaultdict[tuple[str, datetime], list[int]] = defaultdict(list)
    for pk, audience, due_at in notices:
        groups[audience, due_at].append(pk)
    for (_audience, due_at), ids in groups.items():
        for start in range(0, len(ids), NOTICES_A_JOB):
            batch = ids[start : start + NOTICES_A_JOB]
            queue.enqueue(TELL, str(batch[0]), {"notices": batch}, at=at, run_at=due_at)


def find_state(alert: Alert, audience: str, occasion: str) -> NoticeState:
    """People are not told that a window ended: it did so for everybody. Without a rule everyone is told."""
    if occasion == Occasion.RECOVERED and alert.recovery == "window_ended" and audience != Audience.WEBHOOK:
        return NoticeState.NOBODY
    rule = alert.rule
    is_told = (
        rule is None
        or {
            Audience.REP: rule.tells_rep,
            Audience.MEMBERS: rule.tells_members,
            Audience.WEBHOOK: rule.tells_webhook,
        }[Audience(audience)]
    )
    return NoticeState.WAITING if is_told else NoticeState.NOBODY


def find_digest(rule: AlertRule | None, audience: str) -> str:
    """Systems are told at once: they neither sleep nor read digests."""
    return Digest.NONE.value if rule is None or audience == Audience.WEBHOOK else rule.digest


def find_due(alert: Alert, audience: str, *, at: datetime) -> datetime:
    """When it may be told: with its digest, then after quiet hours, by the account's clock. What is critical speaks
    in quiet hours too.
    """
    rule = alert.rule
    if rule is None or audience == Audience.WEBHOOK:
        return at
    zone = find_time_zone(alert.time_zone)
    due_at = find_digest_time(rule.digest, at=at, zone=zone)
    if rule.quiet_from is None or rule.quiet_until is None or alert.severity == Severity.CRITICAL:
        return due_at
    return find_quiet_end(due_at, quiet_from=rule.quiet_from, quiet_until=rule.quiet_until, zone=zone)
