"""What is issued, and what is paid at once because nothing of it is due."""

from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import closing, credit_notes, dunning, invariants, invoicing, moves, subscriptions
from billing.credit_notes import CreditRefused
from billing.models import CreditEntry, CreditGrant, Invoice, InvoiceMove, Payment, Period
from billing.moves import MoveRefused
from billing.papers.invoices import read_invoice_paper
from tests.billing.credits.makers import give
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_account, make_plan, make_subscription
from tests.billing.test_items import add, bill
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db


def make_paid_by_credit():
    """49.00 for January, paid by a grant of 100.00."""
    subscription = make_subscription()
    give(10_000, account_id=subscription.account_id, at=MID_JAN)
    return invoicing.close_period(subscription.period_id, at=FEB)


def list_moves():
    return list(InvoiceMove.objects.order_by("pk").values_list("invoice__number", "state", "reason", "at"))


def assert_sound():
    assert list(invariants.check()) == []


def test_what_credit_pays_in_full_is_paid_when_it_is_issued_and_twice_is_once():
    invoice = make_paid_by_credit()
    assert (invoice.state, invoice.number, invoice.total_minor, invoice.due_minor) == ("paid", "2026-000001", 4900, 0)
    assert invoicing.close_period(Period.objects.get(starts_at=JAN).pk, at=FEB + HOUR) == invoice
    assert list_moves() == [("2026-000001", "issued", "", FEB), ("2026-000001", "paid", "Nothing is due.", FEB)]
    assert not Payment.objects.exists()
    assert_sound()


def test_what_credit_pays_in_part_is_issued():
    subscription = make_subscription()
    give(4_899, account_id=subscription.account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.state, invoice.due_minor) == ("issued", 1)
    assert list_moves() == [("2026-000001", "issued", "", FEB)]
    assert_sound()


@pytest.mark.parametrize(
    ("amount", "state", "total", "granted"),
    [("-49.00", "paid", 0, []), ("-60.00", "paid", -1100, [1100]), ("-48.99", "issued", 1, [])],
)
def test_what_comes_to_nothing_or_below_is_paid_when_it_is_issued(amount, state, total, granted):
    subscription = make_subscription()
    add(subscription.account_id, amount, kind="fee", description="Goodwill", subscription_id=subscription.id)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    assert (invoice.state, invoice.total_minor, invoice.due_minor) == (state, total, max(total, 0))
    assert list(CreditGrant.objects.values_list("balance_minor", flat=True)) == granted
    assert_sound()


def test_a_one_off_invoice_of_nothing_is_paid_when_it_is_issued():
    account_id = make_account().id
    add(account_id, "30.00")
    add(account_id, "-30.00", key="goodwill", kind="fee", description="Goodwill")
    invoice = bill(account_id)
    assert (invoice.state, invoice.total_minor) == ("paid", 0)
    assert [move[1] for move in list_moves()] == ["issued", "paid"]
    assert_sound()


def test_both_are_issued_in_as_many_statements_as_either():
    make_plan()
    counted = []
    for keys in (["acme", "beta"], ["gamma", "delta"]):
        periods = [
            subscriptions.create_subscription(
                account_id=make_account(key).id, plan_slug="growth", started_at=JAN, at=JAN
            ).period_id
            for key in keys
        ]
        give(10_000, account_id=Period.objects.get(pk=periods[0]).subscription.account_id, at=MID_JAN)
        if counted:
            give(10_000, account_id=Period.objects.get(pk=periods[1]).subscription.account_id, at=MID_JAN)
        with CaptureQueriesContext(connection) as queries:
            closing.close_periods(periods, at=FEB)
        counted.append(len(queries))
    assert counted[0] == counted[1]
    assert sorted(Invoice.objects.values_list("state", flat=True)) == ["issued", "paid", "paid", "paid"]
    assert_sound()


# What the database lets through


@pytest.mark.parametrize("state", ["paid", "issued"])
def test_the_database_takes_no_draft_for_paid_but_where_nothing_is_due(state):
    """From what was made of a paid and of an issued invoice, each tries the state of the other."""
    subscription = make_subscription()
    if state == "issued":
        give(10_000, account_id=subscription.account_id, at=MID_JAN)
    draft_id = invoicing.draft_ended_period(subscription.period_id, at=FEB)
    number = "UPDATE billing_invoice SET state = %s, number = 'X', series_id = 1, sequence = 1, issued_at = now()"
    credited = ", credited_minor = total_minor, due_minor = 0" if state == "issued" else ""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO billing_invoiceseries (id, prefix, last_number) VALUES (1, 'X', 1)")
        with pytest.raises(IntegrityError, match="is due; it cannot move from draft to"), transaction.atomic():
            cursor.execute(f"{number}{credited} WHERE id = %s", [state, draft_id])
    assert Invoice.objects.get().state == "draft"


def test_a_draft_without_a_number_is_not_paid():
    account_id = make_account().id
    add(account_id, "30.00")
    add(account_id, "-30.00", key="goodwill", kind="fee", description="Goodwill")
    invoice = bill(account_id)
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(number=None)
    Invoice.objects.filter(pk=invoice.pk).update(state="void")
    add(account_id, "30.00", key="a")
    add(account_id, "-30.00", key="b")
    draft = import_module("billing.drafting").draft_items(account_id=account_id, currency="EUR", at=FEB)
    with pytest.raises(IntegrityError, match="invoice_numbered_exactly_once_issued"), transaction.atomic():
        Invoice.objects.filter(pk=draft.pk).update(state="paid")


def test_invoices_of_before_of_which_nothing_is_due_become_paid():
    invoice = make_paid_by_credit()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE billing_invoice SET state = 'issued'")
        cursor.execute("DELETE FROM billing_invoicemove WHERE state = 'paid'")
        cursor.execute("SET LOCAL session_replication_role = origin")
        assert {each.rule for each in invariants.check()} == {"a paid invoice owes nothing"}
        cursor.execute(import_module("billing.migrations.0023_paid_at_once").PAID)
    assert Invoice.objects.get(pk=invoice.id).state == "paid"
    assert [move[1:3] for move in list_moves()] == [("issued", ""), ("paid", "Nothing is due.")]
    assert_sound()


# What follows from it


def test_a_paid_invoice_for_which_nothing_moved_is_made_void_and_gives_its_credit_back_once():
    invoice = make_paid_by_credit()
    assert CreditGrant.objects.get().balance_minor == 5_100
    for _ in range(2):
        moves.void_invoice(invoice.id, reason="never ordered", at=MAR)
    assert Invoice.objects.get().state == "void"
    assert CreditGrant.objects.get().balance_minor == 10_000
    assert CreditEntry.objects.filter(kind="refunded").count() == 1
    assert [move[1:3] for move in list_moves()][-1] == ("void", "never ordered")
    assert_sound()


def test_one_that_is_billed_again_is_paid_by_the_credit_that_came_back():
    invoice = make_paid_by_credit()
    again = moves.void_invoice(invoice.id, reason="wrong name", bills_again=True, at=MAR)
    assert (again.number, again.state, again.credited_minor) == ("2026-000002", "paid", 4900)
    assert CreditGrant.objects.get().balance_minor == 5_100
    assert_sound()


def test_one_that_gave_credit_or_has_a_note_is_not_made_void_by_anybody():
    subscription = make_subscription()
    add(subscription.account_id, "-60.00", kind="fee", description="Goodwill", subscription_id=subscription.id)
    gave = invoicing.close_period(subscription.period_id, at=FEB)
    account_id = make_account("beta").id
    give(3_000, account_id=account_id, at=MID_JAN)
    add(account_id, "30.00")
    noted = bill(account_id)
    credit_notes.issue_credit_note(noted.pk, destination="balance", reason="late", key="it", at=FEB, amount_minor=100)
    for invoice_id in (gave.id, noted.pk):
        with pytest.raises(MoveRefused, match="credit note"):
            moves.void_invoice(invoice_id, reason="no", at=MAR)
        with pytest.raises(IntegrityError, match="money or credit moved"), transaction.atomic():
            Invoice.objects.filter(pk=invoice_id).update(state="void")
    assert_sound()


def test_what_credit_paid_comes_back_as_credit_and_never_as_money():
    invoice = make_paid_by_credit()
    assert [credit_notes.find_room(Invoice.objects.get(), each) for each in ("due", "balance", "refund")] == [
        0,
        4900,
        0,
    ]
    with pytest.raises(CreditRefused):
        credit_notes.issue_credit_note(invoice.id, destination="refund", reason="late", key="no", at=MAR)
    note = credit_notes.issue_credit_note(invoice.id, destination="balance", reason="late", key="it", at=MAR)
    assert (note.total_minor, Invoice.objects.get().state) == (4900, "paid")
    assert sum(CreditGrant.objects.values_list("balance_minor", flat=True)) == 10_000
    assert_sound()


def test_money_comes_back_as_money_only_as_far_as_money_came():
    subscription = make_subscription()
    give(1_000, account_id=subscription.account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    moves.mark_paid(invoice.id, method="transfer", at=FEB)
    row = Invoice.objects.get()
    assert [credit_notes.find_room(row, each) for each in ("balance", "refund")] == [4900, 3900]
    terms = {"reason": "late", "at": MAR}
    credit_notes.issue_credit_note(invoice.id, destination="refund", key="a", amount_minor=3000, **terms)
    assert [credit_notes.find_room(row, each) for each in ("balance", "refund")] == [1900, 900]
    credit_notes.issue_credit_note(invoice.id, destination="balance", key="b", amount_minor=1500, **terms)
    assert [credit_notes.find_room(row, each) for each in ("balance", "refund")] == [400, 400]
    assert_sound()


def test_nobody_is_reminded_of_it_pays_it_or_gives_it_up(settings):
    invoice = make_paid_by_credit()
    assert dunning.read_dunning(Invoice.objects.get()) is dunning.DunningState.SETTLED
    assert dunning.enqueue_reminders(FEB + settings.BILLING_REMINDERS[0]) == 0
    assert moves.mark_paid(invoice.id, method="credit", at=MAR).state == "paid"
    with pytest.raises(MoveRefused):
        moves.mark_uncollectible(invoice.id, at=MAR)
    with pytest.raises(MoveRefused):
        moves.record_payment(invoice.id, amount_minor=1, method="cash", key="it", at=MAR)
    assert len(list_moves()) == 2


def test_its_paper_asks_for_nothing():
    make_paid_by_credit()
    headline = read_invoice_paper("2026-000001").headline
    assert (headline.label, headline.value) == ("Nothing to pay", "€0.00")


@pytest.mark.django_db(transaction=True)
def test_a_void_and_a_credit_note_at_once_are_one_or_the_other():
    invoice = make_paid_by_credit()

    def write_note():
        return credit_notes.issue_credit_note(invoice.id, destination="balance", reason="late", key="it", at=MAR)

    run_together(lambda: moves.void_invoice(invoice.id, reason="no", at=MAR), write_note)
    state, notes = Invoice.objects.get().state, Invoice.objects.get().credit_notes.count()
    assert (state, notes) in [("void", 0), ("paid", 1)]
    assert sum(CreditGrant.objects.values_list("balance_minor", flat=True)) == 10_000
    assert_sound()
