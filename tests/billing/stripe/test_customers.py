import pytest
from django.db import IntegrityError

from billing.models import StripeCustomer
from billing.profiles import read_profile
from billing.stripe.customers import connect_account, read_customer
from metering import accounts
from tests.billing.makers import FEB, JAN, make_account

pytestmark = pytest.mark.django_db


def test_an_account_is_not_charged_through_stripe_unless_connected() -> None:
    assert read_customer(make_account().id) is None


def test_connecting_twice_is_connecting_once() -> None:
    account = make_account()
    connect_account(account.id, at=JAN)
    connect_account(account.id, at=FEB)
    customer = read_customer(account.id)
    assert customer is not None
    assert (customer.stripe_id, customer.card, customer.is_ready) == ("", None, False)
    assert StripeCustomer.objects.get().asked_at == JAN


def test_connecting_an_account_without_a_profile_gives_it_one() -> None:
    account = accounts.create_account(key="acme", name="Acme", at=JAN)
    connect_account(account.id, at=JAN)
    assert read_profile(account.id).legal_name == "Acme"


def test_two_accounts_are_never_one_customer() -> None:
    one, other = make_account("one"), make_account("other")
    StripeCustomer.objects.create(account_id=one.id, stripe_id="cus_1", asked_at=JAN)
    with pytest.raises(IntegrityError, match="stripe_id"):
        StripeCustomer.objects.create(account_id=other.id, stripe_id="cus_1", asked_at=JAN)
