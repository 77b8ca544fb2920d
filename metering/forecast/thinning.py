"""How long forecasts are kept: all while they may be graded, one a day of each limit when they have been for long."""

from datetime import datetime, timedelta
from typing import LiteralString

from django.db import connection

AT_ONCE = 20_000

LOOK_BACK = timedelta(days=30)  # for windows that ended before, so that what ended long ago costs nothing

# The last of each day stays, by UTC.
THIN: LiteralString = """
    DELETE FROM metering_forecast WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (
                PARTITION BY limit_id, epoch, date_trunc('day', made_at, 'UTC') ORDER BY made_at DESC
            ) AS place
            FROM metering_forecast f WHERE f.graded_at IS NOT NULL AND f.limit_id IN (
                SELECT l.id FROM metering_limit l
                WHERE l.graded_at IS NOT NULL AND l.ends_at >= %s AND l.ends_at < %s
            )
        ) AS graded WHERE place > 1 LIMIT %s
    )
"""


def thin_forecasts(*, days: int, at: datetime) -> int:
    """Of windows that ended so many days before `at` drop what is graded, but the last of each day; tells how many.

    Windows that ended more than another month earlier are left as they are. Each statement commits
    for itself and drops a bounded number. A second call drops nothing.
    """
    until, dropped = at - timedelta(days=days), 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(THIN, [until - LOOK_BACK, until, AT_ONCE])
            count = int(cursor.rowcount)
        dropped += count
        if count < AT_ONCE:
            return dropped
