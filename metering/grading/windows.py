"""Grading: when a window has ended, what was said of it is compared with what came. Once, and never again.

A window is due when its period is final, or ALERT_GRADING_DAYS after its end where nobody closed it; one that a change
of the plan cut short when it would have been. Alerts and forecasts are graded by the quantity and the window that they
saw: an upgrade makes no warning a wrong one that would have come true.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

from django.conf import settings
from django.db import connection, transaction

from metering.grading.reaching import Stake, Whole, find_reached_at, find_stakes, find_whole, list_ids
from metering.locks import hold_limits_for_change
from metering.models import Limit

BATCH = 100  # windows in a transaction; each may have some hundred forecasts
STRAY_BATCH = 1_000

TAKE_DUE: LiteralString = """
    SELECT id FROM metering_limit l
    WHERE graded_at IS NULL AND ends_at <= %s AND (
        was_to_end_at IS NULL AND closed_at IS NOT NULL
        OR coalesce(was_to_end_at, ends_at) <= %s
        OR was_to_end_at <= %s AND closed_at IS NOT NULL AND EXISTS (
            SELECT FROM metering_limit n
            WHERE (n.account_id, n.meter_id, n.ends_at) = (l.account_id, l.meter_id, l.was_to_end_at)
                AND n.closed_at IS NOT NULL
        )
    )
    ORDER BY ends_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""

GRADE_LIMITS: LiteralString = """
    UPDATE metering_limit l
    SET graded_at = %s, reached_at = stake.reached_at, was_reached =
        CASE WHEN l.quantity IS NOT NULL THEN stake.reached_at IS NOT NULL END
    FROM unnest(%s::bigint[]) AS due (id)
    LEFT JOIN (
        metering_limit own JOIN unnest(%s::bigint[], %s::numeric[], %s::timestamptz[])
            AS stake (limit_id, quantity, reached_at) ON (stake.limit_id, stake.quantity) = (own.id, own.quantity)
    ) ON own.id = due.id
    WHERE l.id = due.id
"""

# Whoever claims an alert or marks it as acted on may hold it: it is left, and graded as a stray by the next run.
GRADE_ALERTS: LiteralString = """
    WITH held AS MATERIALIZED (
        SELECT id FROM metering_alert WHERE limit_id = ANY(%s::bigint[]) AND graded_at IS NULL
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ), graded AS (
        SELECT a.id, stake.reached_at, CASE
            WHEN a.kind NOT IN ('usage', 'forecast') OR stake.limit_id IS NULL THEN 'not_graded'
            WHEN stake.reached_at IS NOT NULL THEN 'reached'
            WHEN a.limit_id = ANY(%s::bigint[]) THEN 'not_graded' ELSE 'not_reached' END AS outcome
        FROM held JOIN metering_alert a ON a.id = held.id JOIN metering_limit l ON l.id = a.limit_id
        LEFT JOIN unnest(%s::bigint[], %s::numeric[], %s::timestamptz[]) AS stake (limit_id, quantity, reached_at)
            ON (stake.limit_id, stake.quantity) = (l.id, coalesce(a.quantity, l.quantity))
    )
    UPDATE metering_alert a
    SET graded_at = %s, outcome = graded.outcome,
        reached_at = CASE WHEN graded.outcome = 'reached' THEN graded.reached_at END
    FROM graded WHERE a.id = graded.id
"""

GRADE_FORECASTS: LiteralString = """
    UPDATE metering_forecast f
    SET graded_at = %s, closing_total = coalesce(whole.total, l.used_at_close, l.used), reached_at = stake.reached_at,
        was_reached = CASE WHEN stake.reached_at IS NOT NULL THEN true
            WHEN f.quantity IS NOT NULL AND f.limit_id <> ALL(%s::bigint[]) THEN false END
    FROM metering_forecast own JOIN metering_limit l ON l.id = own.limit_id
    LEFT JOIN unnest(%s::bigint[], %s::numeric[]) AS whole (limit_id, total) ON whole.limit_id = own.limit_id
    LEFT JOIN unnest(%s::bigint[], %s::numeric[], %s::timestamptz[]) AS stake (limit_id, quantity, reached_at)
        ON (stake.limit_id, stake.quantity) = (own.limit_id, own.quantity)
    WHERE f.id = own.id AND own.limit_id = ANY(%s::bigint[]) AND own.graded_at IS NULL
"""

# What was said of no limit, and what was said of one after it was graded, which can only be of late usage.
GRADE_STRAYS: LiteralString = """
    WITH held AS MATERIALIZED (
        SELECT a.id FROM metering_alert a LEFT JOIN metering_limit l ON l.id = a.limit_id
        WHERE a.graded_at IS NULL AND a.ends_at <= %s AND (l.graded_at IS NOT NULL OR l.id IS NULL AND a.ends_at <= %s)
        ORDER BY a.id LIMIT %s FOR NO KEY UPDATE OF a SKIP LOCKED
    ), graded AS (
        SELECT a.id, l.reached_at, CASE
            WHEN a.kind NOT IN ('usage', 'forecast') OR l.was_reached IS NULL THEN 'not_graded'
            WHEN l.was_reached THEN 'reached' ELSE 'not_reached' END AS outcome
        FROM held JOIN metering_alert a ON a.id = held.id LEFT JOIN metering_limit l ON l.id = a.limit_id
    )
    UPDATE metering_alert a
    SET graded_at = %s, outcome = graded.outcome,
        reached_at = CASE WHEN graded.outcome = 'reached' THEN graded.reached_at END
    FROM graded WHERE a.id = graded.id
"""


def grade_windows(*, at: datetime, batch: int = BATCH) -> int:
    """Grade the windows that are due, with their alerts and forecasts; returns how many. A second call finds none.

    A transaction per batch, in a fixed number of statements: killed, it has graded whole windows; beside itself, each
    window is graded by one of the two.
    """
    graded = 0
    while count := grade_batch(at=at, batch=batch):
        graded += count
    while grade_strays(at=at):
        pass
    return graded


@transaction.atomic
def grade_batch(*, at: datetime, batch: int) -> int:
    hold_limits_for_change()
    limits = take_due(at=at, batch=batch)
    if limits:
        reached = find_reached_at(limits, find_stakes(limits))
        grade_limits(limits, reached, find_whole(limits, reached), at=at)
    return len(limits)


def take_due(*, at: datetime, batch: int) -> list[Limit]:
    """Lock the next windows that are due, the earliest ended first; what another transaction holds waits."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_DUE, [at, find_cutoff(at), at, batch])
        ids = [limit_id for (limit_id,) in cursor.fetchall()]
    return list(Limit.objects.filter(pk__in=ids)) if ids else []


def find_cutoff(at: datetime) -> datetime:
    """What ended before is graded, closed or not."""
    return at - timedelta(days=settings.ALERT_GRADING_DAYS)


def grade_limits(
    limits: Sequence[Limit], reached: Mapping[Stake, datetime | None], whole: Whole, *, at: datetime
) -> None:
    ids, moot = list_ids(limits), list(whole.moot)
    stakes = list_columns({**reached, **whole.reached})
    with connection.cursor() as cursor:
        cursor.execute(GRADE_LIMITS, [at, ids, *list_columns(reached)])
        cursor.execute(GRADE_ALERTS, [ids, moot, *stakes, at])
        cursor.execute(GRADE_FORECASTS, [at, moot, list(whole.totals), list(whole.totals.values()), *stakes, ids])


def list_columns(reached: Mapping[Stake, datetime | None]) -> list[list[Any]]:
    return [[limit_id for limit_id, _ in reached], [quantity for _, quantity in reached], list(reached.values())]


@transaction.atomic
def grade_strays(*, at: datetime, batch: int = STRAY_BATCH) -> int:
    """Grade what is left of alerts whose windows are over; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(GRADE_STRAYS, [at, find_cutoff(at), batch, at])
        return int(cursor.rowcount)
