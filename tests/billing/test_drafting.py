from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from billing import coupons, invariants, invoicing, items, plans, tax_rates
from billing.credits import ledger
from billing.invoicing import PeriodNotOver
from billing.models import CreditEntry, CreditGrant, Invoice, InvoiceItem, InvoiceLine
from jobs.models import Job, JobState
from jobs.runner import run_job
from metering.ingest import Fate
from metering.models import Event, HourlyRollup
from tests.billing.credits.makers import give
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_plan, make_subscription, use
from tests.billing.test_items import add
from tests.metering.folding import seal_event

pytestmark = pytest.mark.django_db


def tax(account_id, *rates):
    ids = [
        tax_rates.create_tax_rate(name=name, percent=Decimal(percent), is_inclusive=is_inclusive)
        for name, percent, is_inclusive in rates
    ]
    tax_rates.set_tax_rates(account_id=account_id, rate_ids=ids)


def list_rules():
    return {violation.rule for violation in invariants.check()}


def test_taxes_are_asked_of_each_line_and_rounded_there():
    subscription = make_subscription()
    use("acme", sizes=[0] * 10_250, time=MID_JAN)
    tax(subscription.account_id, ("VAT", "19.6", False), ("City", "1", False))
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    base, requests, bandwidth = invoice.lines
    assert [(each.name, each.percent, each.minor) for each in base.taxes] == [
        ("City", Decimal(1), 49),
        ("VAT", Decimal("19.6"), 960),
    ]
    assert (base.subtotal_minor, base.tax_minor, base.total_minor) == (4900, 1009, 5909)
    assert (requests.subtotal_minor, requests.tax_minor) == (50, 11)
    assert (bandwidth.subtotal_minor, bandwidth.tax_minor) == (0, 0)
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor, invoice.due_minor) == (
        4950, 1020, 5970, 5970,
    )  # fmt: skip
    assert list_rules() == set()


def test_a_coupon_is_taken_off_prices_before_tax():
    subscription = make_subscription()
    tax(subscription.account_id, ("VAT", "20", False))
    coupons.create_coupon(code="tenth", name="A tenth off", percent=Decimal(10))
    coupons.apply_coupon(code="tenth", account_id=subscription.account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.discount_minor, invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor) == (
        490, 4410, 882, 5292,
    )  # fmt: skip
    assert invoice.lines[0].discount_minor == 490
    assert list_rules() == set()


def test_an_inclusive_tax_is_taken_out_of_the_price():
    subscription = make_subscription()
    tax(subscription.account_id, ("TVA", "20", True))
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor) == (4083, 817, 4900)
    assert list_rules() == set()


def test_credit_pays_what_it_can_when_the_invoice_is_issued():
    subscription = make_subscription()
    tax(subscription.account_id, ("VAT", "20", False))
    give(1_000, account_id=subscription.account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.total_minor, invoice.credited_minor, invoice.due_minor) == (5880, 1000, 4880)
    assert CreditGrant.objects.get().balance_minor == 0
    assert CreditEntry.objects.get(kind="burned").invoice_id == invoice.id
    assert list_rules() == set()


def test_credit_that_begins_after_the_period_does_not_pay_for_it():
    subscription = make_subscription()
    give(1_000, account_id=subscription.account_id, at=FEB)
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert (invoice.credited_minor, invoice.due_minor) == (0, 4900)


def test_an_invoice_below_zero_gives_credit_and_nothing_is_due():
    subscription = make_subscription()
    items.add_item(
        account_id=subscription.account_id,
        subscription_id=subscription.id,
        currency="EUR",
        kind="proration",
        description="Unused part",
        unit_amount=Decimal("-60.00"),
        key="unused",
        at=MID_JAN,
    )
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.total_minor, invoice.credited_minor, invoice.due_minor) == (-1100, -1100, 0)
    wallet = ledger.read_wallet(account_id=subscription.account_id, currency="EUR", at=FEB)
    assert wallet.settled_minor == 1100
    assert list_rules() == set()


def test_credit_does_not_pay_for_what_another_line_gives_back():
    subscription = make_subscription()
    give(10_000, account_id=subscription.account_id, at=MID_JAN)
    items.add_item(
        account_id=subscription.account_id,
        subscription_id=subscription.id,
        currency="EUR",
        kind="proration",
        description="Unused part",
        unit_amount=Decimal("-40.00"),
        key="unused",
        at=MID_JAN,
    )
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.total_minor, invoice.credited_minor, invoice.due_minor) == (900, 900, 0)
    assert CreditGrant.objects.get().balance_minor == 9_100
    assert list_rules() == set()


@pytest.mark.parametrize(("started_at", "promised"), [(JAN, 31_000), (datetime(2026, 1, 15, tzinfo=UTC), 17_000)])
def test_a_period_is_raised_to_the_commitment_for_its_part_of_the_whole(started_at, promised):
    subscription = make_subscription(plan=make_plan(commitment_minor=31_000), started_at=started_at)
    add(subscription.account_id, "5.00", subscription_id=subscription.id)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert [(line.kind, line.amount_minor) for line in invoice.lines[3:]] == [
        ("one_off", 500),
        ("true_up", promised - 4900),
    ]
    assert invoice.total_minor == promised + 500
    assert InvoiceItem.objects.get().invoice_line.kind == "one_off"
    assert list_rules() == set()


def test_a_period_that_comes_to_its_commitment_is_not_raised():
    subscription = make_subscription(plan=make_plan(commitment_minor=4_900))
    assert len(invoicing.close_period(subscription.period_id, at=FEB).lines) == 3


# The grace


def test_a_period_that_ended_is_drafted_and_usage_of_the_grace_is_billed():
    subscription = make_subscription()
    use("acme", sizes=[0] * 10_000, time=MID_JAN)
    draft_id = invoicing.draft_ended_period(subscription.period_id, at=FEB)
    draft = Invoice.objects.get(pk=draft_id)
    assert (draft.state, draft.number, draft.total_minor, draft.due_minor) == ("draft", None, 4900, 4900)
    assert list_rules() == set()
    assert use("acme", sizes=[0] * 500, time=MID_JAN, at=FEB + HOUR / 2) == [Fate.ACCEPTED] * 500
    assert invoicing.draft_ended_period(subscription.period_id, at=FEB + HOUR / 2) == draft_id
    draft.refresh_from_db()
    assert draft.total_minor == 5000
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert (invoice.id, invoice.number, invoice.total_minor) == (draft_id, "2026-000001", 5000)
    assert InvoiceLine.objects.count() == 3
    assert invoicing.draft_ended_period(subscription.period_id, at=FEB + HOUR) is None
    assert list_rules() == set()


def test_a_draft_of_a_period_shows_what_waits_and_takes_it_when_it_is_issued():
    subscription = make_subscription()
    items.add_item(
        account_id=subscription.account_id,
        subscription_id=subscription.id,
        currency="EUR",
        kind="fee",
        description="Support",
        unit_amount=Decimal("5.00"),
        key="support",
        at=MID_JAN,
    )
    invoicing.draft_ended_period(subscription.period_id, at=FEB)
    assert InvoiceLine.objects.filter(kind="fee").count() == 1
    assert InvoiceItem.objects.get().invoice_line is None
    invoice = invoicing.close_period(subscription.period_id, at=FEB + HOUR)
    assert InvoiceItem.objects.get().invoice_line.invoice_id == invoice.id
    assert list_rules() == set()


def test_a_period_is_not_drafted_before_its_end():
    subscription = make_subscription()
    with pytest.raises(PeriodNotOver):
        invoicing.draft_ended_period(subscription.period_id, at=FEB - timedelta(microseconds=1))


def test_a_draft_is_promised_for_each_period_whose_grace_runs():
    make_subscription()
    assert invoicing.enqueue_drafts(FEB - timedelta(microseconds=1)) == 0
    assert invoicing.enqueue_drafts(FEB) == 1
    assert invoicing.enqueue_drafts(FEB + HOUR / 2) == 0
    assert run_job(Job.objects.get().pk, clock=lambda: FEB) == JobState.DONE
    assert Invoice.objects.get().state == "draft"


def test_a_period_whose_grace_is_over_is_closed_without_a_promise_to_draft_it():
    make_subscription()
    assert invoicing.enqueue_drafts(FEB + settings.BILLING_CLOSE_DELAY) == 0


DAMAGE = {
    "an invoice's tax and discount are those of its lines": lambda: Invoice.objects.update(discount_minor=1),
    "a line is taxed as it says": lambda: InvoiceLine.objects.filter(position=1).update(tax_minor=1, total_minor=4901),
    "an invoice says what credit paid": lambda: Invoice.objects.update(credited_minor=1, due_minor=4899),
    "a line bills its item": lambda: InvoiceLine.objects.filter(position=3).update(kind="late"),
}


@pytest.mark.parametrize("rule", DAMAGE)
def test_each_rule_of_sums_notices_what_breaks_it(rule):
    subscription = make_subscription(started_at=JAN)
    invoicing.close_period(subscription.period_id, at=FEB)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    assert rule not in list_rules()
    DAMAGE[rule]()
    assert rule in list_rules()


def test_a_line_keeps_the_digest_of_the_events_it_prices():
    subscription = make_subscription()
    use("acme", sizes=[5, 7], time=MID_JAN)
    make_subscription("other", plan=plans.find_plan("growth"))
    use("other", sizes=[3], time=MID_JAN)
    late = FEB + HOUR
    use("acme", sizes=[9], time=FEB)
    invoice = invoicing.close_period(subscription.period_id, at=late)
    events = Event.objects.filter(subject="acme", happened_at__lt=FEB)
    digest = sum(seal_event(e.source, e.event_id, e.happened_at, e.type, e.subject, e.data) for e in events) % 2**256
    assert [(line.event_count, line.event_digest) for line in invoice.lines] == [
        (None, None), (2, f"{digest:064x}"), (2, f"{digest:064x}"),
    ]  # fmt: skip


def test_a_line_over_nothing_has_the_digest_of_nothing():
    invoice = invoicing.close_period(make_subscription().period_id, at=FEB)
    nothing = (0, "0" * 64)
    assert [(line.event_count, line.event_digest) for line in invoice.lines] == [(None, None), nothing, nothing]


def test_a_line_over_hours_from_before_digests_has_none():
    subscription = make_subscription()
    use("acme", sizes=[5], time=MID_JAN)
    HourlyRollup.objects.update(digest=None)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert [(line.event_count, line.event_digest) for line in invoice.lines] == [(None, None), (1, None), (1, None)]


@pytest.mark.parametrize("column", ["event_count = 3", "event_digest = repeat('0', 64)", "event_digest = NULL"])
def test_what_an_issued_line_says_of_its_events_is_frozen(column):
    subscription = make_subscription()
    use("acme", sizes=[5], time=MID_JAN)
    invoicing.close_period(subscription.period_id, at=FEB)
    with pytest.raises(IntegrityError, match="issued"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE billing_invoiceline SET {column} WHERE event_count = 1")  # noqa: S608
