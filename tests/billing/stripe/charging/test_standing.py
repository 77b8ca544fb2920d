import pytest

from billing.models import StripeCustomer
from billing.stripe.charging.standing import explain_failure, read_charging
from billing.stripe.charging.told import read_address
from tests.billing.stripe.charging.makers import make_invoice, make_row

pytestmark = pytest.mark.django_db


def test_what_is_not_charged_through_stripe_says_nothing(django_assert_num_queries):
    invoice = make_invoice()
    with django_assert_num_queries(1):
        assert read_charging(invoice.pk) == []


def test_an_invoice_in_two_parts_tells_both(django_assert_num_queries):
    invoice = make_invoice()
    StripeCustomer.objects.update(payment_method_id="pm_1", card_brand="visa", card_last4="4242")
    make_row(invoice, step="finalised", state="paid", total_minor=1000, hosted_invoice_url="https://pay.test/1")
    make_row(invoice, "in_2", role="rest", state="open", total_minor=3900, hosted_invoice_url="https://pay.test/2")
    make_row(invoice, "in_3", role="rest", state="deleted")
    with django_assert_num_queries(2):
        first, second = read_charging(invoice.pk)
    assert [(fact.total_minor, fact.pay_url) for fact in (first, second)] == [(1000, ""), (3900, "https://pay.test/2")]
    assert (first.card.last4, first.is_disputed) == ("4242", False)


@pytest.mark.parametrize("code", ["stolen_card", "fraudulent", "do_not_honor"])
def test_what_the_bank_keeps_for_itself_is_not_told_to_customers(code):
    assert explain_failure(code) == "the bank declined the payment and does not say why"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.test", None, ""])
def test_people_are_sent_to_pages_alone(address):
    assert read_address(address) == ""
