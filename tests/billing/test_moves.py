from threading import Barrier

import pytest
from django.db import IntegrityError, transaction

from billing import drafting, invariants, invoicing, moves
from billing.models import CreditGrant, Invoice, InvoiceMove, InvoiceState, Payment
from billing.moves import MOVES, MoveRefused, PaidTooMuch, UnknownInvoice
from tests.billing.credits.makers import give
from tests.billing.makers import FEB, HOUR, MAR, MID_JAN, make_subscription, use
from tests.billing.test_items import add, bill
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db


def make_invoice():
    """49.00 for January."""
    return invoicing.close_period(make_subscription().period_id, at=FEB)


def pay(invoice, amount_minor=4900, *, key="payment 1", at=FEB):
    return moves.record_payment(invoice.id, amount_minor=amount_minor, method="transfer", key=key, at=at)


def assert_sound():
    assert list(invariants.check()) == []


def read_state(invoice):
    return Invoice.objects.get(pk=invoice.id).state


def test_an_invoice_is_paid_once_all_of_it_came_in():
    invoice = make_invoice()
    pay(invoice, 4000)
    assert (read_state(invoice), moves.read_standing(Invoice.objects.get()).open_minor) == ("issued", 900)
    assert pay(invoice, 4000).amount_minor == 4000
    pay(invoice, 900, key="payment 2")
    assert (read_state(invoice), Payment.objects.count()) == ("paid", 2)
    assert [(each.state, each.at) for each in InvoiceMove.objects.all()] == [("issued", FEB), ("paid", FEB)]
    assert_sound()


@pytest.mark.parametrize("amount", [0, -1, 4901])
def test_nothing_and_too_much_are_not_paid(amount):
    invoice = make_invoice()
    with pytest.raises(PaidTooMuch):
        pay(invoice, amount)
    assert not Payment.objects.exists()


def test_marking_as_paid_records_the_rest_and_twice_is_once():
    invoice = make_invoice()
    pay(invoice, 900)
    for _ in range(2):
        assert moves.mark_paid(invoice.id, method="cash", at=MAR).state == "paid"
    assert list(Payment.objects.values_list("method", "amount_minor")) == [("transfer", 900), ("cash", 4000)]
    assert_sound()


def test_an_invoice_that_was_given_up_may_still_be_paid():
    invoice = make_invoice()
    for _ in range(2):
        moves.mark_uncollectible(invoice.id, reason="bankrupt", at=MAR)
    assert read_state(invoice) == "uncollectible"
    pay(invoice, at=MAR)
    assert list(InvoiceMove.objects.order_by("pk").values_list("state", "reason")) == [
        ("issued", ""),
        ("uncollectible", "bankrupt"),
        ("paid", ""),
    ]


def test_a_void_invoice_gives_its_credit_back_and_its_period_is_owed_by_nobody():
    subscription = make_subscription()
    give(1_000, account_id=subscription.account_id, at=MID_JAN)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    for _ in range(2):
        moves.void_invoice(invoice.id, reason="never ordered", at=MAR)
    assert read_state(invoice) == "void"
    assert CreditGrant.objects.get().balance_minor == 1_000
    assert_sound()


def test_a_period_that_is_billed_again_has_one_invoice_over_what_is_counted_now():
    subscription = make_subscription()
    give(1_000, account_id=subscription.account_id, at=MID_JAN)
    add(subscription.account_id, "5.00", subscription_id=subscription.id)
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    use("acme", sizes=[0] * 10_500, time=MID_JAN, at=FEB + HOUR)
    again = moves.void_invoice(invoice.id, reason="usage was missing", bills_again=True, at=MAR)
    assert (invoice.total_minor, again.total_minor, again.credited_minor) == (5400, 5500, 1000)
    assert list(Invoice.objects.order_by("pk").values_list("number", "state")) == [
        ("2026-000001", "void"),
        ("2026-000002", "issued"),
    ]
    assert_sound()


def test_an_invoice_for_which_money_moved_is_not_made_void():
    invoice = make_invoice()
    pay(invoice, 100)
    with pytest.raises(MoveRefused, match="credit note"):
        moves.void_invoice(invoice.id, reason="oops", at=MAR)
    assert read_state(invoice) == "issued"


def test_a_one_off_invoice_that_is_void_keeps_its_items_unless_they_are_billed_again():
    account_id = make_subscription().account_id
    add(account_id)
    first = bill(account_id)
    moves.void_invoice(first.pk, reason="wrong tax", bills_again=True, at=FEB)
    second = bill(account_id)
    moves.void_invoice(second.pk, reason="never delivered", at=FEB)
    with pytest.raises(drafting.NothingToBill):
        bill(account_id)
    assert_sound()


def test_moves_that_no_table_allows_are_refused_and_change_nothing():
    invoice = make_invoice()
    moves.mark_paid(invoice.id, method="cash", at=FEB)
    for call in (
        lambda: moves.void_invoice(invoice.id, reason="no", at=MAR),
        lambda: moves.mark_uncollectible(invoice.id, at=MAR),
        lambda: pay(invoice, 1, key="another"),
    ):
        with pytest.raises(MoveRefused):
            call()
    with pytest.raises(UnknownInvoice):
        moves.mark_paid(404, method="cash", at=FEB)
    assert read_state(invoice) == "paid"


def test_the_table_of_moves_is_the_databases_own():
    assert {(before, after) for before, all_after in MOVES.items() for after in all_after} == {
        ("draft", "issued"), ("draft", "paid"), ("issued", "paid"), ("issued", "uncollectible"), ("issued", "void"),
        ("uncollectible", "paid"), ("uncollectible", "void"), ("paid", "void"),
    }  # fmt: skip
    assert set(MOVES) == set(InvoiceState)


WRITES = {
    "change a payment": lambda: Payment.objects.update(amount_minor=1),
    "remove a payment": lambda: Payment.objects.all().delete(),
    "change a move": lambda: InvoiceMove.objects.update(reason="other"),
    "remove a move": lambda: InvoiceMove.objects.all().delete(),
    "pay for what is paid": lambda: Payment.objects.create(
        invoice=Invoice.objects.get(), amount_minor=1, method="cash", key="more", paid_at=FEB
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_payments_and_moves_are_only_added(name):
    pay(make_invoice())
    with pytest.raises(IntegrityError), transaction.atomic():
        WRITES[name]()
    assert_sound()


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_payments_at_once_pay_no_more_than_is_due():
    invoice = make_invoice()
    results = run_together(*(lambda key=key: pay(invoice, 3000, key=key) for key in "abc"))
    assert sorted(type(result).__name__ for result in results) == ["PaidTooMuch", "PaidTooMuch", "Payment"]
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_one_payment_told_by_many_at_once_counts_once():
    invoice = make_invoice()
    assert len({payment.pk for payment in run_together(*[lambda: pay(invoice)] * 4)}) == 1
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_the_database_refuses_the_second_payment(monkeypatch):
    invoice, both_have_read = make_invoice(), Barrier(2)
    read = moves.read_standing

    def read_and_wait(locked):
        standing = read(locked)
        if not standing.paid_minor:
            both_have_read.wait(20)
        return standing

    monkeypatch.setattr(moves, "lock_invoice", lambda invoice_id: Invoice.objects.get(pk=invoice_id))
    monkeypatch.setattr(moves, "read_standing", read_and_wait)
    results = run_together(*(lambda key=key: pay(invoice, 3000, key=key) for key in "ab"))
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "Payment"]
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_a_payment_and_a_void_at_once_are_one_or_the_other():
    invoice = make_invoice()
    results = run_together(lambda: pay(invoice), lambda: moves.void_invoice(invoice.id, reason="no", at=FEB))
    assert (read_state(invoice), sum(isinstance(each, MoveRefused) for each in results)) in [("paid", 1), ("void", 1)]
    assert Payment.objects.count() == (read_state(invoice) == "paid")
    assert_sound()
