"""The periodic threshold check: its cost follows the limits that moved, not the limits that stand.

Value: seconds to check 10,000 accounts of which 100 moved. Floor: the same with 1,000 accounts of which 100 moved.
In both, 20 of the 100 pass 80 % and get their alert. The two populations lie in schemas of their own, with the
tables' own columns and indexes, and take turns.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bench.figures import Figure, at_most, seconds

ROUNDS = 9
MOVED = 100
SMALL, LARGE = 1_000, 10_000
TARGET = 1.5
START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)

TABLES = ["metering_limit", "metering_alert", "metering_notice", "metering_hourlyrollup"]

# Each account used 10 of 1,000 in each of 48 hours.
FILL_LIMITS = """
    INSERT INTO metering_limit
        (account_id, meter_id, starts_at, ends_at, quantity, is_hard, epoch, used, next_crossing, needs_check)
    SELECT account, 1, %s, %s, 1000, false, 1, 480, 800, false FROM generate_series(1, %s) AS account
"""
FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total)
    SELECT account, 1, %s::timestamptz + hour * interval '1 hour', '', 10, 10
    FROM generate_series(1, %s) AS account, generate_series(0, 47) AS hour
"""
# Every round moves other accounts, spread over all of them, as ingestion would: the total and the flag.
MOVE = """
    UPDATE metering_limit SET used = CASE WHEN (account_id / %s) %% 5 = 0 THEN 800 ELSE used + 1 END, needs_check = true
    WHERE account_id %% %s = %s
"""


def run() -> Iterator[Figure]:
    from metering.meters import create_meter

    create_meter(key="calls", name="Calls", event_type="call", unit="call", at=START)  # the first, and so number 1
    for accounts in (SMALL, LARGE):
        with population(accounts):
            fill(accounts)
    times: dict[int, list[float]] = {SMALL: [], LARGE: []}
    for round_number in range(ROUNDS + 1):
        for accounts in (SMALL, LARGE):
            with population(accounts):
                took = time_check(accounts, round_number)
                if round_number:  # the first warms up
                    times[accounts].append(took)
    yield at_most("limit_check", values=times[LARGE], floors=times[SMALL], unit="s", target=TARGET)


@contextmanager
def population(accounts: int) -> Iterator[None]:
    """Let every statement see the tables of this population."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path = accounts_{accounts}, public")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = public")


def fill(accounts: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA accounts_{accounts}")
        for table in TABLES:
            cursor.execute(f"CREATE TABLE accounts_{accounts}.{table} (LIKE public.{table} INCLUDING ALL)")
        cursor.execute(FILL_LIMITS, [START, END, accounts])
        cursor.execute(FILL_ROLLUPS, [START, accounts])
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE accounts_{accounts}.{table}")


def time_check(accounts: int, round_number: int) -> float:
    """Move 100 accounts and check; raises RuntimeError unless the check finds what passed its level."""
    from django.db import connection

    from metering.alerts import check_limits

    spread = accounts // MOVED
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [spread, spread, round_number % spread])
        moved = cursor.rowcount
    spoken: list[int] = []
    took = seconds(lambda: spoken.append(check_limits(at=AT)))
    if (moved, spoken) != (MOVED, [MOVED // 5]):
        raise RuntimeError(f"of {moved} limits {spoken} spoke; {MOVED // 5} of {MOVED} should")
    return took
