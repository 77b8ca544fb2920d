import pytest

from billing.checks import check_seller, check_seller_is_ours


def list_ids(messages):
    return [message.id for message in messages]


@pytest.mark.parametrize(
    "seller", [{"name": "Ada & Co"}, {"name": "Ada & Co", "address": "1 Street", "payment": "IBAN"}]
)
def test_a_seller_with_a_name_is_sound(settings, seller):
    settings.BILLING_SELLER = seller
    assert check_seller() == check_seller_is_ours() == []


@pytest.mark.parametrize(
    "seller", [{}, {"name": ""}, {"name": "Ada", "fax": "1"}, {"name": 7}, {"name": "Ada", "address": ["1"]}]
)
def test_what_is_no_seller_is_told_before_an_invoice_needs_it(settings, seller):
    settings.BILLING_SELLER = seller
    [error] = check_seller()
    assert error.id == "billing.E001"
    assert "name, address, tax_number, email, payment" in error.hint


def test_payment_is_not_due_before_the_issue(settings):
    settings.BILLING_PAYMENT_DAYS = -1
    assert list_ids(check_seller()) == ["billing.E002"]
    settings.BILLING_PAYMENT_DAYS = 0
    assert check_seller() == []


def test_the_demos_seller_is_warned_of_before_it_goes_live(settings):
    settings.BILLING_SELLER = settings.DEMO_SELLER
    assert check_seller() == []
    assert list_ids(check_seller_is_ours()) == ["billing.W001"]
