"""Forecasts of the limits that moved: what they cost beside reading the same hours alone, and beside many that stand.

Value: forecasts a second when 1,000 of 10,000 limits moved, each with eight weeks of hours, claimed, worked out, on
record, alarms judged. Floor: the same histories a second, read and nothing else. The other 9,000 have one day each.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bench.figures import Figure, at_least, seconds

ROUNDS = 3
ACCOUNTS, MOVED = 10_000, 1_000
WEEKS = timedelta(weeks=8)
BATCH = 100
TARGET = 0.1
START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)

FILL_ACCOUNTS = """
    INSERT INTO metering_account (key, name, created_at)
    SELECT 'account-' || n, 'Account ' || n, %s FROM generate_series(1, %s) AS n
"""
FILL_LIMITS = """
    INSERT INTO metering_limit (account_id, meter_id, starts_at, ends_at, quantity, is_hard, epoch, used, needs_check,
        needs_forecast, plan)
    SELECT a.id, m.id, %s, %s, 6000 + a.id %% 4000, false, 1, 4000, false, false, 'pro'
    FROM metering_account a CROSS JOIN metering_meter m
"""
# Busy days and quiet nights, weekends at half, an amount of its own in each hour.
FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total)
    SELECT l.account_id, l.meter_id, hour, '', 1,
        (2 + 8 * (extract(hour FROM hour) BETWEEN 8 AND 18)::int) * (2 - (extract(isodow FROM hour) > 5)::int)
            + (l.id * 7919 + extract(epoch FROM hour)::bigint / 3600 * 104729) %% 5
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM metering_limit) AS l
    CROSS JOIN LATERAL generate_series(
        CASE WHEN l.n <= %s THEN %s::timestamptz ELSE %s::timestamptz END, %s::timestamptz, interval '1 hour') AS hour
"""
MOVE = """
    UPDATE metering_limit SET used = used + 1, needs_forecast = true
    WHERE id IN (SELECT id FROM metering_limit ORDER BY id LIMIT %s)
"""


def run() -> Iterator[Figure]:
    fill()
    rates: list[float] = []
    floors: list[float] = []
    for number in range(ROUNDS + 1):
        at = AT + timedelta(hours=number)
        states = move_limits()
        read = seconds(lambda at=at, states=states: read_alone(states, at=at))  # type: ignore[misc]
        took = seconds(lambda at=at: forecast_all(at=at))  # type: ignore[misc]
        if number:  # the first warms up
            rates.append(MOVED / took)
            floors.append(MOVED / read)
    yield at_least("forecast_running", values=rates, floors=floors, unit="forecasts/s", target=TARGET)


def fill() -> None:
    from django.db import connection

    from metering.meters import create_meter

    create_meter(key="calls", name="Calls", event_type="call", unit="call", at=START)
    with connection.cursor() as cursor:
        cursor.execute(FILL_ACCOUNTS, [START, ACCOUNTS])
        cursor.execute(FILL_LIMITS, [START, END])
        last = AT + timedelta(hours=ROUNDS)
        cursor.execute(FILL_ROLLUPS, [MOVED, AT - WEEKS, AT - timedelta(days=1), last])
        cursor.execute("VACUUM ANALYZE metering_hourlyrollup, metering_limit")


def move_limits() -> Sequence[object]:
    """The states of the limits that moved, as a run claims them."""
    from django.db import connection

    from metering.forecast.expecting import LimitState
    from metering.models import Limit

    with connection.cursor() as cursor:
        cursor.execute(MOVE, [MOVED])
    limits = Limit.objects.filter(needs_forecast=True).select_related("meter").order_by("pk")
    return [
        LimitState(
            limit.pk, limit.account_id, limit.meter_id, limit.meter.aggregation, limit.meter.carries_over, limit.plan,
            limit.starts_at, limit.ends_at, limit.used, limit.quantity, limit.epoch,
        )
        for limit in limits
    ]  # fmt: skip


def read_alone(states: Sequence[object], *, at: datetime) -> None:
    from metering.forecast.expecting import ask_history
    from metering.forecast.histories import read_histories

    for first in range(0, len(states), BATCH):
        part = states[first : first + BATCH]
        read_histories({place: ask_history(state, at=at) for place, state in enumerate(part)})  # type: ignore[arg-type]


def forecast_all(*, at: datetime) -> None:
    """Raises RuntimeError unless just what moved is forecast."""
    from metering.forecast import forecast_moved_limits

    made = forecast_moved_limits(at=at, batch=BATCH)
    if made != MOVED:
        raise RuntimeError(f"{made} forecasts were made; {MOVED} limits moved")
