from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import BillingProfile, TaxRate
from billing.tax_rates import create_tax_rate, read_taxes, set_tax_rates
from billing.taxes import InvalidTax, TaxTerms
from tests.billing.makers import make_account

pytestmark = pytest.mark.django_db

GST, QST = TaxTerms("GST", Decimal(5)), TaxTerms("QST", Decimal("9.975"))


def test_a_rate_is_made_once():
    first = create_tax_rate(name="VAT", percent=Decimal(20), country="FR")
    assert create_tax_rate(name="VAT", percent=Decimal("20.0"), country="FR") == first
    assert create_tax_rate(name="VAT", percent=Decimal(20), country="FR", is_inclusive=True) != first
    assert TaxRate.objects.count() == 2


def test_a_rate_that_is_no_percentage_is_not_made():
    with pytest.raises(InvalidTax):
        create_tax_rate(name="VAT", percent=Decimal(101))
    assert not TaxRate.objects.exists()


def test_an_account_bears_the_taxes_it_was_given_last():
    account = make_account("acme")
    gst, qst = (create_tax_rate(name=tax.name, percent=tax.percent, country="CA") for tax in (GST, QST))
    set_tax_rates(account_id=account.id, rate_ids=[qst])
    set_tax_rates(account_id=account.id, rate_ids=[qst, gst])
    assert read_taxes([account.id]) == {account.id: (GST, QST)}
    set_tax_rates(account_id=account.id, rate_ids=[])
    assert read_taxes([account.id]) == {account.id: ()}


def test_an_account_without_a_profile_bears_no_tax():
    assert read_taxes([404]) == {404: ()}
    with pytest.raises(BillingProfile.DoesNotExist):
        set_tax_rates(account_id=404, rate_ids=[])


def test_taxes_of_many_accounts_are_read_in_one_query(django_assert_num_queries):
    rate = create_tax_rate(name="VAT", percent=Decimal(20))
    ids = [make_account(key).id for key in ("acme", "beta", "gamma")]
    for account_id in ids:
        set_tax_rates(account_id=account_id, rate_ids=[rate])
    with django_assert_num_queries(1):
        assert read_taxes(ids) == dict.fromkeys(ids, (TaxTerms("VAT", Decimal(20)),))


@pytest.mark.parametrize(
    "change",
    [{"percent": Decimal(19)}, {"is_inclusive": True}, {"country": "DE"}],
    ids=lambda change: next(iter(change)),
)
def test_the_numbers_of_a_rate_never_change(change):
    pk = create_tax_rate(name="VAT", percent=Decimal(20), country="FR")
    with pytest.raises(IntegrityError, match="cannot change; make a new one"), transaction.atomic():
        TaxRate.objects.filter(pk=pk).update(**change)
    TaxRate.objects.filter(pk=pk).update(name="TVA")


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"percent": Decimal(-1)}, "tax_rate_is_a_percentage"),
        ({"percent": Decimal(101)}, "tax_rate_is_a_percentage"),
        ({"country": "fr"}, "tax_rate_country_is_a_code"),
        ({"name": ""}, "tax_rate_has_a_name"),
    ],
)
def test_the_database_refuses_a_rate_that_makes_no_sense(terms, rule):
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        TaxRate.objects.create(**{"name": "VAT", "percent": Decimal(20), "country": "FR"} | terms)
