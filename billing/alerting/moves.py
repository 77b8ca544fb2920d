"""Whose money moved: put down by whatever moves it, gathered from what metering counted, taken away by the next look.

A row for a move, never one for an account that is kept up to date: nobody waits for anybody to put one down.
"""

from collections.abc import Collection
from datetime import datetime
from typing import LiteralString

from django.db import connection, transaction
from django.db.models import Max

from billing.models import Budget, MoneyMove, Period
from metering.moved import take_moved_accounts

NOTE_BY_CLOCK = "billing.note_money_by_clock"

NOTE_MOVES: LiteralString = """
    INSERT INTO billing_moneymove (account_id, moved_at)
    SELECT account_id, %s FROM billing_billingprofile WHERE account_id = ANY(%s) ORDER BY account_id
"""

NOTE_MOVES_OF_GRANTS: LiteralString = """
    INSERT INTO billing_moneymove (account_id, moved_at)
    SELECT DISTINCT account_id, %s::timestamptz FROM billing_creditgrant WHERE id = ANY(%s) ORDER BY account_id
"""

# Both are held until the look is over, so that of two looks at an account the later one has read the later figures.
TAKE_MOVES: LiteralString = """
    WITH taken AS MATERIALIZED (
        SELECT move.id, move.account_id
        FROM billing_moneymove move JOIN billing_billingprofile profile ON profile.account_id = move.account_id
        WHERE move.id > %s AND move.id <= %s ORDER BY move.id LIMIT %s
        FOR NO KEY UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM billing_moneymove move USING taken WHERE move.id = taken.id
    )
    SELECT id, account_id FROM taken
"""


def note_moves(account_ids: Collection[int], *, at: datetime) -> None:
    """The money of these accounts moved: the look after the caller's commit is at them; not at who has no profile."""
    if not account_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(NOTE_MOVES, [at, list(account_ids)])


def note_moves_of_grants(grant_ids: Collection[int], *, at: datetime) -> None:
    """The same for the accounts whose credit these are."""
    with connection.cursor() as cursor:
        cursor.execute(NOTE_MOVES_OF_GRANTS, [at, list(grant_ids)])


def gather_moved(*, at: datetime) -> int:
    """Put down the accounts whose usage moved, a transaction for each batch of windows. Returns how many rows."""
    count, after = 0, 0
    while True:
        with transaction.atomic():
            account_ids, last = take_moved_accounts(at=at, after=after)
            note_moves(account_ids, at=at)
        count += len(account_ids)
        if last is None:
            return count
        after = last


def note_by_clock(*, at: datetime) -> int:
    """Put down those of whom time alone may have something to tell: who has a budget, or a commitment's period.

    Returns how many.
    """
    promised = Period.objects.filter(
        starts_at__lte=at, ends_at__gt=at, closed_at=None, is_free=False, version__commitment_minor__gt=0
    )
    account_ids = set(promised.values_list("subscription__account_id", flat=True))
    account_ids |= set(Budget.objects.filter(is_active=True).values_list("account_id", flat=True))
    note_moves(account_ids, at=at)
    return len(account_ids)


def find_last_move() -> int:
    return MoneyMove.objects.aggregate(last=Max("pk"))["last"] or 0


def take_moves(*, after: int, until: int, batch: int) -> tuple[set[int], int | None]:
    """Take away up to `batch` moves, and hold the profiles of their accounts until the caller's transaction ends.

    Returns the accounts and the id to go on `after`, None when none is left. What another look holds is passed over.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE_MOVES, [after, until, batch])
        rows = cursor.fetchall()
    last = max((move_id for move_id, _account_id in rows), default=None)
    return {account_id for _move_id, account_id in rows}, last if len(rows) == batch else None
