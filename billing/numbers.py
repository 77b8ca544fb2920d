"""Numbers of documents without gaps: one series a kind and year, one row that counts."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

# The row stays locked until the caller's transaction ends: one that is rolled back gives its number back, and the next
# number goes out only when the fate of this one is known.
COUNT_ON = """
    INSERT INTO billing_invoiceseries AS series (prefix, last_number) VALUES (%s, 1)
    ON CONFLICT (prefix) DO UPDATE SET last_number = series.last_number + 1
    RETURNING id, last_number
"""


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
    prefix = f"{kind}{at.astimezone(UTC).year}-"
    with connection.cursor() as cursor:
        cursor.execute(COUNT_ON, [prefix])
        series_id, sequence = cursor.fetchone()
    return TakenNumber(series_id, sequence, write_number(prefix, sequence))


def write_number(prefix: str, sequence: int) -> str:
    return f"{prefix}{sequence:06d}"
