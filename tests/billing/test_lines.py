from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing import invariants, invoicing, previews
from billing.holdings import ONE_SEAT
from billing.lines import rate_readings
from billing.models import InvoiceLine, Period
from billing.rating import MissingReading, Part, Step, StepKind
from metering import corrections, usage
from metering.models import Event
from tests.billing.makers import (
    BASE_FEE,
    BY_HOST,
    CARDS,
    FEB,
    HOUR,
    JAN,
    MID_JAN,
    make_detailed_meters,
    make_plan,
    make_subscription,
    send,
)

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def subscription():
    make_detailed_meters()
    return make_subscription(plan=make_plan(prices=[BASE_FEE, BY_HOST, CARDS], limits=()))


def pay(*amounts):
    """Card payments a minute apart, sent in the wrong order."""
    rows = [(MID_JAN + number * MINUTE, {"amount": Decimal(amount)}) for number, amount in enumerate(amounts)]
    send("acme", "card.paid", *reversed(rows))


def load(**hosts):
    for host, sizes in hosts.items():
        send("acme", "web.request", *((MID_JAN, {"bytes": size, "host": host, "path": "/"}) for size in sizes))
    send("acme", "web.request", (MID_JAN, {"bytes": 5}))


def close():
    return invoicing.close_period(Period.objects.get(starts_at=JAN).pk, at=FEB + HOUR)


def test_a_price_by_dimension_is_billed_from_rollups(subscription):
    load(a=[100, 50], b=[10], c=[1000])
    line = close().lines[1]
    assert line.steps == (
        Step(StepKind.UNITS, Decimal(150), Decimal("0.02"), Decimal(3), values=("a",)),
        Step(StepKind.UNITS, Decimal(10), Decimal("0.03"), Decimal("0.3"), values=("b",)),
        Step(StepKind.UNITS, Decimal(1005), Decimal("0.01"), Decimal("10.05")),
    )
    assert (line.quantity, line.event_count, line.amount_minor) == (Decimal(1165), 5, 1335)


def test_single_transactions_are_billed_in_the_order_in_which_they_happened(subscription):
    pay("60", "70", "20", "2000", "400")
    line = close().lines[2]
    assert line.steps == (
        Step(StepKind.FREE, Decimal(100), Decimal(0), Decimal(0)),
        Step(StepKind.RATE, Decimal(400), Decimal("0.013"), Decimal("5.2")),
        Step(StepKind.TRANSACTIONS, Decimal(1), Decimal("0.25"), Decimal("0.25")),
        Step(StepKind.SMALL, Decimal(2), Decimal(1), Decimal(2)),  # 30 of the second, and the third
        Step(StepKind.LARGE, Decimal(1), Decimal(12), Decimal(12)),
    )
    assert line.amount_minor == 1945


def test_the_preview_is_the_invoice_that_follows(subscription):
    pay("60", "70", "20")
    load(a=[100], b=[7])
    preview = previews.preview_period(account_id=subscription.account_id, at=MID_JAN + HOUR)
    invoice = close()
    assert [line.steps for line in preview.lines] == [line.steps for line in invoice.lines]
    assert preview.total_minor == invoice.total_minor


def test_a_line_keeps_what_it_priced_and_its_plan_makes_the_same_of_it_again(subscription):
    pay("60", "70")
    load(a=[100], b=[7])
    invoice = close()
    stored = InvoiceLine.objects.order_by("position").values_list("detail", flat=True)
    assert list(stored) == [
        {},
        {
            "parts": [
                {"values": {"host": "a"}, "quantity": "100"},
                {"values": {"host": "b"}, "quantity": "7"},
                {"values": {"host": ""}, "quantity": "5"},
            ]
        },
        {"transactions": ["60", "70"]},
    ]
    assert invoice.lines[1].usage.parts == (
        Part((("host", "a"),), Decimal(100)),
        Part((("host", "b"),), Decimal(7)),
        Part((("host", ""),), Decimal(5)),
    )
    assert list(invariants.check()) == []


def test_a_line_whose_detail_was_changed_is_noticed(subscription):
    load(a=[100])
    close()
    line = InvoiceLine.objects.get(position=2)
    line.detail["parts"][0]["quantity"] = "6"
    [terms] = {subscription.version_id}
    version = invariants.describe_version(invariants.list_published().get(pk=terms))
    [violation] = invariants.check_line(line, version)
    assert violation.rule == "a line is what its plan version asks"


def test_a_transaction_that_was_retracted_is_not_billed(subscription):
    pay("60", "70", "2000")
    event = Event.objects.get(data__amount=2000)
    corrections.retract_event("test", event.event_id, reason="sent twice", made_by="ops", at=MID_JAN + HOUR)
    line = close().lines[2]
    assert line.usage.transactions == (Decimal(60), Decimal(70))


def test_nothing_used_is_a_line_of_nothing(subscription):
    assert [line.amount_minor for line in close().lines] == [4900, 0, 0]


def test_readings_without_the_details_that_a_price_needs_are_refused(subscription):
    load(a=[100])
    readings = usage.read_totals(account_id=subscription.account_id, start=JAN, end=FEB)
    terms = replace(make_plan("other", rank=901), prices=(BY_HOST,))
    with pytest.raises(MissingReading):
        rate_readings(terms, readings, held=ONE_SEAT)
