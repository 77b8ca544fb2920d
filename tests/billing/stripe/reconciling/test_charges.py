import pytest

from billing import moves
from billing.models import StripeCreditNote, StripeCustomer
from billing.stripe.reconciling.charges import look_at_charges
from billing.stripe.reconciling.findings import Scope
from tests.billing.makers import FEB, HOUR, JAN
from tests.billing.stripe.reconciling.makers import AT, DAY, ask, make_charged

pytestmark = pytest.mark.django_db
OF_JANUARY = Scope(AT, JAN)


def look(scope=OF_JANUARY):
    return [(found.kind, found.ours, found.theirs, found.difference_minor) for found in look_at_charges(scope).findings]


@pytest.fixture
def charged():
    """0.10 EUR are due."""
    return make_charged(requests=5)


def test_what_stripe_asks_in_full_agrees(charged):
    ask(charged, 10)
    looked = look_at_charges(OF_JANUARY)
    assert looked.findings == []
    number, stripe_id = charged.invoice.number, f"in_{charged.invoice.pk}"
    assert looked.checked == {
        ("invoice_missing", number),
        ("payment", number),
        ("invoice_total", stripe_id),
        ("invoice_state", stripe_id),
    }


def test_what_stripe_was_not_made_to_ask_is_missing_after_two_hours(charged):
    assert look(Scope(FEB + 3 * HOUR, JAN)) == []
    assert look() == [("invoice_missing", "0.10 EUR", "no invoice", 10)]


def test_a_draft_that_was_stopped_says_why(charged):
    ask(charged, 10, state="draft", step="stopped", finalised_at=None, error_message="No address.")
    [found] = look_at_charges(OF_JANUARY).findings
    assert (found.kind, found.theirs) == ("invoice_missing", f"draft in_{charged.invoice.pk}")
    assert found.cause == f"Invoice {charged.invoice.number}: Stripe says: No address."


@pytest.mark.parametrize(("total", "difference"), [(9, 1), (12, -2)])
def test_another_total_differs_by_what_is_missing(charged, total, difference):
    ask(charged, total)
    assert look() == [("invoice_total", "0.10 EUR", f"0.{total:02} EUR", difference)]


def test_a_second_invoice_of_stripes_asks_the_rest(charged):
    ask(charged, 6)
    ask(charged, 4, role="rest", stripe_id="in_rest")
    assert look() == []


def test_what_stripe_asked_too_much_is_taken_back_by_its_note(charged):
    row = ask(charged, 12)
    StripeCreditNote.objects.create(
        stripe_invoice=row, stripe_id="cn_1", is_correction=True, total_minor=2, created_at=FEB
    )
    assert look() == []


def test_who_is_paid_here_and_not_there_or_there_and_not_here_differs(charged):
    row = ask(charged, 10)
    moves.mark_paid(charged.invoice.pk, method="transfer", at=FEB + DAY)
    assert look() == [("payment", "paid", "open", 10)]
    assert look(Scope(FEB + DAY + HOUR, JAN)) == []  # Stripe is about to be told
    row.state, row.paid_minor = "paid", 10
    row.save()
    assert look() == []


def test_money_that_came_in_there_alone_is_below_zero(charged):
    ask(charged, 10, state="paid", paid_minor=10)
    assert look() == [("payment", "issued", "paid", -10)]


def test_what_one_side_gave_up_the_other_does_not_go_on_with(charged):
    row = ask(charged, 10, state="void")
    assert look() == [("invoice_state", "issued", "void", None)]
    moves.void_invoice(charged.invoice.pk, at=FEB + DAY, reason="Billed wrongly.")
    assert look() == []
    row.state = "open"
    row.save()
    assert look() == [("invoice_state", "void", "open", None)]


def test_money_given_back_there_alone_differs(charged):
    ask(charged, 10, state="paid", paid_minor=10, refunded_minor=4)
    moves.mark_paid(charged.invoice.pk, method="stripe", at=FEB + DAY)
    assert look() == [("payment", "0.00 EUR refunded", "0.04 EUR refunded", 4)]


def test_money_given_back_because_stripe_had_asked_too_much_does_not_differ(charged):
    row = ask(charged, 14, state="paid", paid_minor=14, refunded_minor=4)
    StripeCreditNote.objects.create(
        stripe_invoice=row, stripe_id="cn_1", is_correction=True, total_minor=4, refund_minor=4, created_at=FEB
    )
    moves.mark_paid(charged.invoice.pk, method="stripe", at=FEB + DAY)
    assert look() == []


def test_who_was_connected_after_the_invoice_is_not_charged_for_it(charged):
    StripeCustomer.objects.update(asked_at=AT)
    assert look() == []
