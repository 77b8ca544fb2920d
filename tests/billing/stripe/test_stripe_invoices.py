"""What the database refuses of invoices at Stripe."""

import pytest
from django.db import IntegrityError, transaction

from billing.constraints import find_constraint
from billing.models import StripeCreditNote
from tests.billing.makers import FEB
from tests.billing.stripe.charging.makers import make_invoice, make_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice():
    return make_invoice()


def refuse(write, *arguments, **fields) -> str | None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write(*arguments, **fields)
    return find_constraint(refused.value)


def test_an_invoice_is_asked_by_one_and_its_rest_by_one_more(invoice):
    make_row(invoice)
    assert refuse(make_row, invoice, "in_2") == "stripe_invoice_one_per_invoice"
    make_row(invoice, "in_3", role="rest")
    assert refuse(make_row, invoice, "in_4", role="rest") == "stripe_invoice_one_rest_per_invoice"


def test_a_draft_that_is_gone_is_followed_by_another(invoice):
    make_row(invoice, state="deleted")
    make_row(invoice, "in_2", state="deleted")
    make_row(invoice, "in_3")


def test_a_period_has_one_that_stripe_drew(invoice):
    fields = {"role": "cycle", "invoice": None, "period": invoice.period}
    make_row(invoice, **fields)
    assert refuse(make_row, invoice, "in_2", **fields) == "stripe_invoice_one_cycle_per_period"
    assert refuse(make_row, invoice, "in_2", role="cycle") == "stripe_invoice_is_of_a_period_or_an_invoice"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"role": "own", "invoice": None}, "stripe_invoice_is_of_a_period_or_an_invoice"),
        ({"step": "finalised"}, "stripe_invoice_finalised_is_no_draft"),
        ({"paid_minor": -1}, "stripe_invoice_amounts_are_not_negative"),
    ],
)
def test_what_makes_no_sense_is_refused(invoice, fields, name):
    assert refuse(make_row, invoice, **fields) == name


def test_nothing_is_filled_before_palier_asks(invoice):
    fields = {"role": "cycle", "invoice": None, "period": invoice.period, "step": "filled"}
    assert refuse(make_row, invoice, **fields) == "stripe_invoice_goes_on_for_an_invoice"


def test_a_stripe_invoice_is_corrected_once_and_by_something(invoice):
    fields = {"stripe_invoice": make_row(invoice), "total_minor": 5, "is_correction": True, "created_at": FEB}
    StripeCreditNote.objects.create(stripe_id="cn_1", **fields)
    assert refuse(StripeCreditNote.objects.create, stripe_id="cn_2", **fields) == "stripe_credit_note_corrects_once"
    nothing = fields | {"total_minor": 0, "is_correction": False}
    assert refuse(StripeCreditNote.objects.create, stripe_id="cn_2", **nothing) == "stripe_credit_note_is_positive"
