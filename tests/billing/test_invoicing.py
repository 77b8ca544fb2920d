import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing import closing, invariants, invoicing, issuing, previews, profiles
from billing.invoicing import LateDifference, PeriodNotOver, UnknownInvoice, UnknownPeriod
from billing.models import Invoice, InvoiceLine, InvoiceSeries, InvoiceState, Period
from billing.numbers import take_number
from billing.period_facts import load_periods
from billing.plans import PlanLimitTerms
from billing.previews import NotSubscribed
from billing.rating import Step, StepKind, flat_fee
from metering.ingest import Fate
from metering.models import Limit
from tests.billing.makers import (
    FEB,
    HOUR,
    JAN,
    MAR,
    MID_JAN,
    make_account,
    make_plan,
    make_subscription,
    use,
)
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

SMALL = [flat_fee("Base fee", Decimal("49.00"))]


def make_used_period(requests=12, size=100_000_000):
    """A January in which 12 requests moved 1.2 GB; over the plan's included units only by bytes."""
    subscription = make_subscription(started_at=JAN)
    use("acme", sizes=[size] * requests, time=MID_JAN)
    return subscription


def assert_sound():
    assert list(invariants.check()) == []


def test_closing_a_period_issues_an_invoice_that_explains_each_line():
    subscription = make_used_period()
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert (invoice.number, invoice.state, invoice.issued_at) == ("2026-000001", "issued", FEB + HOUR)
    assert (invoice.period_start, invoice.period_end, invoice.time_zone) == (JAN, FEB, "UTC")
    assert (invoice.customer_name, invoice.plan_name) == ("acme Ltd", "Growth")
    assert (invoice.currency, invoice.total_minor) == ("EUR", 4911)
    base, requests, bandwidth = invoice.lines
    assert (base.description, base.quantity, base.unit, base.event_count, base.amount_minor) == (
        "Base fee", Decimal(1), "", None, 4900,
    )  # fmt: skip
    assert (requests.quantity, requests.unit, requests.event_count, requests.amount_minor) == (
        Decimal(12), "request", 12, 0,
    )  # fmt: skip
    assert requests.steps == (Step(StepKind.INCLUDED, Decimal(12), Decimal(0), Decimal(0)),)
    assert (bandwidth.quantity, bandwidth.unit, bandwidth.event_count) == (Decimal(1_200_000_000), "byte", 12)
    assert bandwidth.amount_exact == Decimal("0.108")
    assert bandwidth.amount_minor == 11
    assert_sound()


def test_usage_above_the_included_units_is_charged_from_the_first_tier():
    subscription = make_subscription(started_at=JAN)
    use("acme", sizes=[0] * 10_250, time=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    requests = invoice.lines[1]
    assert requests.steps == (
        Step(StepKind.INCLUDED, Decimal(10_000), Decimal(0), Decimal(0)),
        Step(StepKind.TIER, Decimal(250), Decimal("0.002"), Decimal("0.5"), tier=1),
    )
    assert requests.amount_minor == 50
    assert invoice.total_minor == 4900 + 50 + 0


def test_the_preview_is_the_invoice_before_it_is_written():
    subscription = make_used_period()
    preview = previews.preview_period(account_id=subscription.account_id, at=MID_JAN + HOUR)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (preview.currency, preview.total_minor) == (invoice.currency, invoice.total_minor)
    assert (preview.start, preview.end) == (JAN, FEB)
    assert preview.lines == invoice.lines


def test_without_a_subscription_there_is_nothing_to_preview():
    with pytest.raises(NotSubscribed):
        previews.preview_period(account_id=make_account("acme").id, at=JAN)


def test_a_period_without_usage_is_billed_with_its_zero_lines():
    subscription = make_subscription(started_at=JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert [(line.description, line.quantity, line.event_count, line.amount_minor) for line in invoice.lines] == [
        ("Base fee", Decimal(1), None, 4900),
        ("Requests", Decimal(0), 0, 0),
        ("Bandwidth", Decimal(0), 0, 0),
    ]
    assert_sound()


def test_events_belong_to_the_period_of_their_own_time():
    subscription = make_subscription(time_zone="Asia/Kolkata", started_at=JAN)
    end = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)
    use("acme", sizes=[1], time=end - timedelta(microseconds=1))
    use("acme", sizes=[1, 1], time=end)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert invoice.period_end == end
    assert invoice.lines[1].quantity == Decimal(1)


def test_closing_twice_returns_the_same_invoice():
    subscription = make_used_period()
    first = invoicing.close_period(subscription.period_id, at=FEB)
    assert invoicing.close_period(subscription.period_id, at=MAR) == first
    assert (Invoice.objects.count(), InvoiceSeries.objects.get().last_number) == (1, 1)


def test_a_period_is_not_closed_before_its_end():
    subscription = make_used_period()
    with pytest.raises(PeriodNotOver):
        invoicing.close_period(subscription.period_id, at=FEB - timedelta(microseconds=1))
    assert not Invoice.objects.exists()
    with pytest.raises(UnknownPeriod):
        invoicing.close_period(404, at=FEB)


def test_closing_makes_metering_call_later_usage_late():
    subscription = make_used_period()
    invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert set(Limit.objects.values_list("closed_at", flat=True)) == {FEB + HOUR}
    assert use("acme", sizes=[1], time=MID_JAN, at=FEB + 2 * HOUR) == [Fate.LATE]


def test_late_usage_moves_no_invoice_but_stays_visible():
    subscription = make_used_period()
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert list(invoicing.list_late_differences()) == []
    use("acme", sizes=[500, 500], time=MID_JAN, at=FEB + 2 * HOUR)
    assert invoicing.read_invoice(account_id=subscription.account_id, number=invoice.number) == invoice
    late = LateDifference(
        subscription.account_id, "2026-000001", 2, "Requests", "request", billed=Decimal(12), used=Decimal(14)
    )
    assert list(invoicing.list_late_differences()) == [
        late,
        LateDifference(
            subscription.account_id,
            "2026-000001",
            3,
            "Bandwidth",
            "byte",
            billed=Decimal(1_200_000_000),
            used=Decimal(1_200_001_000),
        ),
    ]
    assert next(invoicing.list_late_differences(account_id=subscription.account_id, number="2026-000001")) == late
    assert list(invoicing.list_late_differences(account_id=subscription.account_id + 1)) == []
    assert_sound()


def test_invoices_are_listed_newest_first_and_read_by_their_own_account_only(django_assert_num_queries):
    subscription = make_subscription(started_at=JAN, at=MAR)
    stranger = make_account("beta")
    for period in Period.objects.order_by("starts_at")[:2]:
        invoicing.close_period(period.pk, at=MAR + HOUR)
    with django_assert_num_queries(1):
        invoices = invoicing.list_invoices(account_id=subscription.account_id)
    assert [(invoice.number, invoice.period_start) for invoice in invoices] == [
        ("2026-000002", FEB),
        ("2026-000001", JAN),
    ]
    with django_assert_num_queries(2):
        invoice = invoicing.read_invoice(account_id=subscription.account_id, number="2026-000001")
    assert len(invoice.lines) == 3
    assert invoicing.list_invoices(account_id=stranger.id) == []
    for account_id, number in [(stranger.id, "2026-000001"), (subscription.account_id, "2026-000003")]:
        with pytest.raises(UnknownInvoice):
            invoicing.read_invoice(account_id=account_id, number=number)


def test_an_invoice_keeps_the_name_and_zone_it_was_written_with():
    subscription = make_used_period()
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    profiles.set_profile(account_id=subscription.account_id, legal_name="Renamed", time_zone="Asia/Tokyo")
    again = invoicing.read_invoice(account_id=subscription.account_id, number=invoice.number)
    assert (again.customer_name, again.time_zone) == ("acme Ltd", "UTC")


def test_each_year_of_issue_has_its_own_series():
    december = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert [take_number(at).number for at in (december, december, december + HOUR)] == [
        "2026-000001",
        "2026-000002",
        "2027-000001",
    ]


FROZEN_WRITES = {
    "total": lambda i: Invoice.objects.filter(pk=i).update(total_minor=1),
    "number": lambda i: Invoice.objects.filter(pk=i).update(number="2026-000009"),
    "back to draft": lambda i: Invoice.objects.filter(pk=i).update(state=InvoiceState.DRAFT),
    "name": lambda i: Invoice.objects.filter(pk=i).update(customer_name="Someone else"),
    "name while paid": lambda i: Invoice.objects.filter(pk=i).update(state="paid", customer_name="Someone else"),
    "remove": lambda i: run("DELETE FROM billing_invoice WHERE id = %s", i),
    "change a line": lambda i: InvoiceLine.objects.filter(invoice=i).update(amount_minor=1),
    "remove a line": lambda i: run("DELETE FROM billing_invoiceline WHERE invoice_id = %s", i),
    "add a line": lambda i: InvoiceLine.objects.create(
        invoice_id=i,
        position=9,
        description="Extra",
        quantity=1,
        amount_exact=0,
        amount_minor=0,
        subtotal_minor=0,
        total_minor=0,
    ),
    "reopen the period": lambda _: Period.objects.update(closed_at=None),
    "move the period": lambda _: Period.objects.update(ends_at=MAR),
    "remove the period": lambda _: run("DELETE FROM billing_period WHERE id > %s", 0),
    "count back": lambda _: InvoiceSeries.objects.update(last_number=0),
    "skip a number": lambda _: InvoiceSeries.objects.update(last_number=3),
    "rename the series": lambda _: InvoiceSeries.objects.update(prefix="X-"),
    "remove the series": lambda _: run("DELETE FROM billing_invoiceseries WHERE id > %s", 0),
}


def run(statement, value):
    with connection.cursor() as cursor:
        cursor.execute(statement, [value])


@pytest.mark.parametrize("name", FROZEN_WRITES)
def test_an_issued_invoice_and_its_period_cannot_change(name):
    subscription = make_subscription(started_at=JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    with pytest.raises(IntegrityError), transaction.atomic():
        FROZEN_WRITES[name](invoice.id)
    assert invoicing.read_invoice(account_id=invoice.account_id, number=invoice.number) == invoice
    assert_sound()


@pytest.mark.parametrize(
    ("moves", "allowed"),
    [
        (["paid"], True),
        (["uncollectible", "paid"], True),
        (["uncollectible", "void"], True),
        (["void"], True),
        (["paid", "void"], False),
        (["void", "issued"], False),
        (["paid", "issued"], False),
    ],
)
def test_the_state_of_an_issued_invoice_moves_only_as_allowed(moves, allowed):
    subscription = make_subscription(started_at=JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    *first, last = moves
    for state in first:
        Invoice.objects.filter(pk=invoice.id).update(state=state)
    if allowed:
        Invoice.objects.filter(pk=invoice.id).update(state=last)
    else:
        with pytest.raises(IntegrityError, match="cannot move from"), transaction.atomic():
            Invoice.objects.filter(pk=invoice.id).update(state=last)


def make_draft(subscription, **fields):
    period = Period.objects.get(pk=subscription.period_id)
    values = {
        "account_id": subscription.account_id,
        "subscription_id": subscription.id,
        "period": period,
        "currency": "EUR",
        "subtotal_minor": 100,
        "total_minor": 100,
        "due_minor": 100,
        "period_start": period.starts_at,
        "period_end": period.ends_at,
        "customer_name": "Acme",
        "plan_name": "Growth",
        "time_zone": "UTC",
    }
    return Invoice.objects.create(**(values | fields))


def test_a_draft_whose_lines_add_up_to_something_else_is_not_issued():
    draft = make_draft(make_subscription(started_at=JAN))
    InvoiceLine.objects.create(
        invoice=draft, position=1, description="Fee", quantity=1, amount_exact=Decimal("0.99"), amount_minor=99,
        subtotal_minor=99, total_minor=99,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="says 100 but its lines add up to 99"), transaction.atomic():
        issuing.issue_invoice(draft, at=FEB)
    assert Invoice.objects.get().state == "draft"


def test_an_invoice_begins_as_a_draft():
    subscription = make_subscription(started_at=JAN)
    taken = take_number(FEB)
    with pytest.raises(IntegrityError, match="An invoice begins as a draft"), transaction.atomic():
        make_draft(
            subscription,
            state="issued",
            number=taken.number,
            series_id=taken.series_id,
            sequence=taken.sequence,
            issued_at=FEB,
        )


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_eight_threads_close_a_period_once_and_again_once():
    subscription = make_used_period()
    close = lambda: invoicing.close_period(subscription.period_id, at=FEB)  # noqa: E731
    first, second = run_together(*[close] * 8), run_together(*[close] * 8)
    assert {result.number for result in [*first, *second]} == {"2026-000001"}
    assert Invoice.objects.count() == 1
    assert InvoiceLine.objects.count() == 3
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_what_arrives_while_a_period_is_closed_is_either_billed_or_called_late():
    subscription = make_subscription(started_at=JAN)

    def send():
        return [fate for _ in range(12) for fate in use("acme", sizes=[1], time=MID_JAN, at=FEB)]

    *fates, invoice = run_together(send, send, send, lambda: invoicing.close_period(subscription.period_id, at=FEB))
    counted = [fate for part in fates for fate in part]
    assert set(counted) <= {Fate.ACCEPTED, Fate.LATE}
    assert invoice.lines[1].quantity == counted.count(Fate.ACCEPTED)
    late = next(invoicing.list_late_differences(), None)
    assert (late.used - late.billed if late else 0) == counted.count(Fate.LATE)
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_two_closers_collide_and_the_constraint_stops_one(monkeypatch):
    subscription = make_used_period()
    both_have_read = threading.Barrier(2)

    def read_periods(period_ids, *, skip_locked):
        periods = load_periods(period_ids)
        both_have_read.wait(timeout=20)
        return periods

    monkeypatch.setattr(closing, "lock_periods", read_periods)
    close = lambda: invoicing.close_period(subscription.period_id, at=FEB)  # noqa: E731
    results = run_together(close, close)
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "InvoiceFact"]
    assert InvoiceSeries.objects.get().last_number == 1
    assert_sound()


class Died(Exception):
    """What interrupts a transaction after all its work was done."""


@transaction.atomic
def close_and_die(period_id):
    raise Died(invoicing.close_period(period_id, at=FEB).number)


@pytest.mark.django_db(transaction=True)
def test_a_close_that_dies_in_the_middle_leaves_nothing_and_gives_its_number_back():
    make_plan(prices=SMALL, limits=[PlanLimitTerms("requests", Decimal(5))])
    first, second = make_small("acme"), make_small("beta")
    with pytest.raises(Died, match="2026-000001"):
        close_and_die(first.period_id)
    assert not Invoice.objects.exists()
    assert not InvoiceSeries.objects.exists()
    assert not Period.objects.filter(closed_at__isnull=False).exists()
    assert not Limit.objects.filter(closed_at__isnull=False).exists()
    assert invoicing.close_period(second.period_id, at=FEB).number == "2026-000001"
    assert invoicing.close_period(first.period_id, at=FEB).number == "2026-000002"
    assert_sound()


def make_small(key):
    from billing import subscriptions

    return subscriptions.create_subscription(
        account_id=make_account(key).id, plan_slug="growth", started_at=JAN, at=JAN
    )


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_when_eight_threads_issue_and_some_fail():
    make_plan(prices=SMALL, limits=[])
    periods = [make_small(f"customer-{number}").period_id for number in range(16)]
    results = run_together(*(lambda part=part: close_with_failures(part) for part in split(periods, 8)))
    assert results == [2] * 8
    assert sorted(Invoice.objects.values_list("number", flat=True)) == [f"2026-{n:06d}" for n in range(1, 17)]
    assert InvoiceSeries.objects.get().last_number == 16
    assert_sound()


def close_with_failures(periods):
    """Each close is undone once after it took its number, then done for good."""
    for period_id in periods:
        with pytest.raises(Died):
            close_and_die(period_id)
        invoicing.close_period(period_id, at=FEB)
    return len(periods)


def split(items, parts):
    return [items[index::parts] for index in range(parts)]


@pytest.mark.django_db(transaction=True)
def test_control_a_sequence_leaves_a_gap_where_an_issue_is_undone():
    run("CREATE SEQUENCE control_numbers START WITH %s", 1)
    try:
        first = take_control_number()
        with pytest.raises(Died):
            take_control_number_and_die()
        assert (first, take_control_number()) == (1, 3)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SEQUENCE control_numbers")


def take_control_number():
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('control_numbers')")
        return cursor.fetchone()[0]


@transaction.atomic
def take_control_number_and_die():
    raise Died(take_control_number())
