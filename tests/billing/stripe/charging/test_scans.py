from datetime import timedelta

import pytest

from billing import credit_notes, moves
from billing.models import StripeCustomer, StripeInvoice
from billing.stripe.charging import scans
from jobs.models import Job
from tests.billing.makers import FEB, MAR
from tests.billing.stripe.charging.makers import make_invoice, make_row

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_palier"
    settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = "http://127.0.0.1:1"


def list_jobs():
    return list(Job.objects.filter(kind__startswith="stripe.").order_by("pk").values_list("kind", "key"))


def test_an_issued_invoice_is_promised_once():
    invoice = make_invoice()
    assert [scans.promise_charges(FEB), scans.promise_charges(MAR)] == [1, 0]
    assert list_jobs() == [("stripe.charge", f"{invoice.pk}:0:0")]


def test_without_a_key_nothing_is_promised(settings):
    settings.STRIPE_SECRET_KEY = ""
    make_invoice()
    assert scans.promise_charges(FEB) == scans.promise_follows(FEB) == 0


def test_who_is_not_charged_through_stripe_is_left_alone():
    make_invoice()
    StripeCustomer.objects.update(asked_at=FEB + timedelta(seconds=1))
    assert scans.promise_charges(MAR) == 0


@pytest.mark.parametrize(
    ("step", "state", "count"), [("stopped", "draft", 0), ("finalised", "open", 0), ("filled", "draft", 1)]
)
def test_what_is_asked_or_stopped_is_not_promised(step, state, count):
    make_row(make_invoice(), step=step, state=state)
    assert scans.promise_charges(FEB) == count


def test_a_draft_that_is_gone_is_promised_anew():
    invoice = make_invoice()
    scans.promise_charges(FEB)
    make_row(invoice, state="deleted")
    assert scans.promise_charges(FEB) == 1
    assert list_jobs()[-1] == ("stripe.charge", f"{invoice.pk}:1:0")


def test_trying_again_is_another_job_and_twice_is_once():
    row = make_row(make_invoice(), step="stopped", error_code="x", error_message="No.")
    assert [scans.try_again(row.pk, at=FEB), scans.try_again(row.pk, at=FEB)] == [True, False]
    row.refresh_from_db()
    assert (row.step, row.error_message, list_jobs()) == (
        "held", "", [("stripe.charge", f"{row.invoice_id}:0:1")],
    )  # fmt: skip


def test_trying_a_rest_again_goes_on_with_the_whole():
    invoice = make_invoice()
    main = make_row(invoice, step="finalised", state="open")
    rest = make_row(invoice, "in_2", role="rest", step="stopped")
    assert scans.try_again(rest.pk, at=FEB)
    main.refresh_from_db()
    assert (main.step, list_jobs()) == ("compared", [("stripe.charge", f"{invoice.pk}:0:1")])


def test_what_moves_is_followed_once_for_each_move():
    invoice = make_invoice()
    make_row(invoice, step="finalised", state="open")
    assert scans.promise_follows(FEB) == 0
    moves.record_payment(invoice.pk, amount_minor=900, method="transfer", key="1", at=FEB)
    assert [scans.promise_follows(FEB), scans.promise_follows(FEB)] == [1, 0]
    credit_notes.issue_credit_note(invoice.pk, destination="due", reason="late", key="1", amount_minor=1000, at=FEB)
    assert scans.promise_follows(FEB) == 1
    moves.mark_uncollectible(invoice.pk, at=MAR)
    assert [scans.promise_follows(MAR), scans.promise_follows(MAR)] == [1, 0]
    StripeInvoice.objects.update(state="uncollectible")
    assert [key for _kind, key in list_jobs()] == [
        f"{invoice.pk} 1 0 1", f"{invoice.pk} 1 1 1", f"{invoice.pk} 2 1 1",
    ]  # fmt: skip


def test_what_stripe_told_is_not_told_to_stripe():
    invoice = make_invoice()
    make_row(invoice, step="finalised", state="open")
    moves.record_payment(invoice.pk, amount_minor=900, method="stripe", key="pi_1", at=FEB)
    credit_notes.issue_credit_note(
        invoice.pk, destination="due", reason="there", key="stripe cn_1", amount_minor=1000, at=FEB
    )
    assert scans.promise_follows(FEB) == 0


def test_what_was_drawn_for_a_void_invoice_is_taken_back():
    invoice = make_invoice()
    row = make_row(invoice, role="cycle", invoice=None, period=invoice.period)
    moves.void_invoice(invoice.pk, reason="wrong", at=FEB)
    assert scans.promise_follows(FEB) == 1
    row.refresh_from_db()
    assert row.invoice == invoice
