"""The periodic threshold check: its cost follows the limits that moved, not the limits that stand.

Value: seconds to check 100,000 accounts of which 1,000 moved. Floors: a second; the same with 10,000 accounts of which
as many moved; the same with 100,000 accounts of which 100 moved. Of the moved one in five passes 80 % and gets its
alert, with everybody told of it. The two populations lie in schemas of their own, with the tables' own columns and
indexes, and take turns.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bench.figures import Figure, at_most, seconds

ROUNDS = 9
SMALL, LARGE = 10_000, 100_000
FEW, MANY = 100, 1_000
SECONDS = 2.0
GROWTH_WITH_ACCOUNTS = 1.5  # ten times the accounts
GROWTH_WITH_MOVED = 12.0  # ten times the moved
START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)

TABLES = ["metering_limit", "metering_alert", "metering_hourlyrollup", "metering_notice", "jobs_job"]

# Each account used 40 of 1,000 in each of 12 hours.
FILL_LIMITS = """
    INSERT INTO metering_limit
        (account_id, meter_id, starts_at, ends_at, quantity, is_hard, epoch, used, next_crossing, needs_check)
    SELECT account, 1, %s, %s, 1000, false, 1, 480, 800, false FROM generate_series(1, %s) AS account
"""
FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total)
    SELECT account, 1, %s::timestamptz + hour * interval '1 hour', '', 40, 40
    FROM generate_series(1, %s) AS account, generate_series(0, 11) AS hour
"""
# Every round moves other accounts, spread over all of them, as ingestion would: the total and the flag.
MOVE = """
    UPDATE metering_limit SET used = CASE WHEN (account_id / %s) %% 5 = 0 THEN 800 ELSE used + 1 END, needs_check = true
    WHERE account_id %% %s = %s
"""
Case = tuple[int, int]  # how many accounts there are, and how many of them moved

CASES: list[Case] = [(SMALL, MANY), (LARGE, MANY), (LARGE, FEW)]


def run() -> Iterator[Figure]:
    from metering.meters import create_meter

    create_meter(key="calls", name="Calls", event_type="call", unit="call", at=START)  # the first, and so number 1
    for accounts in (SMALL, LARGE):
        with population(accounts):
            fill(accounts)
    times: dict[Case, list[float]] = {case: [] for case in CASES}
    for round_number in range(ROUNDS + 1):
        for accounts, moved in CASES:
            with population(accounts):
                took = time_check(accounts, moved, round_number)
                if round_number:  # the first warms up
                    times[accounts, moved].append(took)
    most = times[LARGE, MANY]
    yield at_most("limit_check / 1 s", values=most, floors=[1.0] * ROUNDS, unit="s", target=SECONDS)
    yield at_most(
        "limit_check, 100 k / 10 k accounts", values=most, floors=times[SMALL, MANY], unit="s",
        target=GROWTH_WITH_ACCOUNTS,
    )  # fmt: skip
    yield at_most(
        "limit_check, 1,000 / 100 moved", values=most, floors=times[LARGE, FEW], unit="s", target=GROWTH_WITH_MOVED
    )


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


def time_check(accounts: int, moved: int, round_number: int) -> float:
    """Move so many accounts and check; raises RuntimeError unless the check finds what passed its level.

    Few are taken from the second half of every thousand, so that they are none of the many.
    """
    from django.db import connection

    from metering.alerts import check_limits

    spread = accounts // moved
    phase = round_number if moved == MANY else spread // 2 + 50 + round_number
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [spread, spread, phase])
        found = cursor.rowcount
    spoken: list[int] = []
    took = seconds(lambda: spoken.append(check_limits(at=AT)))
    if (found, spoken) != (moved, [moved // 5]):
        raise RuntimeError(f"of {found} limits {spoken} spoke; {moved // 5} of {moved} should")
    return took
