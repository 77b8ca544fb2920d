# mypy: disable-error-code="attr-defined, no-any-return"
# ruff: noqa: DJ008
"""The least that an invoice run in Django can be: three lines from hourly rollups, a number, and a row for an outbox.

A hundred customers a transaction, read as a set and written by `bulk_create`. No taxes, credit, steps, versions,
windows or rules in the database: a flat fee, and two metered prices with fifty free units.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F, Sum

CHUNK = 100
FIRST_DAY, NEXT_MONTH, MONTH_AFTER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)
BEGIN, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
METERS = ("characters", "calls")
ROWS_OF_METER = 50
FREE, UNIT_PRICE, FEE = Decimal(50), Decimal("0.05"), Decimal(30)


class FloorModel(models.Model):
    class Meta:
        abstract = True
        app_label = "bench_floor"


class FloorSubscription(FloorModel):
    customer = models.TextField(db_index=True)
    start = models.DateField()
    end = models.DateField(db_index=True)
    plan = models.IntegerField()


class FloorRollup(FloorModel):
    customer = models.TextField()
    meter = models.TextField()
    hour = models.DateTimeField()
    event_count = models.BigIntegerField()
    total = models.DecimalField(max_digits=30, decimal_places=6)

    class Meta(FloorModel.Meta):
        indexes = [
            models.Index(fields=["customer", "meter", "hour"], include=["event_count", "total"], name="floor_read")
        ]


class FloorCounter(FloorModel):
    last_number = models.BigIntegerField()


class FloorInvoice(FloorModel):
    customer = models.TextField(db_index=True)
    number = models.TextField(unique=True)
    subscription = models.ForeignKey(FloorSubscription, models.CASCADE)
    start = models.DateField()
    total = models.DecimalField(max_digits=20, decimal_places=4)
    state = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(FloorModel.Meta):
        constraints = [models.UniqueConstraint(fields=["subscription", "start"], name="floor_invoice_once")]


class FloorLine(FloorModel):
    invoice = models.ForeignKey(FloorInvoice, models.CASCADE)
    description = models.TextField()
    quantity = models.DecimalField(max_digits=30, decimal_places=6)
    unit_price = models.DecimalField(max_digits=20, decimal_places=6)
    amount = models.DecimalField(max_digits=20, decimal_places=4)


class FloorOutbox(FloorModel):
    topic = models.TextField()
    payload = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)


MODELS = [FloorSubscription, FloorRollup, FloorCounter, FloorInvoice, FloorLine, FloorOutbox]
Line = tuple[str, Decimal, Decimal, Decimal]


@contextmanager
def lay_floor(customers: int) -> Iterator[list[int]]:
    """The floor's tables with so many customers; yields the ids of their subscriptions."""
    with connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)
    try:
        FloorCounter.objects.create(last_number=0)
        FloorSubscription.objects.bulk_create(
            [
                FloorSubscription(customer=f"customer-{number}", start=FIRST_DAY, end=NEXT_MONTH, plan=1)
                for number in range(customers)
            ]
        )
        FloorRollup.objects.bulk_create(list_rollups(customers), batch_size=5_000)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        yield list(FloorSubscription.objects.order_by("pk").values_list("pk", flat=True))
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(MODELS):
                editor.delete_model(model)


def list_rollups(customers: int) -> Iterator[FloorRollup]:
    draw = random.Random(1)  # noqa: S311 - the same rows each time
    for number in range(customers):
        for meter in METERS:
            for _ in range(ROWS_OF_METER):
                yield FloorRollup(
                    customer=f"customer-{number}",
                    meter=meter,
                    hour=BEGIN + timedelta(hours=draw.randrange(740)),
                    event_count=draw.randint(1, 50),
                    total=draw.randint(1, 5_000),
                )


def start_over() -> None:
    """As before the first invoice."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE bench_floor_floorinvoice, bench_floor_floorline, bench_floor_flooroutbox")
        FloorSubscription.objects.update(start=FIRST_DAY, end=NEXT_MONTH)
        cursor.execute("VACUUM ANALYZE bench_floor_floorsubscription")


def bill_all(subscription_ids: Sequence[int]) -> int:
    """Returns how many invoices were made."""
    return sum(bill_chunk(subscription_ids[first : first + CHUNK]) for first in range(0, len(subscription_ids), CHUNK))


@transaction.atomic
def bill_chunk(subscription_ids: Sequence[int]) -> int:
    due = FloorSubscription.objects.select_for_update(skip_locked=True)
    subscriptions = list(due.filter(pk__in=subscription_ids, end__lte=NEXT_MONTH))
    used = read_usage([each.customer for each in subscriptions])
    last = take_numbers(len(subscriptions))
    priced = [list_lines(used.get(each.customer, {})) for each in subscriptions]
    invoices = FloorInvoice.objects.bulk_create(
        [
            FloorInvoice(
                customer=each.customer,
                number=f"INV-{number:08d}",
                subscription=each,
                start=each.start,
                total=sum(line[3] for line in lines),
                state="issued",
            )
            for number, (each, lines) in enumerate(
                zip(subscriptions, priced, strict=True), start=last - len(subscriptions) + 1
            )
        ]
    )
    FloorLine.objects.bulk_create(
        [
            FloorLine(invoice=invoice, description=text, quantity=quantity, unit_price=price, amount=amount)
            for invoice, lines in zip(invoices, priced, strict=True)
            for text, quantity, price, amount in lines
        ]
    )
    FloorOutbox.objects.bulk_create([FloorOutbox(topic="invoice.created", payload=tell(each)) for each in invoices])
    FloorSubscription.objects.filter(pk__in=[each.pk for each in subscriptions]).update(
        start=NEXT_MONTH, end=MONTH_AFTER
    )
    return len(invoices)


def tell(invoice: FloorInvoice) -> dict[str, Any]:
    return {"id": invoice.pk, "number": invoice.number, "total": str(invoice.total)}


def read_usage(customers: Sequence[str]) -> dict[str, dict[str, Decimal]]:
    rows = (
        FloorRollup.objects.filter(customer__in=customers, hour__gte=BEGIN, hour__lt=END)
        .values_list("customer", "meter")
        .annotate(sum=Sum("total"), events=Sum("event_count"))
    )
    used: dict[str, dict[str, Decimal]] = {}
    for customer, meter, total, events in rows:
        used.setdefault(customer, {})[meter] = total if meter == "characters" else Decimal(events)
    return used


def take_numbers(count: int) -> int:
    """The last of so many."""
    FloorCounter.objects.update(last_number=F("last_number") + count)
    return FloorCounter.objects.get().last_number


def list_lines(used: dict[str, Decimal]) -> list[Line]:
    lines: list[Line] = [("Flat fee", Decimal(1), FEE, FEE)]
    for meter in METERS:
        billed = max(used.get(meter, Decimal(0)) - FREE, Decimal(0))
        amount = (billed * UNIT_PRICE).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
        lines.append((meter, billed, UNIT_PRICE, amount))
    return lines
