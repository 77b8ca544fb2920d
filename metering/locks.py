"""Table locks on the limits. Each is taken before the first row lock of its transaction, so that none can deadlock."""

from django.db import connection


def hold_limits_for_change() -> None:
    """What any UPDATE takes, taken early: a SELECT FOR UPDATE alone would take less and have to upgrade later."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE metering_limit IN ROW EXCLUSIVE MODE")


def hold_limits_for_opening() -> None:
    """Wait until no transaction has counted usage it has not committed, and keep others from counting until ours ends.

    Ingestion writes `metering_limit` in its transaction, hence this lock: what it counted is then either in the
    stored usage that we read, or it will see the window that we open and add to it.
    """
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE metering_limit IN SHARE ROW EXCLUSIVE MODE")
