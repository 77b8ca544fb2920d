"""Closing the month of 1,000 accounts: a flat fee and three metered lines each, tax, and credit for a third of them.

Value: invoices a second over one connection, a hundred to a transaction. Floor: `floors.invoices`, the least that such
a run can be, measured beside it. Of a month's million events each is counted by three meters, in the same 250 hours of
every account: 750,000 rollups, and no event is stored, for none is read.

Then the same when there are ten times as many invoices of the past, and when each hour has five times the events.
Memory is what Python's objects took over the last seven chunks, against the first three. `--peer` measures
django-silver as well.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bench.figures import Figure, at_least, at_most, seconds
from bench.peers import is_asked, silver

ACCOUNTS = 1_000
EVENTS = 1_000_000
HOURS = 250
ROUNDS = 3
PAST = 10  # times as many invoices of the past
METERS = ["requests", "bandwidth", "storage"]
CREDITED = 3  # every third account has credit
OF_FLOOR, OF_PEER, SAME = 0.15, 12.0, 1.2
MOST_STATEMENTS = 1.0  # an invoice
START = datetime(2024, 1, 1, tzinfo=UTC)

FILL_ROLLUPS = """
    INSERT INTO metering_hourlyrollup (account_id, meter_id, hour, dimensions, event_count, total, digest)
    SELECT a.id, m.id, %(start)s::timestamptz + (n * 2 + a.id %% 2) * interval '1 hour', '', %(each)s,
        %(each)s * (1 + (n + a.id + m.id) %% 500), 1e76::numeric + n
    FROM metering_account a CROSS JOIN metering_meter m CROSS JOIN generate_series(1, %(hours)s) AS n
"""


def run() -> Iterator[Figure]:
    from bench.floors import invoices as floor  # its models need Django

    ground = Ground()
    close(ground.open_month())  # warms up, and leaves the first invoices of the past
    rates, floors, statements = [], [], []
    with floor.lay_floor(ACCOUNTS) as subscriptions:
        for _ in range(ROUNDS):
            rate, per_invoice = measure(ground.open_month())
            rates.append(rate)
            statements.append(per_invoice)
            floor.start_over()
            floors.append(ACCOUNTS / seconds(lambda: floor.bill_all(subscriptions)))
    yield at_least("billing run, 1,000 accounts", values=rates, floors=floors, unit="1/s", target=OF_FLOOR)
    most = [MOST_STATEMENTS] * ROUNDS
    yield at_most("billing run, statements an invoice", values=statements, floors=most, unit="", target=1)
    yield measure_memory(ground.open_month())
    while ground.months < PAST * (1 + ROUNDS // 2):  # the median round above had as many months before it
        close(ground.open_month(times=0))
    full, fivefold = [], []
    for _ in range(ROUNDS):
        full.append(measure(ground.open_month())[0])
        fivefold.append(measure(ground.open_month(times=5))[0])
    yield at_least("billing run, ten times the past", values=full, floors=rates, unit="1/s", target=1 / SAME)
    yield at_least("billing run, five million events", values=fivefold, floors=full, unit="1/s", target=1 / SAME)
    if is_asked():
        yield measure_peer(ground)
    else:
        print("django-silver was not measured: --peer fetches it from PyPI", file=sys.stderr)


class Ground:
    """Accounts on one plan, and the months that they were opened for."""

    def __init__(self) -> None:
        make_accounts()
        self.months = 0

    def open_month(self, *, times: int = 1) -> list[int]:
        """What was used in the next month, that many times a million events; returns its periods."""
        from django.db import connection

        from billing.models import Period
        from billing.subscriptions import open_next_periods
        from metering.alerts import check_limits

        self.months += 1
        start = add_months(START, self.months)
        if times:
            each = times * EVENTS // ACCOUNTS // HOURS
            with connection.cursor() as cursor:
                cursor.execute(FILL_ROLLUPS, {"start": start, "each": each, "hours": HOURS})
        open_next_periods(start)
        check_limits(at=start)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        return list(Period.objects.filter(starts_at=start).order_by("pk").values_list("pk", flat=True))


def make_accounts() -> None:
    """Subscribers of a plan from START on, with a tax, and credit for some that lasts."""
    from billing.credits.grants import top_up
    from billing.plans import PlanLimitTerms, create_plan
    from billing.rating import TierTerms, flat_fee, graduated, per_unit
    from billing.subscriptions import create_subscriptions
    from billing.tax_rates import create_tax_rate, set_tax_rates
    from metering.accounts import create_accounts
    from metering.meters import create_meter

    ids = create_accounts(((f"cus_{n:06d}", f"Customer {n}") for n in range(ACCOUNTS)), at=START)
    for key in METERS:
        create_meter(key=key, name=key, event_type="call", aggregation="sum", value=key, unit="unit", at=START)
    tiers = [TierTerms(Decimal(10_000), Decimal("0.002")), TierTerms(None, Decimal("0.001"))]
    prices = [
        flat_fee("Base fee", Decimal(49)),
        graduated("Requests", meter_key="requests", tiers=tiers, included_units=Decimal(1_000)),
        per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.0011")),
        per_unit("Storage", meter_key="storage", unit_amount=Decimal("0.0003"), included_units=Decimal(100)),
    ]
    limits = [PlanLimitTerms("requests", Decimal(100_000_000))]
    create_plan(slug="growth", name="Growth", rank=1, currency="EUR", prices=prices, limits=limits, at=START)
    create_subscriptions(account_ids=ids.values(), plan_slug="growth", started_at=START, at=START)
    rate = create_tax_rate(name="VAT", percent=Decimal(20))
    for place, account_id in enumerate(ids.values()):
        set_tax_rates(account_id=account_id, rate_ids=[rate])
        if place % CREDITED == 0:
            top_up(account_id=account_id, currency="EUR", amount_minor=10_000_000, key="prepaid", at=START)


def add_months(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + years, month=month + 1)


def close(period_ids: Sequence[int]) -> None:
    from billing.closing import close_periods
    from billing.models import Period

    at = Period.objects.get(pk=period_ids[0]).ends_at + timedelta(hours=1)
    for closed in close_periods(period_ids, at=at):
        if closed.error or not closed.total_minor:
            raise RuntimeError(f"period {closed.period_id} was not billed: {closed.error}")


def measure(period_ids: Sequence[int]) -> tuple[float, float]:
    """Invoices a second, and statements an invoice."""
    from django.db import connection

    statements = 0

    def count(execute: Callable[..., Any], *given: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*given)

    with connection.execute_wrapper(count):
        took = seconds(lambda: close(period_ids))
    return len(period_ids) / took, statements / len(period_ids)


def measure_memory(period_ids: Sequence[int]) -> Figure:
    """The peak over the last chunks against that of the first three, in MiB.

    In three the driver has filled what it keeps of the texts of a hundred statements.
    """
    from billing.closing import CHUNK

    peaks = []
    for ids in (period_ids[: 3 * CHUNK], period_ids[3 * CHUNK :]):
        gc.collect()
        tracemalloc.start()
        close(ids)
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    return at_most(
        "billing run's memory, seven chunks / three", values=peaks[1:], floors=peaks[:1], unit="MiB", target=SAME
    )


def measure_peer(ground: Ground) -> Figure:
    """Ours against django-silver's own generation of the same number of invoices, a customer at a time, beside it."""
    ours = [measure(ground.open_month())[0]]
    return at_least(
        "billing run, against django-silver", values=ours, floors=[silver.measure(ACCOUNTS)], unit="1/s", target=OF_PEER
    )
