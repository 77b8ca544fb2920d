from datetime import timedelta

import pytest

from billing import moves
from billing.models import StripeInvoice
from billing.stripe.charging.rows import count_rounds, link_cycle, write_told
from billing.stripe.charging.told import read_told
from tests.billing.makers import FEB, MAR
from tests.billing.stripe.charging.bodies import write_invoice, write_payment
from tests.billing.stripe.charging.makers import hear, make_invoice, make_row

pytestmark = pytest.mark.django_db


def test_a_row_says_what_stripe_says():
    row = hear(
        make_row(make_invoice()),
        status="open",
        total=4900,
        number="A-1",
        attempt_count=1,
        next_payment_attempt=int((FEB + timedelta(days=3)).timestamp()),
        hosted_invoice_url="https://pay.test/in_1",
        payments={
            "data": [
                write_payment(
                    0,
                    status="open",
                    last_payment_error={"code": "card_declined", "message": "Declined."},
                )
            ]
        },
    )
    assert (row.state, row.total_minor, row.number, row.attempt_count) == ("open", 4900, "A-1", 1)
    assert row.next_attempt_at == FEB + timedelta(days=3)
    assert (row.error_code, row.error_message) == ("card_declined", "Declined.")


def test_what_was_read_before_changes_nothing():
    row = hear(make_row(make_invoice()), status="paid", total=4900, amount_paid=4900)
    later = hear(row, status="open", total=4900)
    assert (later.state, later.paid_minor) == ("paid", 4900)


def test_an_attempt_that_was_read_before_changes_nothing():
    row = hear(make_row(make_invoice()), status="open", attempt_count=2)
    assert hear(row, status="open", attempt_count=1).attempt_count == 2


def test_a_status_that_nobody_knows_changes_nothing():
    assert hear(make_row(make_invoice()), status="frozen").state == "draft"


def test_paying_ends_the_trouble():
    payments = {"data": [write_payment(0, status="open", last_payment_error={"code": "x", "message": "No."})]}
    row = hear(make_row(make_invoice()), status="open", attempt_count=1, payments=payments)
    assert row.error_message == "No."
    row = hear(row, status="paid", attempt_count=2, payments=payments)
    assert (row.error_code, row.error_message, row.needs_action) == ("", "", False)


def test_a_payment_that_the_customer_has_to_confirm_is_seen():
    payments = {"data": [write_payment(0, status="open")]}
    payments["data"][0]["payment"]["payment_intent"]["status"] = "requires_action"
    assert hear(make_row(make_invoice()), status="open", payments=payments).needs_action


def test_what_stripe_drew_asks_one_invoice():
    invoice = make_invoice()
    make_row(invoice, role="cycle", invoice=None, period=invoice.period)
    assert link_cycle(invoice.period_id, invoice).invoice == invoice
    assert link_cycle(invoice.period_id, invoice).invoice == invoice
    again = moves.void_invoice(invoice.pk, reason="wrong", bills_again=True, at=MAR)
    assert link_cycle(invoice.period_id, again) is None


def test_another_draft_is_another_round():
    invoice = make_invoice()
    assert count_rounds(invoice.pk) == f"{invoice.pk}:0:0"
    make_row(invoice, state="deleted")
    make_row(invoice, "in_2", refused_count=2)
    assert count_rounds(invoice.pk) == f"{invoice.pk}:1:2"


def test_the_state_of_a_draft_that_is_gone_stays():
    row = make_row(make_invoice(), state="deleted")
    write_told(row.pk, read_told(write_invoice(status="draft")), at=FEB)
    assert StripeInvoice.objects.get().state == "deleted"
