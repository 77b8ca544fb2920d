from decimal import Decimal
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction

from billing import drafting, invariants, invoicing, issuing, items, tax_rates
from billing.drafting import NothingToBill, UnknownDraft
from billing.models import Invoice, InvoiceItem, InvoiceLine, InvoiceSeries
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_account, make_subscription
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db


def add(account_id, amount="30.00", *, key="setup", kind="one_off", description="Setup", **fields):
    return items.add_item(
        account_id=account_id,
        currency="EUR",
        kind=kind,
        description=description,
        unit_amount=Decimal(amount),
        key=key,
        at=MID_JAN,
        **fields,
    )


def bill(account_id, *, at=FEB):
    return issuing.issue_one_off(drafting.draft_items(account_id=account_id, currency="EUR", at=at).pk, at=at)


def assert_sound():
    assert list(invariants.check()) == []


def test_an_item_is_written_once_for_its_key():
    account = make_account()
    first = add(account.id, "0.125", quantity=Decimal(3))
    assert (first.amount_exact, first.amount_minor, first.is_billed) == (Decimal("0.375"), 38, False)
    assert add(account.id, "99.00") == first
    assert add(make_account("beta").id).id != first.id


def test_a_one_off_invoice_bills_what_waits_for_no_subscription():
    subscription = make_subscription()
    add(subscription.account_id, "30.00", key="setup")
    add(subscription.account_id, "-5.00", key="goodwill", kind="fee", description="Goodwill")
    add(subscription.account_id, key="seats", subscription_id=subscription.id)
    invoice = bill(subscription.account_id)
    assert (invoice.kind, invoice.number, invoice.state, invoice.total_minor) == (
        "one_off", "2026-000001", "issued", 2500,
    )  # fmt: skip
    assert (invoice.period_start, invoice.period_end) == (FEB, FEB + 24 * HOUR)
    lines = invoicing.read_invoice(account_id=subscription.account_id, number="2026-000001").lines
    assert [(line.kind, line.description, line.amount_minor) for line in lines] == [
        ("one_off", "Setup", 3000),
        ("fee", "Goodwill", -500),
    ]
    assert [item.key for item in InvoiceItem.objects.filter(invoice_line=None)] == ["seats"]
    with pytest.raises(NothingToBill):
        bill(subscription.account_id)
    assert_sound()


def test_what_waits_for_a_subscription_is_on_the_invoice_of_its_period():
    subscription = make_subscription()
    item = add(
        subscription.account_id,
        "-12.34",
        kind="proration",
        subscription_id=subscription.id,
        period_start=JAN,
        period_end=MID_JAN,
    )
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert invoice.total_minor == 4900 - 1234
    line = invoice.lines[-1]
    assert (line.position, line.kind, line.amount_minor, line.period) == (4, "proration", -1234, (JAN, MID_JAN))
    assert InvoiceItem.objects.get(pk=item.id).invoice_line.invoice_id == invoice.id
    assert_sound()


def test_a_draft_of_items_that_is_dropped_lets_them_wait_again():
    account = make_account()
    add(account.id)
    draft = drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    with pytest.raises(NothingToBill):
        bill(account.id)
    drafting.drop_draft(draft.pk)
    assert not InvoiceLine.objects.exists()
    invoice = bill(account.id)
    for call in (lambda: drafting.drop_draft(invoice.pk), lambda: issuing.issue_one_off(draft.pk, at=FEB)):
        with pytest.raises(UnknownDraft):
            call()
    assert (Invoice.objects.count(), invoice.total_minor) == (1, 3000)


def test_a_one_off_invoice_bears_the_taxes_of_its_account():
    account = make_account()
    tax_rates.set_tax_rates(
        account_id=account.id, rate_ids=[tax_rates.create_tax_rate(name="VAT", percent=Decimal(20))]
    )
    add(account.id, "10.03")
    invoice = bill(account.id)
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor, invoice.due_minor) == (
        1003,
        201,
        1204,
        1204,
    )
    assert_sound()


WRITES = {
    "amount": lambda: InvoiceItem.objects.update(amount_minor=1),
    "description": lambda: InvoiceItem.objects.update(description="Other"),
    "free what is billed": lambda: InvoiceItem.objects.update(invoice_line=None),
    "remove": lambda: InvoiceItem.objects.all().delete(),
}


@pytest.mark.parametrize("name", WRITES)
def test_an_item_that_is_billed_cannot_change(name):
    account = make_account()
    add(account.id)
    bill(account.id)
    before = list(InvoiceItem.objects.values())
    with pytest.raises(IntegrityError), transaction.atomic():
        WRITES[name]()
    assert list(InvoiceItem.objects.values()) == before


def test_an_item_is_billed_by_a_line_that_says_the_same():
    account = make_account()
    add(account.id, "10.00", key="first")
    draft = drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    other = add(account.id, "11.00", key="second")
    InvoiceItem.objects.filter(key="first").update(invoice_line=None)
    with pytest.raises(IntegrityError, match="is not what the line bills"), transaction.atomic():
        InvoiceItem.objects.filter(pk=other.id).update(invoice_line=draft.lines.get())


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_two_one_off_invoices_at_once_bill_each_item_once():
    account = make_account()
    for number in range(4):
        add(account.id, key=f"item {number}")
    results = run_together(*[lambda: bill(account.id)] * 3)
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "NothingToBill", "NothingToBill"]
    assert InvoiceLine.objects.count() == 4
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_is_issued_by_many_at_once_gets_one_number():
    account = make_account()
    add(account.id)
    draft = drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    issued = run_together(*[lambda: issuing.issue_one_off(draft.pk, at=FEB)] * 6)
    assert {invoice.number for invoice in issued} == {"2026-000001"}
    assert InvoiceSeries.objects.get().last_number == 1
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_the_database_stops_the_second_issue_and_takes_its_number_back():
    account = make_account()
    add(account.id)
    draft = drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    both_have_read = Barrier(2)

    @transaction.atomic
    def issue():
        invoice = Invoice.objects.get(pk=draft.pk)
        both_have_read.wait(20)
        issuing.issue_invoice(invoice, at=FEB)

    results = run_together(issue, issue)
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "NoneType"]
    assert InvoiceSeries.objects.get().last_number == 1
    assert_sound()


def test_what_is_for_a_time_after_a_period_waits_for_a_later_invoice():
    subscription = make_subscription(started_at=JAN)
    for start, end in ((FEB, MAR), (JAN, FEB)):
        items.add_item(
            account_id=subscription.account_id,
            subscription_id=subscription.id,
            currency="EUR",
            kind="proration",
            description="Base fee",
            unit_amount=Decimal(-1),
            key=f"from {start}",
            period_start=start,
            period_end=end,
            at=JAN,
        )
    assert invoicing.close_period(subscription.period_id, at=FEB).total_minor == 4_800
    waiting = items.list_waiting(account_id=subscription.account_id, currency="EUR", subscription_id=subscription.id)
    assert [item.key for item in waiting] == [f"from {FEB}"]


def test_an_item_is_withdrawn_once_and_billed_no_more():
    account = make_account()
    item = add(account.id)
    items.withdraw_item(item.id, at=FEB)
    items.withdraw_item(item.id, at=MAR)
    assert InvoiceItem.objects.get().withdrawn_at == FEB
    with pytest.raises(NothingToBill):
        bill(account.id)
    assert_sound()


def test_what_is_on_a_draft_cannot_be_withdrawn():
    account = make_account()
    item = add(account.id)
    drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    with pytest.raises(items.NotWaiting, match="on an invoice already"):
        items.withdraw_item(item.id, at=FEB)


def test_the_database_keeps_what_was_withdrawn_off_invoices_and_for_good():
    account = make_account()
    item = add(account.id)
    draft = drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
    row = InvoiceItem.objects.filter(pk=item.id)
    with pytest.raises(IntegrityError, match="invoice_item_withdrawn_is_not_billed"), transaction.atomic():
        row.update(withdrawn_at=FEB)
    drafting.drop_draft(draft.pk)
    row.update(withdrawn_at=FEB)
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
        row.update(withdrawn_at=None)


@pytest.mark.django_db(transaction=True)
def test_an_item_that_is_billed_and_withdrawn_at_once_becomes_one_of_both():
    account = make_account()
    item = add(account.id)

    def draft():
        try:
            drafting.draft_items(account_id=account.id, currency="EUR", at=FEB)
        except NothingToBill:
            return "nothing"
        return "drafted"

    def withdraw():
        try:
            items.withdraw_item(item.id, at=FEB)
        except items.NotWaiting:
            return "refused"
        return "withdrawn"

    outcome = tuple(run_together(draft, withdraw))
    assert outcome in {("drafted", "refused"), ("nothing", "withdrawn")}
