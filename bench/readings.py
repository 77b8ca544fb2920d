"""What readings cost at 100,000 and at five million stored events, and the usage page's time in the database.

Floor F3: one row by its primary key through the same driver. The customer is the busiest of a thousand, with usage in
each of the 720 hours. What readings look at is kept aside at each size, and the two take turns.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from bench.figures import Figure, at_most, seconds
from bench.load import make_ground
from bench.scale import FILL_ROLLUPS

ROUNDS = 9
REPEATS = 40  # of each reading in a round, in turns
SMALL, LARGE = 100_000, 5_000_000
STEP = 500_000  # rows filled by a statement
PAGE_SECONDS = 0.010
METER = "api_call-count"
TABLES = {"metering_hourlyrollup": "hour, account_id", "metering_limit": "id"}  # what readings look at

# Stored events of the thirty days before the end, the first of a thousand accounts with a sixth of them.
FILL = """
    WITH drawn AS MATERIALIZED (
        SELECT n, %(base)s + floor(1000 * power(random(), 4))::bigint AS account_id,
            %(end)s::timestamptz - interval '30 days' * (1 - random() * 0.999999) AS at
        FROM generate_series(%(first)s, %(last)s) AS n
    ), made AS (
        SELECT gen_random_uuid() AS id, a.id AS account_id, a.key, n, at,
            (array['api_call', 'tokens_in', 'tokens_out', 'storage_gb_h', 'seat_active'])[1 + (n %% 5)] AS type
        FROM drawn JOIN metering_account a ON a.id = drawn.account_id
    ), claimed AS (
        INSERT INTO metering_claim (claim, digest, received_at)
        SELECT encode(substring(sha256(convert_to('3:api' || id, 'UTF8')) FOR 16), 'hex')::uuid, n, at FROM made
    )
    INSERT INTO metering_event
        (happened_at, received_at, account_id, api_key_id, source, event_id, type, subject, data)
    SELECT at, at, account_id, 1, 'api', id::text, type, key, jsonb_build_object('value', n %% 5000)
    FROM made ORDER BY at
"""
FILL_TOTALS = """
    UPDATE metering_limit l SET used = r.used FROM (
        SELECT account_id, meter_id, sum(total) AS used FROM metering_hourlyrollup GROUP BY 1, 2
    ) AS r WHERE r.account_id = l.account_id AND r.meter_id = l.meter_id
"""
ONE_ROW = "SELECT id, used, quantity, starts_at, ends_at FROM metering_limit WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Customer:
    """The account that is read, one of its limits, and the thirty days up to `end`."""

    account_id: int
    limit_id: int
    start: datetime
    end: datetime


def run() -> Iterator[Figure]:
    ground = make_ground()
    customer = find_customer(ground.account_ids["cus_000000"], ground.end)
    for first, size in ((0, SMALL), (SMALL, LARGE)):
        fill(customer, first=first, last=size)
        keep(size)
    measured = measure_rounds(customer)
    for size, rounds in measured.items():
        for kind, target in (("current usage", 3), ("30 days by hour", 15)):
            name, floors = f"{kind} / one row, {size // 1000:,} k events", rounds["one row"]
            yield at_most(name, values=rounds[kind], floors=floors, unit="s", target=target)
    for kind in ("current usage", "30 days by hour", "30 days in all"):
        small, large = measured[SMALL][kind], measured[LARGE][kind]
        yield at_most(f"{kind}, 5 M / 100 k events", values=large, floors=small, unit="s", target=1.3)
    yield measure_page(customer)


def find_customer(account_id: int, end: datetime) -> Customer:
    from metering.models import Limit

    limit = Limit.objects.get(account_id=account_id, meter__key=METER)
    return Customer(account_id, limit.pk, end - timedelta(days=30), end)


def fill(customer: Customer, *, first: int, last: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for days in (0, 15, 30):
            cursor.execute("SELECT metering_open_month(%s)", [customer.end - timedelta(days=days)])
        for step in range(first, last, STEP):
            values = {"first": step, "last": min(step + STEP, last) - 1}
            cursor.execute(FILL, values | {"end": customer.end, "base": customer.account_id})
        cursor.execute(FILL_ROLLUPS)
        cursor.execute(FILL_TOTALS)
        cursor.execute("VACUUM ANALYZE")


def keep(size: int) -> None:
    """Put what readings look at aside as it is now, in a schema of its own and in the order in which usage comes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA events_{size}")
        for table, order in TABLES.items():
            cursor.execute(f"CREATE TABLE events_{size}.{table} (LIKE public.{table} INCLUDING ALL)")
            cursor.execute(f"INSERT INTO events_{size}.{table} SELECT * FROM public.{table} ORDER BY {order}")  # noqa: S608
            cursor.execute(f"VACUUM ANALYZE events_{size}.{table}")


def measure_rounds(customer: Customer) -> dict[int, dict[str, list[float]]]:
    """Seconds of each reading by size, the median of a round; readings and sizes take turns."""
    from django.db import connection

    acts = list_readings(customer)
    rounds: dict[int, dict[str, list[float]]] = {size: {name: [] for name in acts} for size in (SMALL, LARGE)}
    for round_number in range(-1, ROUNDS):  # the first warms up
        for size in (SMALL, LARGE):
            with connection.cursor() as cursor:
                cursor.execute(f"SET search_path = events_{size}, public")
            times: dict[str, list[float]] = {name: [] for name in acts}
            for act in acts.values():
                act()  # is planned anew for these tables
            for _ in range(REPEATS):
                for name, act in acts.items():
                    times[name].append(seconds(act))
            if round_number >= 0:
                for name, each in times.items():
                    rounds[size][name].append(median(each))
    return rounds


def list_readings(customer: Customer) -> dict[str, Callable[[], object]]:
    from metering.statements import run_statement
    from metering.usage import read_current, read_series, read_usage

    window: dict[str, Any] = {"account_id": customer.account_id, "meter_key": METER}
    month = window | {"start": customer.start, "end": customer.end}
    at = customer.end - timedelta(seconds=1)
    return {
        "one row": lambda: run_statement(ONE_ROW, [customer.limit_id]),
        "current usage": lambda: read_current(**window, at=at),
        "30 days by hour": lambda: read_series(**month, bucket="hour"),
        "30 days in all": lambda: read_usage(**month),
    }


def measure_page(customer: Customer) -> Figure:
    """Seconds that the portal's usage page waits for the database."""
    from django.conf import settings
    from django.db import connection
    from django.test import override_settings

    client = open_portal(customer.account_id)
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # nothing collected
    path = f"/a/cus_000000/usage/{METER}/"
    waited: list[float] = []

    def wait(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            waited[-1] += time.perf_counter() - began

    with connection.execute_wrapper(wait), override_settings(STORAGES=settings.STORAGES | plain):
        for _ in range(REPEATS):
            waited.append(0)
            response = client.get(path)
            if response.status_code != 200:
                raise RuntimeError(f"the usage page answered {response.status_code}")
    return at_most("usage page in the database", values=[median(waited)], floors=[PAGE_SECONDS], unit="s", target=1)


def open_portal(account_id: int) -> Any:
    """A client that is logged in as somebody who may see the account."""
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.test import Client

    user: Any = get_user_model().objects
    someone = user.create_user(email="bench@example.com", password=None)
    apps.get_model("portal", "Membership").objects.create(user=someone, account_id=account_id, role="viewer")
    client = Client(SERVER_NAME="localhost")
    client.force_login(someone)
    return client
