"""When the database cannot serve now: which trouble it is, and how long a sender had better wait."""

from http import HTTPStatus
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, OperationalError
from psycopg_pool import PoolTimeout, TooManyRequests

from metering.problems import Problem


class Outage(NamedTuple):
    code: str
    reason: str
    seconds: int


UNAVAILABLE = Outage("database_unavailable", "The database is not available.", 1)
BUSY = Outage("database_busy", "The database has more to do than it can do at once.", 2)
TIMEOUT = Outage("statement_timeout", "The database took too long over this request.", 5)
DISK_FULL = Outage("disk_full", "The database has no room left on its disk.", 30)
RESOURCES = Outage("database_overloaded", "The database has run out of something it needs.", 5)
READ_ONLY = Outage("database_read_only", "The database takes no changes at present.", 5)

BY_STATE = {
    "25006": READ_ONLY,  # a stand-by that nobody has promoted yet
    "40001": BUSY,  # serialization failure, deadlock: tried again as often as is sensible
    "40P01": BUSY,
    "53100": DISK_FULL,
    "55P03": BUSY,  # lock not available
    "57014": TIMEOUT,
}
BY_CLASS = {"53": RESOURCES, "58": RESOURCES}  # insufficient resources; errors of the system below
LIMIT_EXCEEDED = "54"  # something is greater than the server can ever take, whoever waits


def find_outage(error: BaseException) -> Outage | None:
    """Which trouble a database error stands for; None for one that waiting does not mend. Such is a fault of ours."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    if isinstance(cause, PoolTimeout | TooManyRequests):
        return BUSY
    if state in BY_STATE:
        return BY_STATE[state]
    if not isinstance(error, OperationalError | InterfaceError) or state.startswith(LIMIT_EXCEEDED):
        return None
    return BY_CLASS.get(state[:2], UNAVAILABLE)


def answer_outage(error: DatabaseError | InterfaceError) -> Problem | None:
    """The 503 for it. Whoever sends the same again later does no harm: what was stored will be a duplicate."""
    outage = find_outage(error)
    if outage is None:
        return None
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        outage.code,
        f"{outage.reason} Send the same again in a while: what was stored is not counted twice.",
        Retry_After=str(outage.seconds),
    )
