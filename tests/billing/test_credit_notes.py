from dataclasses import replace
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from billing import credit_notes, invariants, invoicing, moves, tax_rates
from billing.credit_notes import CreditRefused, LineLeft, make_line
from billing.lines import LineTax
from billing.models import CreditGrant, CreditNote, CreditNoteLine, Invoice, InvoiceSeries
from tests.billing.makers import FEB, MAR, MID_JAN, make_subscription, use
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db


def make_invoice(*, is_paid=True):
    """49.00 and 0.50 without, 58.80 and 0.60 with tax, for January."""
    subscription = make_subscription()
    use("acme", sizes=[0] * 10_250, time=MID_JAN)
    rate = tax_rates.create_tax_rate(name="VAT", percent=Decimal(20))
    tax_rates.set_tax_rates(account_id=subscription.account_id, rate_ids=[rate])
    invoice = invoicing.close_period(subscription.period_id, at=FEB)
    if is_paid:
        moves.mark_paid(invoice.id, method="transfer", at=FEB)
    return invoice


def credit(invoice, *, key="it", destination="balance", **terms):
    return credit_notes.issue_credit_note(
        invoice.id, destination=destination, reason="It did not work", key=key, at=MAR, **terms
    )


def assert_sound():
    assert list(invariants.check()) == []


def test_a_full_credit_note_gives_back_each_line_with_its_tax_and_grants_credit():
    invoice = make_invoice()
    note = credit(invoice)
    assert (note.number, note.subtotal_minor, note.tax_minor, note.total_minor) == ("CN-2026-000001", 4950, 990, 5940)
    assert list(note.lines.order_by("pk").values_list("subtotal_minor", "tax_minor", "total_minor")) == [
        (4900, 980, 5880),
        (50, 10, 60),
    ]
    grant = CreditGrant.objects.get()
    assert (grant.source, grant.balance_minor, grant.currency) == ("credit_note", 5940, "EUR")
    assert Invoice.objects.get().state == "paid"
    assert_sound()


def test_a_key_is_one_note():
    invoice = make_invoice()
    assert credit(invoice, amount_minor=100).pk == credit(invoice, amount_minor=200).pk
    assert (CreditNote.objects.count(), CreditGrant.objects.count()) == (1, 1)


def test_a_part_is_shared_between_the_lines_in_proportion():
    note = credit(make_invoice(), amount_minor=2970, destination="refund")
    assert list(note.lines.order_by("pk").values_list("total_minor", "tax_minor")) == [(2940, 490), (30, 5)]
    assert not CreditGrant.objects.exists()
    assert_sound()


def test_a_line_is_credited_alone_and_no_further_than_it_goes():
    invoice = make_invoice()
    note = credit(invoice, lines={2: 31})
    assert (note.total_minor, note.lines.get().invoice_line.position) == (31, 2)
    for lines in ({2: 30}, {1: 0}, {3: 1}, {9: 1}):
        with pytest.raises(CreditRefused):
            credit(invoice, key="more", lines=lines)
    assert credit(invoice, key="rest", lines={2: 29}).total_minor == 29
    assert credit(invoice, key="all").total_minor == 5880
    assert CreditNoteLine.objects.filter(invoice_line__position=2).count() == 2
    assert_sound()


@pytest.mark.parametrize("amount", [0, -1, 5941])
def test_more_than_was_billed_is_not_credited(amount):
    with pytest.raises(CreditRefused):
        credit(make_invoice(), amount_minor=amount)
    assert (CreditNote.objects.count(), InvoiceSeries.objects.filter(prefix__startswith="CN").count()) == (0, 0)


def test_what_was_not_paid_comes_off_what_is_due_and_not_back():
    invoice = make_invoice(is_paid=False)
    for destination in ("balance", "refund"):
        with pytest.raises(CreditRefused):
            credit(invoice, destination=destination)
    credit(invoice, destination="due", amount_minor=940)
    assert moves.read_standing(Invoice.objects.get()).open_minor == 5000
    moves.record_payment(invoice.id, amount_minor=3000, method="transfer", key="part", at=MAR)
    with pytest.raises(CreditRefused):
        credit(invoice, key="too much", destination="due", amount_minor=2001)
    with pytest.raises(CreditRefused):
        credit(invoice, key="too much", destination="refund", amount_minor=3001)
    credit(invoice, key="rest", destination="due", amount_minor=2000)
    assert Invoice.objects.get().state == "paid"
    assert_sound()


def test_nothing_is_credited_of_a_void_invoice():
    invoice = make_invoice(is_paid=False)
    moves.void_invoice(invoice.id, reason="no", at=MAR)
    with pytest.raises(CreditRefused):
        credit(invoice)


@transaction.atomic
def credit_and_die(invoice):
    credit(invoice, key="undone", amount_minor=1)
    raise RuntimeError


def test_credit_notes_have_a_series_of_their_own_without_a_gap():
    invoice = make_invoice()
    with pytest.raises(RuntimeError):
        credit_and_die(invoice)
    numbers = [credit(invoice, key=f"note {n}", amount_minor=10).number for n in range(3)]
    assert numbers == ["CN-2026-000001", "CN-2026-000002", "CN-2026-000003"]
    assert_sound()


WRITES = {
    "change a note": lambda: CreditNote.objects.update(reason="other"),
    "remove a note": lambda: CreditNote.objects.all().delete(),
    "change a line": lambda: CreditNoteLine.objects.update(subtotal_minor=1, tax_minor=0, total_minor=1),
    "remove a line": lambda: CreditNoteLine.objects.all().delete(),
    "add a line": lambda: add_line(),
}


def add_line():
    note = CreditNote.objects.get()
    line = note.invoice.lines.get(position=1)
    CreditNoteLine.objects.create(note=note, invoice_line=line, subtotal_minor=1, tax_minor=0, total_minor=1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("name", WRITES)
def test_an_issued_credit_note_cannot_change(name):
    credit(make_invoice(), lines={2: 30})
    with pytest.raises(IntegrityError), transaction.atomic():
        WRITES[name]()
    assert_sound()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.data())
def test_notes_over_the_whole_of_a_line_give_back_its_net_and_each_tax_exactly(parts, data):
    net, *taxes = parts
    left = LineLeft(1, 1, net, tuple(LineTax(str(n), Decimal(1), False, tax) for n, tax in enumerate(taxes)))
    given_back = [0] * len(parts)
    for last in (False, False, True):
        if not left.total_minor:
            break
        note = make_line(left, left.total_minor if last else data.draw(st.integers(1, left.total_minor)))
        got = [note.subtotal_minor, *(tax["minor"] for tax in note.taxes)]
        net, *taxes = (before - part for before, part in zip(left.parts, got, strict=True))
        assert min(net, *taxes, 0) == 0
        given_back = [before + part for before, part in zip(given_back, got, strict=True)]
        left = replace(
            left,
            net_minor=net,
            taxes=tuple(replace(tax, minor=part) for tax, part in zip(left.taxes, taxes, strict=True)),
        )
    assert given_back == parts


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_notes_at_once_give_back_no_more_than_was_billed():
    invoice = make_invoice()
    notes = [lambda key=key: credit(invoice, key=key, amount_minor=2500) for key in "abcd"]
    results = run_together(*notes)
    assert sorted(type(result).__name__ for result in results) == [
        "CreditNote", "CreditNote", "CreditRefused", "CreditRefused",
    ]  # fmt: skip
    assert sum(CreditGrant.objects.values_list("balance_minor", flat=True)) == 5000
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_the_database_refuses_the_note_over_the_amount(monkeypatch):
    invoice, both_have_read = make_invoice(), Barrier(2)
    require_room = credit_notes.require_room

    def look_and_wait(*args):
        require_room(*args)
        both_have_read.wait(20)

    monkeypatch.setattr(credit_notes, "lock_invoice", lambda invoice_id: Invoice.objects.get(pk=invoice_id))
    monkeypatch.setattr(credit_notes, "require_room", look_and_wait)
    results = run_together(*(lambda key=key: credit(invoice, key=key, amount_minor=4000) for key in "ab"))
    assert sorted(type(result).__name__ for result in results) == ["CreditNote", "IntegrityError"]
    assert InvoiceSeries.objects.get(prefix="CN-2026-").last_number == 1
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_lock_and_database_more_is_credited_than_was_billed_and_the_check_finds_it(monkeypatch):
    invoice, both_have_read = make_invoice(), Barrier(2)
    require_room = credit_notes.require_room

    def look_and_wait(*args):
        require_room(*args)
        both_have_read.wait(20)

    monkeypatch.setattr(credit_notes, "lock_invoice", lambda invoice_id: Invoice.objects.get(pk=invoice_id))
    monkeypatch.setattr(credit_notes, "require_room", look_and_wait)

    @transaction.atomic
    def credit_unguarded(key):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
        return credit(invoice, key=key, destination="refund", amount_minor=4000)

    results = run_together(*(lambda key=key: credit_unguarded(key) for key in "ab"))
    assert [type(result).__name__ for result in results] == ["CreditNote", "CreditNote"]
    assert "no more is credited than was billed" in {violation.rule for violation in invariants.check()}
