import pytest
from django.db import IntegrityError, transaction

from billing import profiles
from billing.models import BillingProfile
from billing.periods import UnknownTimeZone
from billing.profiles import ProfileFact, UnknownLanguage, UnknownProfile
from billing.taxes import InvalidCountry
from metering import accounts
from metering.models import Limit
from tests.billing.makers import JAN, make_account, make_subscription

pytestmark = pytest.mark.django_db


def test_a_profile_says_who_pays_and_where_midnight_is():
    account = make_account("acme")
    profiles.set_profile(account_id=account.id, legal_name="Acme SA", email="a@acme.example", time_zone="Europe/Paris")
    assert profiles.read_profile(account.id) == ProfileFact(account.id, "Acme SA", "a@acme.example", "Europe/Paris")
    assert BillingProfile.objects.count() == 1


def test_a_profile_says_where_the_customer_pays_tax():
    account = make_account("acme")
    said = profiles.set_profile(account_id=account.id, legal_name="Acme SA", country="FR", tax_number="FR40303265045")
    assert (said.country, said.tax_number) == ("FR", "FR40303265045")
    with pytest.raises(InvalidCountry):
        profiles.set_profile(account_id=account.id, legal_name="Acme SA", country="France")
    assert profiles.read_profile(account.id) == said


def test_a_profile_says_where_documents_go_and_in_which_language():
    account = make_account("acme")
    assert profiles.read_profile(account.id).language == "en"
    said = profiles.set_profile(
        account_id=account.id, legal_name="Acme SA", address="1 rue Haute\nParis", language="fr"
    )
    assert (said.address, said.language) == ("1 rue Haute\nParis", "fr")
    with pytest.raises(UnknownLanguage):
        profiles.set_profile(account_id=account.id, legal_name="Acme SA", language="xx")
    assert profiles.read_profile(account.id) == said


def test_the_database_refuses_a_country_that_is_no_code():
    account = make_account("acme")
    with pytest.raises(IntegrityError, match="billing_profile_country_is_a_code"), transaction.atomic():
        BillingProfile.objects.filter(account_id=account.id).update(country="fr")


def test_a_time_zone_that_does_not_exist_changes_nothing():
    account = make_account("acme")
    with pytest.raises(UnknownTimeZone, match="'Mars/Olympus' is not a time zone"):
        profiles.set_profile(account_id=account.id, legal_name="Acme SA", time_zone="Mars/Olympus")
    assert profiles.read_profile(account.id).legal_name == "acme Ltd"


def test_an_account_without_a_profile_gets_one_in_its_own_name():
    account = accounts.create_account(key="203.0.113.7", name="", at=JAN)
    with pytest.raises(UnknownProfile):
        profiles.read_profile(account.id)
    assert profiles.read_or_set_profile(account.id) == ProfileFact(account.id, "203.0.113.7", "", "UTC")
    assert profiles.read_or_set_profile(account.id) == profiles.read_profile(account.id)


def test_an_account_that_does_not_exist_has_no_profile():
    with pytest.raises(accounts.UnknownAccount):
        profiles.read_or_set_profile(404)


def test_another_clock_is_that_of_open_windows_too_but_not_of_final_ones():
    subscription = make_subscription("acme")
    Limit.objects.filter(pk=Limit.objects.order_by("pk").values("pk")[:1]).update(closed_at=JAN)
    final, open_one = Limit.objects.order_by("pk")
    profiles.set_profile(account_id=subscription.account_id, legal_name="Acme SA", time_zone="Asia/Tokyo")
    final.refresh_from_db()
    open_one.refresh_from_db()
    assert (final.time_zone, open_one.time_zone, open_one.epoch) == ("UTC", "Asia/Tokyo", 1)
