"""The template catalogues bill what their models' vendors say in public that such usage costs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import invoicing, subscriptions
from billing.money import round_money
from billing.price_imports import import_catalogue, read_template
from tests.billing.makers import make_account, send

pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
GB = 2**30
TB = 2**40


def subscribe(template):
    import_catalogue(read_template(template), at=MARCH)
    return subscriptions.create_subscription(
        account_id=make_account(at=MARCH).id, plan_slug=template, started_at=MARCH, at=MARCH
    )


def close_march(subscription):
    """Description → (quantity, amount) of each line of the March invoice, and its total in cents."""
    invoice = invoicing.close_period(subscription.period_id, at=APRIL)
    return {line.description: (line.quantity, line.amount_minor) for line in invoice.lines}, invoice.total_minor


def every_day(data):
    return [(MARCH + DAY * number, data) for number in range(31)]


def test_a_month_on_amazons_terms():
    """The examples of aws.amazon.com/s3/faqs (copies read on 2026-11-26), to the cent, and instances beside them.

    Storage is 100 GB for 15 days and 100 TB for 16: 52,900 GB-months, $1,215.00. Requests are 310,000 PUT for $1.55 and
    620,000 GET for $0.25. Traffic is a TB a day from storage and another from an instance: 63,488 GB, the first of them
    free, $921.51 + $3,481.60 + $860.16. Instance hours are those of s3.amazonaws.com/calculator/calc5.html (read the
    same day): three instances day and night and two for five hours a day are 2,542 hours, at the price list's $0.096.
    """
    subscription = subscribe("aws-like")
    send("acme", "bucket.resized", (MARCH, {"bytes": 100 * GB}), (MARCH + 15 * DAY, {"bytes": 100 * TB - 100 * GB}))
    send("acme", "bucket.written", *every_day({"requests": 10_000}))
    send("acme", "bucket.read", *every_day({"requests": 20_000}))
    send("acme", "traffic.left", *every_day({"bytes": TB}), *every_day({"bytes": TB}))
    send("acme", "instance.ran", *every_day({"type": "m5.large", "hours": 3 * 24 + 2 * 5}))
    lines, total = close_march(subscription)
    assert lines == {
        "Compute": (Decimal(2_542), 24_403),
        "Storage": (Decimal(52_900), 121_500),
        "PUT, COPY, POST and LIST requests": (Decimal(310_000), 155),
        "GET and other requests": (Decimal(620_000), 25),
        "Traffic to the internet": (Decimal(63_488), 526_327),
    }
    assert total == 24_403 + 121_500 + 155 + 25 + 526_327


# docs.snowflake.com/en/user-guide/warehouses-overview (read 2026-11-26): credits per hour, and at least 60 seconds.
CREDITS = {"X-Small": 1, "Small": 2, "Medium": 4, "Large": 8, "X-Large": 16, "5X-Large": 256}
CREDIT = Decimal(2)


@pytest.mark.parametrize("size", CREDITS)
@pytest.mark.parametrize(("seconds", "billed"), [(1, 60), (60, 60), (61, 61), (120, 120), (600, 600), (3600, 3600)])
def test_a_warehouse_costs_its_credits_by_the_second_and_a_minute_at_least(size, seconds, billed):
    subscription = subscribe("snowflake-like")
    send("acme", "warehouse.ran", (MARCH, {"size": size, "seconds": seconds}))
    lines, _ = close_march(subscription)
    hours = (Decimal(billed) / 3600).quantize(Decimal("1e-12"))
    expected = round_money(hours * CREDITS[size] * CREDIT, "USD")
    assert lines["Warehouses"] == (Decimal(billed), expected.minor)


def test_a_month_on_snowflakes_terms():
    """The worked bill of docs.snowflake.com/en/user-guide/cost-understanding-overall (a copy read on 2026-11-26).

    A Small warehouse loads day and night for 31 days (1,488 credits), a Large one runs 9 hours on 20 days (1,440), a
    Medium one 16 hours on 20 days (1,280), a 2X-Large one 2 hours on four Fridays (256): 4,464 credits at $2 are
    $8,928. 65 TB at $23 are $1,495. In all $10,423.
    """
    subscription = subscribe("snowflake-like")

    def run(size, hours, days):
        rows = [(MARCH + DAY * day, {"size": size, "seconds": hours * 3_600}) for day in range(days)]
        send("acme", "warehouse.ran", *rows)

    run("Small", 24, 31)
    run("Large", 9, 20)
    run("Medium", 16, 20)
    run("2X-Large", 2, 4)
    send("acme", "storage.measured", *every_day({"terabytes": 65}))
    lines, total = close_march(subscription)
    assert lines == {
        "Warehouses": (Decimal((24 * 31 + 9 * 20 + 16 * 20 + 2 * 4) * 3_600), 892_800),
        "Storage": (Decimal(65), 149_500),
        "Queries by data scanned": (Decimal(0), 0),
    }
    assert total == 1_042_300


def test_short_runs_growing_data_and_queries_on_the_same_terms():
    """A hundred starts of an X-Small warehouse for 10 seconds are billed a minute each: 1⅔ credits, $3.33.

    10 TB on half of the days and 12 on the others (of 30) are 11 TB-months, the average of the days, at $23. Ten
    queries over 30 GB are 300/1,024 TB at Athena's $5 (aws.amazon.com/athena/pricing, read 2026-11-26): $1.46; a query
    over a kilobyte counts 10 MB.
    """
    subscription = subscribe("snowflake-like")
    starts = [(MARCH + timedelta(minutes=5 * number), {"size": "X-Small", "seconds": 10}) for number in range(100)]
    send("acme", "warehouse.ran", *starts)
    send("acme", "storage.measured", *((MARCH + DAY * n, {"terabytes": 10 if n < 15 else 12}) for n in range(30)))
    send("acme", "query.ran", *((MARCH + DAY * n, {"bytes_scanned": 30 * GB}) for n in range(10)))
    send("acme", "query.ran", (MARCH, {"bytes_scanned": 1_000}))
    lines, total = close_march(subscription)
    assert lines == {
        "Warehouses": (Decimal(100 * 60), 333),
        "Storage": (Decimal(11), 25_300),
        "Queries by data scanned": (Decimal(10 * 30 * 1_024 + 10), 146),
    }
    assert total == 333 + 25_300 + 146
