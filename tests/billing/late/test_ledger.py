import pytest
from django.utils.translation import override

from billing import credit_notes, invoicing, moves
from billing.late import changes as late_changes
from billing.late.ledger import LateUsageOf, read_late_usage
from billing.late.policy import LatePolicy
from billing.wording import explain_late
from tests.billing.late.test_settling import NEXT, come_late, make_billed, open_february, settle, take_back_event
from tests.billing.makers import FEB, HOUR, MAR

pytestmark = pytest.mark.django_db


def tell(invoice):
    late = read_late_usage(account_id=invoice.account_id, number=invoice.number)
    return [explain_late(each) for each in late.settled]


def test_what_was_counted_after_an_invoice_is_told_with_where_it_was_billed():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    assert tell(invoice) == ["Calls: 10 requests counted before, 15 requests now; €0.50 will be billed."]
    invoicing.close_period(open_february().pk, at=MAR + HOUR)
    take_back_event(0, at=FEB + 3 * HOUR)
    settle(invoice)
    assert tell(invoice) == [
        "Calls: 10 requests counted before, 15 requests now; €0.50 billed on invoice 2026-000002.",
        "Calls: 15 requests counted before, 14 requests now; €0.10 will be credited.",
    ]


def test_each_outcome_has_its_words():
    _, invoice = make_billed(10, late=LatePolicy(waive_under_minor=20), commitment_minor=150)
    come_late(1)
    settle(invoice)
    assert tell(invoice) == ["Calls: 10 requests counted before, 11 requests now; €0.10 is waived."]
    come_late(3, at=NEXT)
    settle(invoice)
    assert tell(invoice)[2] == "Commitment: what is missing to it changed; €0.40 will be credited."
    moves.void_invoice(invoice.id, reason="a mistake", at=NEXT)
    assert tell(invoice)[3] == "Calls: taken back, as the invoice is void; what waited was withdrawn."


def test_what_a_credit_note_gave_back_is_told():
    _, invoice = make_billed(10)
    credit_notes.issue_credit_note(invoice.id, destination="due", reason="r", key="k", amount_minor=50, at=FEB + HOUR)
    take_back_event(0)
    settle(invoice)
    assert tell(invoice) == ["Calls: 10 requests counted before, 9 requests now; a credit note gave it back already."]


def test_what_waits_is_told_and_another_accounts_invoice_is_not():
    _, invoice = make_billed(10)
    come_late(5)
    late_changes.collect_changes(NEXT)
    [waiting] = read_late_usage(account_id=invoice.account_id, number=invoice.number).waiting
    assert (waiting.meter_name, waiting.quantity, waiting.unit) == ("Requests", 5, "request")
    assert read_late_usage(account_id=invoice.account_id + 1, number=invoice.number) == LateUsageOf((), ())


def test_words_are_in_the_readers_language():
    _, invoice = make_billed(10)
    come_late(5)
    settle(invoice)
    with override("fr"):
        assert "0,50" in tell(invoice)[0]
