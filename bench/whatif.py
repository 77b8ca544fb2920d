"""What 1,000 accounts would have paid in three past months under a draft, from rollups of a million events.

Value: seconds from the question to the last outcome. Floor: five seconds, and for the memory what Python's own objects
took with the first 250 accounts: no more is held than a chunk. A plan has a flat fee and three metered lines. In the
first figure months begin with the calendar, in the second each account has an anchor of its own.
"""

import gc
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from bench.figures import Figure, at_most, seconds

ACCOUNTS = 1_000
EVENTS = 1_000_000
ROUNDS = 5
MOST_SECONDS = 5.0
START, AT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 15, tzinfo=UTC)
METERS = ["requests", "bandwidth", "storage"]

# Of a million events a thousand are each account's, over a hundred days; the three meters count every third.
FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total)
    SELECT a.id, m.id, %(start)s::timestamptz + hour * interval '1 hour', '', 1, 1 + hour %% 500
    FROM metering_account a CROSS JOIN metering_meter m
        CROSS JOIN LATERAL (SELECT 2 + n * 11 + (a.id + m.id) %% 11 AS hour FROM generate_series(0, %(each)s) AS n) AS h
"""
# An anchor within the hour would read that hour's events; on hours rollups alone are read.
SHIFT = """
    ALTER TABLE billing_period DROP CONSTRAINT periods_do_not_overlap;  -- it is asked row by row
    UPDATE billing_period SET starts_at = starts_at + shift, ends_at = ends_at + shift
    FROM (SELECT id, (id % 600) * interval '1 hour' AS shift FROM billing_subscription) AS s
    WHERE s.id = billing_period.subscription_id
"""


def run() -> Iterator[Figure]:
    version_id = make_ground()
    yield measure("what-if, 1,000 accounts × 3 months", version_id)
    yield measure_memory(version_id)
    shift_periods()
    yield measure("what-if, 1,000 accounts × 3 periods of their own", version_id)


def make_ground() -> int:
    """Subscribers of a plan with what they used; returns the id of its draft."""
    from django.db import connection

    from billing.models import Plan
    from billing.plans import add_version, create_plan
    from billing.rating import PriceTerms, TierTerms, flat_fee, graduated, per_unit
    from billing.subscriptions import create_subscriptions
    from metering.accounts import create_accounts
    from metering.meters import create_meter

    ids = create_accounts(((f"cus_{n:06d}", f"Customer {n}") for n in range(ACCOUNTS)), at=START)
    for key in METERS:
        create_meter(key=key, name=key, event_type=key, aggregation="sum", value="value", unit="unit", at=START)

    def list_prices(factor: Decimal) -> list[PriceTerms]:
        tiers = [
            TierTerms(Decimal(10_000), factor * 2),
            TierTerms(Decimal(100_000), factor),
            TierTerms(None, factor / 2),
        ]
        return [
            flat_fee("Base fee", Decimal(49)),
            graduated("Requests", meter_key="requests", tiers=tiers, included_units=Decimal(1_000)),
            per_unit("Bandwidth", meter_key="bandwidth", unit_amount=factor),
            per_unit("Storage", meter_key="storage", unit_amount=factor * 3),
        ]

    create_plan(slug="growth", name="Growth", rank=1, currency="EUR", prices=list_prices(Decimal("0.001")), at=START)
    plan = Plan.objects.get(slug="growth")
    version_id = add_version(plan_id=plan.pk, currency="EUR", prices=list_prices(Decimal("0.0011")))
    create_subscriptions(account_ids=ids.values(), plan_slug="growth", started_at=START, at=AT)
    with connection.cursor() as cursor:
        cursor.execute(FILL_ROLLUPS, {"start": START, "each": EVENTS // ACCOUNTS // len(METERS)})
        cursor.execute("VACUUM ANALYZE")
    return version_id


def shift_periods() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(SHIFT)
        cursor.execute("VACUUM ANALYZE billing_period")


def ask(version_id: int) -> None:
    from billing.whatif import Question, Summary, compare_versions

    summary = Summary()
    for outcome in compare_versions(Question(version_id, at=AT)):
        summary.add(outcome)
    if summary.losers != ACCOUNTS:
        raise RuntimeError(f"{summary.losers} accounts would have paid more; all {ACCOUNTS} should")


def measure(name: str, version_id: int) -> Figure:
    ask(version_id)  # warms up
    values = [seconds(lambda: ask(version_id)) for _ in range(ROUNDS)]
    return at_most(name, values=values, floors=[MOST_SECONDS] * ROUNDS, unit="s", target=1)


def measure_memory(version_id: int) -> Figure:
    """The peak over all accounts against the peak of the first chunk, in MiB."""
    from billing.whatif import CHUNK, Question, compare_versions

    peaks = []
    for count in (CHUNK, ACCOUNTS):
        gc.collect()
        tracemalloc.start()
        outcomes = compare_versions(Question(version_id, at=AT))
        for _ in range(count):
            next(outcomes)
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    return at_most("what-if's memory, all / first chunk", values=peaks[1:], floors=peaks[:1], unit="MiB", target=1.2)
