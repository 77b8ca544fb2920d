"""Locks, in the one order in which all of metering takes them, so that none can deadlock:

meters, names, the months of events, claims in their order, events, the table of limits, the rows of accounts in the
order of their ids. Whoever counts for an account, or changes several of its limits, holds the account's row, and may
then touch its rollups and limits in any order.

What is written beside a limit (a window, an alert, an adjustment) names its meter, and at COMMIT PostgreSQL looks,
under a lock on the meters, whether that is there. So whoever takes names or limits takes the meters before.
"""

from collections.abc import Iterable

from django.db import connection


def hold_limits_for_change() -> None:
    """What any UPDATE takes, taken early: a SELECT FOR UPDATE alone would take less and have to upgrade later."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE metering_meter IN ROW SHARE MODE; LOCK TABLE metering_limit IN ROW EXCLUSIVE MODE")


def hold_limits_for_opening() -> None:
    """Wait until no transaction has counted usage it has not committed, and keep others from counting until ours ends.

    Ingestion writes `metering_limit` in its transaction, hence this lock: what it counted is then either in the
    stored usage that we read, or it will see the window that we open and add to it. The months of events are held
    before it, so that none is opened or dropped while we read.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "LOCK TABLE metering_meter IN ROW SHARE MODE; LOCK TABLE metering_event IN ACCESS SHARE MODE;"
            " LOCK TABLE metering_limit IN SHARE ROW EXCLUSIVE MODE"
        )


def hold_names_for_change() -> None:
    """Wait for batches in flight, and hold back others until the new name is there to be found.

    Ingestion takes ROW EXCLUSIVE here before it looks names up. So an event that finds no account is either stored
    before we look for those that wait, or it finds the account. The meters are kept as they are, too: a new one counts
    what is there, and would not see the events that we adopt, nor we the meter.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "LOCK TABLE metering_meter IN ROW SHARE MODE; LOCK TABLE metering_alias IN SHARE ROW EXCLUSIVE MODE"
        )


def hold_names_and_meters() -> None:
    """As each batch does: no meter changes, and no event learns its account, until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE metering_meter IN ROW SHARE MODE; LOCK TABLE metering_alias IN ROW EXCLUSIVE MODE")


def hold_accounts(account_ids: Iterable[int]) -> None:
    """Keep others from counting for these accounts until our transaction ends. Taken in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM metering_account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [list(account_ids)]
        )
