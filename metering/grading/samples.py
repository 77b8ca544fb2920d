"""What there is to score of windows that were graded: their alerts, their forecasts, and how strong these were.

Every function is one statement, whatever the number of windows.
"""

# ruff: noqa: S608  (the statements are put together from constants alone)

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import LiteralString, NamedTuple

from django.db import connection

from metering.grading.scores import Expected, Told, Verdict, Watched

CHUNK = 2_000

READ_WINDOWS: LiteralString = """
    SELECT l.id, l.epoch, l.meter_id, m.key, m.name, l.was_reached
    FROM metering_limit l JOIN metering_meter m ON m.id = l.meter_id
    WHERE l.graded_at IS NOT NULL AND l.was_reached IS NOT NULL AND l.ends_at >= %s AND l.ends_at < %s
        AND coalesce(m.key = %s, true)
    ORDER BY l.ends_at DESC, l.id DESC LIMIT %s
"""

# Told before: it saw less than its limit, and in time. Where usage adds up, `reached_at` is the hour in which it was
# reached, so that what spoke within that hour spoke before as well.
READ_ALERTS: LiteralString = """
    SELECT a.limit_id, a.epoch, l.meter_id, coalesce(r.name, ''), a.kind, a.state = 'told',
        a.kind = 'usage' AND a.unit = 'percent' AND a.level >= 100 AND a.outcome = 'reached',
        CASE WHEN a.outcome = 'not_reached' THEN 'false'
            WHEN a.used < coalesce(a.quantity, l.quantity) AND a.detected_at < a.reached_at + interval '1 hour'
            THEN 'early' ELSE 'at_limit' END,
        extract(epoch FROM greatest(a.reached_at - a.detected_at, interval '0')) / 86400,
        extract(epoch FROM greatest(a.reached_at - a.detected_at, interval '0'))
            / extract(epoch FROM a.ends_at - a.starts_at),
        a.acted_on_at IS NOT NULL
    FROM metering_alert a JOIN metering_limit l ON l.id = a.limit_id LEFT JOIN metering_alertrule r ON r.id = a.rule_id
    WHERE a.limit_id = ANY(%s::bigint[]) AND a.outcome IN ('reached', 'not_reached')
    ORDER BY a.id
"""

# What can be scored: a chance of reaching a limit that was not reached yet, by a forecast that was no longer learning.
SCORED: LiteralString = """
    f.limit_id = ANY(%s::bigint[]) AND f.was_reached IS NOT NULL AND f.p_hit IS NOT NULL AND NOT f.is_learning
        AND f.used < f.quantity
"""

# One forecast of each window and day, the last: else who is forecast every hour would count twenty-four times as much.
READ_FORECASTS: LiteralString = f"""
    SELECT DISTINCT ON (f.limit_id, f.epoch, date_trunc('day', f.made_at, 'UTC'))
        f.meter_id, f.p_hit, f.was_reached, f.run_rate_total >= f.quantity,
        f.closing_total BETWEEN f.total_low AND f.total_high,
        f.hit_low < f.reached_at + interval '1 hour' AND f.hit_high >= f.reached_at,
        abs(extract(epoch FROM f.hit_mid - f.reached_at)) / 86400,
        abs(extract(epoch FROM f.hit_mid - f.reached_at))
            / extract(epoch FROM coalesce(l.was_to_end_at, l.ends_at) - l.starts_at)
    FROM metering_forecast f JOIN metering_limit l ON l.id = f.limit_id
    WHERE {SCORED}
    ORDER BY f.limit_id, f.epoch, date_trunc('day', f.made_at, 'UTC'), f.made_at DESC
"""

# The highest threshold at which so many forecasts in a row say it or more: of every run of them the lowest chance, of
# these the highest.
READ_STRENGTHS: LiteralString = f"""
    SELECT max(weakest) FILTER (WHERE runs = %s), bool_or(was_reached)
    FROM (
        SELECT f.limit_id, f.epoch, f.was_reached, min(f.p_hit) OVER run AS weakest, count(*) OVER run AS runs
        FROM metering_forecast f WHERE {SCORED}
        WINDOW run AS (PARTITION BY f.limit_id, f.epoch ORDER BY f.made_at ROWS %s PRECEDING)
    ) AS runs
    GROUP BY limit_id, epoch
"""

COUNT_PENDING: LiteralString = """
    SELECT count(*), min(l.ends_at) FROM metering_limit l
    WHERE l.graded_at IS NULL AND l.quantity IS NOT NULL
        AND EXISTS (SELECT FROM metering_forecast f WHERE f.limit_id = l.id)
"""


class GradedWindow(NamedTuple):
    """A limit's window that ended, by the quantity that it ended with."""

    limit_id: int
    epoch: int
    meter_id: int
    meter_key: str
    meter_name: str
    was_reached: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.limit_id, self.epoch


@dataclass(frozen=True, slots=True)
class GradedAlert:
    """`is_told` is False of what was superseded or kept silent; `is_at_limit`: its limit was reached as it stood."""

    meter_id: int
    rule: str
    kind: str
    is_told: bool
    is_at_limit: bool
    told: Told


class Pending(NamedTuple):
    """How many windows are forecast that are not graded yet, and when the first of them ends."""

    windows: int
    first_ends_at: datetime | None


def read_windows(*, start: datetime, end: datetime, meter_key: str | None, most: int | None) -> list[GradedWindow]:
    """Those with a limit that ended in [start, end), the latest first, at most `most`."""
    with connection.cursor() as cursor:
        cursor.execute(READ_WINDOWS, [start, end, meter_key, most])
        return [GradedWindow(*row) for row in cursor.fetchall()]


def read_alerts(limit_ids: Sequence[int]) -> list[GradedAlert]:
    with connection.cursor() as cursor:
        cursor.execute(READ_ALERTS, [list(limit_ids)])
        return [state_alert(*row) for row in cursor.fetchall()]


def state_alert(
    limit_id: int, epoch: int, meter_id: int, rule: str, kind: str, is_told: bool, is_at_limit: bool, verdict: str,
    lead_days: Decimal | None, lead_share: Decimal | None, is_acted_on: bool,
) -> GradedAlert:  # fmt: skip
    is_early = verdict == Verdict.EARLY.value
    told = Told(
        window=(limit_id, epoch),
        verdict=Verdict(verdict),
        lead_days=float(lead_days) if is_early and lead_days is not None else None,
        lead_share=float(lead_share) if is_early and lead_share is not None else None,
        is_acted_on=is_acted_on,
    )
    return GradedAlert(meter_id, rule, kind, is_told, is_at_limit, told)


def read_forecasts(limit_ids: Sequence[int]) -> Iterator[tuple[int, Expected]]:
    """With the meter of each, a few thousand rows at a time: there may be millions."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(READ_FORECASTS, [list(limit_ids)])
        while rows := cursor.fetchmany(CHUNK):
            for row in rows:
                yield row[0], state_forecast(*row[1:])


def state_forecast(
    chance: Decimal, was_reached: bool, run_rate_says: bool, total_in_range: bool, date_in_range: bool | None,
    error_days: Decimal | None, error_share: Decimal | None,
) -> Expected:  # fmt: skip
    return Expected(
        chance=float(chance),
        was_reached=was_reached,
        run_rate_says=run_rate_says,
        total_in_range=total_in_range,
        date_in_range=date_in_range,
        date_error_days=None if error_days is None else float(error_days),
        date_error_share=None if error_share is None else float(error_share),
    )


def read_strengths(limit_ids: Sequence[int], *, confirmations: int) -> list[Watched]:
    """A window for each limit and epoch that was forecast."""
    with connection.cursor() as cursor:
        cursor.execute(READ_STRENGTHS, [confirmations, list(limit_ids), confirmations - 1])
        return [Watched(None if chance is None else float(chance), reached) for chance, reached in cursor.fetchall()]


def count_pending() -> Pending:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_PENDING)
        return Pending(*cursor.fetchone())
