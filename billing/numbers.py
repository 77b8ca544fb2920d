"""Numbers of documents without gaps: one series a kind and year, one row that counts."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

# The row stays locked until the caller's transaction ends: one that is rolled back gives its numbers back, and the next
# go out only when the fate of these is known.
COUNT_ON = "SELECT series_id, last_number FROM billing_take_numbers(%s, %s)"


@dataclass(frozen=True, slots=True)
class TakenNumber:
    series_id: int
    sequence: int
    number: str


CREDIT_NOTES = "CN-"


def take_number(at: datetime, kind: str = "") -> TakenNumber:
    """The next number of the UTC year of issue, such as 2026-000001. Take it last: others wait for the transaction.

    `kind` begins the number of documents that are not invoices: CREDIT_NOTES makes it CN-2026-000001.
    """
    [taken] = take_numbers(1, at, kind)
    return taken


def take_numbers(count: int, at: datetime, kind: str = "") -> list[TakenNumber]:
    """So many numbers that follow one another, in one statement."""
    if not count:
        return []
    prefix = f"{kind}{at.astimezone(UTC).year}-"
    with connection.cursor() as cursor:
        cursor.execute(COUNT_ON, [prefix, count])
        series_id, last = cursor.fetchone()
    return [
        TakenNumber(series_id, sequence, write_number(prefix, sequence))
        for sequence in range(last - count + 1, last + 1)
    ]


def write_number(prefix: str, sequence: int) -> str:
    return f"{prefix}{sequence:06d}"
