from dataclasses import asdict

import pytest
from django.db import IntegrityError, transaction

from billing import invoicing, profiles
from billing.models import Invoice
from billing.sellers import SellerFact, name_seller, read_seller
from tests.billing.makers import FEB, make_subscription

pytestmark = pytest.mark.django_db

ADA = {"name": "Ada & Co", "address": "2 High Street\nTown", "tax_number": "GB123", "payment": "IBAN GB00"}


def issue(settings):
    settings.BILLING_SELLER, settings.BILLING_PAYMENT_DAYS = ADA, 30
    subscription = make_subscription()
    profiles.set_profile(
        account_id=subscription.account_id,
        legal_name="Acme SA",
        address="1 rue Haute\n75002 Paris",
        country="FR",
        tax_number="FR40303265045",
        language="fr",
    )
    return Invoice.objects.get(number=invoicing.close_period(subscription.period_id, at=FEB).number)


def test_an_invoice_freezes_who_sells_who_buys_and_the_language(settings):
    invoice = issue(settings)
    assert read_seller(invoice.seller) == SellerFact(**ADA, payment_days=30)
    assert (invoice.customer_name, invoice.customer_address) == ("Acme SA", "1 rue Haute\n75002 Paris")
    assert (invoice.customer_country, invoice.customer_tax_number, invoice.language) == ("FR", "FR40303265045", "fr")


def test_new_settings_and_a_new_address_move_no_issued_invoice(settings):
    invoice = issue(settings)
    settings.BILLING_SELLER = {"name": "Somebody else"}
    profiles.set_profile(account_id=invoice.account_id, legal_name="Renamed", language="en")
    invoice.refresh_from_db()
    assert (invoice.seller["name"], invoice.customer_name, invoice.language) == ("Ada & Co", "Acme SA", "fr")
    assert name_seller() == asdict(SellerFact("Somebody else", payment_days=30))


@pytest.mark.parametrize("change", [{"seller": {"name": "Eve"}}, {"language": "en"}, {"customer_address": "Elsewhere"}])
def test_the_database_keeps_them_as_they_were_issued(settings, change):
    invoice = issue(settings)
    with pytest.raises(IntegrityError, match="is issued and cannot change"), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(**change)


def test_a_seller_with_a_part_that_no_document_has_is_refused(settings):
    settings.BILLING_SELLER = {"name": "Ada & Co", "fax": "1"}
    with pytest.raises(TypeError, match="fax"):
        name_seller()
