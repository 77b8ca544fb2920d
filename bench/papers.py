"""The document of an invoice as PDF, from its rows in the database to the bytes: a fee, three metered lines, tax.

Value: seconds. Floor: 0.15 s, the target. Warm: each of a hundred customers' invoices once, in a process that has made
documents before. Cold: the first document of a process, fonts and program read, in new processes.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench.figures import Figure, at_most, seconds

INVOICES = 100
STARTS = 5
MOST_SECONDS = 0.15
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
METERS = ["requests", "bandwidth", "storage"]

START_COLD = """
import time, django
django.setup()
from billing.papers.invoices import read_invoice_paper
from billing.papers.rendering import render_pdf
from django.db import connection
connection.ensure_connection()
began = time.perf_counter()
render_pdf(read_invoice_paper({number!r}))
print(time.perf_counter() - began)
"""


def run() -> Iterator[Figure]:
    numbers = make_ground()
    cold = [start_cold(number) for number in numbers[:STARTS]]
    yield at_most("papers, first of a process", values=cold, floors=[MOST_SECONDS] * STARTS, unit="s", target=1)
    make_paper(numbers[0])
    warm = [seconds(lambda number=number: make_paper(number)) for number in numbers[1:]]  # type: ignore[misc]
    yield at_most("papers, each after it", values=warm, floors=[MOST_SECONDS] * len(warm), unit="s", target=1)


def make_paper(number: str) -> None:
    from billing.papers.invoices import read_invoice_paper
    from billing.papers.rendering import render_pdf

    if not render_pdf(read_invoice_paper(number)).startswith(b"%PDF"):
        raise RuntimeError(f"{number} is no PDF")


def start_cold(number: str) -> float:
    code = START_COLD.format(number=number)
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def make_ground() -> list[str]:
    """The numbers of as many invoices, each of a customer's own usage."""
    from billing.invoicing import close_period
    from billing.models import Period
    from billing.plans import create_plan
    from billing.rating import PriceTerms, TierTerms, flat_fee, graduated, per_unit
    from billing.subscriptions import create_subscriptions
    from billing.tax_rates import create_tax_rate, set_tax_rates
    from metering.accounts import create_accounts
    from metering.events import UsageEvent
    from metering.ingest import ingest_events
    from metering.meters import create_meter

    customers = ((f"cus_{n:06d}", f"Customer {n} & Söhne") for n in range(INVOICES))
    ids = create_accounts(customers, at=START)
    for key in METERS:
        create_meter(key=key, name=key, event_type=key, aggregation="sum", value="value", unit="unit", at=START)
    tiers = [TierTerms(Decimal(10_000), Decimal("0.002")), TierTerms(None, Decimal("0.001"))]
    prices: list[PriceTerms] = [
        flat_fee("Base fee", Decimal(49)),
        graduated("Requests", meter_key="requests", tiers=tiers, included_units=Decimal(1_000)),
        per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.00013")),
        per_unit("Storage", meter_key="storage", unit_amount=Decimal("0.023")),
    ]
    create_plan(slug="growth", name="Growth", rank=1, currency="EUR", prices=prices, at=START)
    create_subscriptions(account_ids=ids.values(), plan_slug="growth", started_at=START, at=START)
    vat = create_tax_rate(name="VAT", percent=Decimal(20))
    events = []
    for place, (key, account_id) in enumerate(ids.items()):
        set_tax_rates(account_id=account_id, rate_ids=[vat])
        time = START + timedelta(days=1 + place % 28)
        events += [
            UsageEvent("bench", f"{key}-{meter}", meter, key, time, {"value": 12_345 + 97 * place}) for meter in METERS
        ]
    ingest_events(events, at=END)
    periods = Period.objects.filter(subscription__account_id__in=ids.values(), starts_at=START).order_by("pk")
    facts = [close_period(period_id, at=END) for period_id in periods.values_list("pk", flat=True)]
    return [fact.number for fact in facts if fact is not None]
