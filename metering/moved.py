"""Which accounts' usage moved since billing last asked what it costs."""

from datetime import datetime
from typing import LiteralString

from metering.locks import hold_limits_for_change
from metering.statements import run_statement

TAKE_MOVED: LiteralString = """
    WITH moved AS MATERIALIZED (
        SELECT id FROM metering_limit WHERE needs_rating AND id > %s AND starts_at <= %s ORDER BY id LIMIT %s
        FOR UPDATE SKIP LOCKED
    )
    UPDATE metering_limit l SET needs_rating = false FROM moved WHERE l.id = moved.id
    RETURNING l.id, l.account_id
"""


def take_moved_accounts(*, at: datetime, after: int = 0, batch: int = 500) -> tuple[set[int], int | None]:
    """Take up to `batch` windows that moved, in the order of their ids, and say whose they are. In a transaction.

    Also returns the id to go on `after`; None when none is left. A new window counts as one that moved, once it has
    begun. Ingestion for these waits until the caller's transaction ends, so keep that short. What another transaction
    holds is passed over and stays marked, as does all if the transaction is rolled back.
    """
    hold_limits_for_change()
    rows = run_statement(TAKE_MOVED, [after, at, batch])
    last = max((limit_id for limit_id, _account_id in rows), default=None)
    return {account_id for _limit_id, account_id in rows}, last if len(rows) == batch else None
