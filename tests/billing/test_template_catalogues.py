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
    """The examples of aws.amazon.com/s3/faqs: storage $1,215.00, requests $1.80, egress $5,263.27.

    The first was read in a copy of the page on 2026-11-26; the others are as it has long had them, not read again.
    Storage is 100 GB for 15 days and 100 TB for 16: 52,900 GB-months. Requests are 310,000 PUT and 620,000 GET, which
    the page adds before it rounds; here each line is rounded. Traffic is 2 TB a day: 63,488 GB, the first of them free.
    Instance hours are those of s3.amazonaws.com/calculator/calc5.html (read the same day): three instances day and
    night and two for five hours a day are 2,542 hours, here at $0.096.
    """
    subscription = subscribe("aws-like")
    send("acme", "bucket.resized", (MARCH, {"bytes": 100 * GB}), (MARCH + 15 * DAY, {"bytes": 100 * TB - 100 * GB}))
    send("acme", "bucket.written", *every_day({"requests": 10_000}))
    send("acme", "bucket.read", *every_day({"requests": 20_000}))
    send("acme", "traffic.left", *every_day({"bytes": 2 * TB}))
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
    """A Medium warehouse of 4 credits for 8 hours on 20 days is 640 credits, at $2 a credit $1,280.

    A hundred starts of an X-Small one for 10 seconds are billed a minute each: 1⅔ credits, $3.33. 10 TB on half of the
    days and 12 on the others (of 30) are 11 TB-months at $40. Ten queries over 30 GB are 300/1,024 TB at Athena's $5
    (aws.amazon.com/athena/pricing, read 2026-11-26): $1.46; a query over a kilobyte counts 10 MB.
    """
    subscription = subscribe("snowflake-like")
    runs = [(MARCH + DAY * number, {"size": "Medium", "seconds": 8 * 3_600}) for number in range(20)]
    starts = [(MARCH + timedelta(minutes=5 * number), {"size": "X-Small", "seconds": 10}) for number in range(100)]
    send("acme", "warehouse.ran", *runs, *starts)
    send("acme", "storage.measured", *((MARCH + DAY * n, {"terabytes": 10 if n < 15 else 12}) for n in range(30)))
    send("acme", "query.ran", *((MARCH + DAY * n, {"bytes_scanned": 30 * GB}) for n in range(10)))
    send("acme", "query.ran", (MARCH, {"bytes_scanned": 1_000}))
    lines, total = close_march(subscription)
    assert lines == {
        "Warehouses": (Decimal(20 * 28_800 + 100 * 60), 128_333),
        "Storage": (Decimal(11), 44_000),
        "Queries by data scanned": (Decimal(10 * 30 * 1_024 + 10), 146),
    }
    assert total == 128_333 + 44_000 + 146
