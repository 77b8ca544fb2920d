import pytest

from billing.models import StripeTally
from billing.stripe.drifts import open_drift
from billing.stripe.invariants import check_stripe
from tests.billing.makers import FEB
from tests.billing.stripe.reconciling.makers import ask, make_charged, tell_usage

pytestmark = pytest.mark.django_db


@pytest.fixture
def charged():
    return make_charged(requests=5)


def close():
    StripeTally.objects.update(closed_at=FEB)


def check():
    return [(found.rule, found.subject, found.detail) for found in check_stripe()]


def test_what_agrees_is_sound(charged):
    tell_usage(charged, 5)
    close()
    ask(charged, 10)
    assert check() == []


def test_stripe_asks_what_is_due_or_there_is_a_drift(charged):
    row = ask(charged, 9)
    number = charged.invoice.number
    assert check() == [("Stripe asks what is due", f"invoice {number}", "0.10 EUR is due, Stripe asks 0.09 EUR")]
    open_drift("invoice_total", row.stripe_id, account_id=None, ours="10", theirs="9", cause="A tie.", at=FEB)
    assert check() == []


def test_stripes_meters_were_told_what_is_billed_once_all_is_told(charged):
    tell_usage(charged, 3)
    assert check() == []
    close()
    detail = "5 request is billed, Stripe was told 3 request"
    assert check() == [("Stripe's meters were told what is billed", f"period {charged.about}", detail)]
