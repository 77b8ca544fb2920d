"""Staff have accounts charged through Stripe from the list of billing profiles."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from billing.models import StripeCustomer
from crm.roles import FINANCE, SALES_MANAGER
from portal.models import User
from tests.billing.makers import make_account
from tests.billing.stripe.makers import run_promised
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
LIST = reverse("admin:billing_billingprofile_changelist")


def log_in(role: str) -> Client:
    user = User.objects.create_user(f"{role}@vendor.example", "x", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def act(client: Client, *accounts: int, **form: str) -> str:
    answer = client.post(LIST, {"action": "connect", "_selected_action": list(accounts), **form}, follow=True)
    return answer.content.decode()


def test_it_is_asked_before_and_then_done(simulator: SimulatorClient) -> None:
    account, client = make_account(), log_in(FINANCE)
    assert "Charge these accounts through Stripe?" in act(client, account.id)
    assert not StripeCustomer.objects.exists()
    assert "1 account is charged through Stripe now." in act(client, account.id, confirmed="yes")
    run_promised(StripeCustomer.objects.get().asked_at)
    assert StripeCustomer.objects.get().stripe_id == simulator.client().v1.customers.list().data[0].id
    assert "All of them are charged through Stripe already." in act(client, account.id, confirmed="yes")


def test_who_may_not_change_profiles_connects_none(simulator: SimulatorClient) -> None:
    account = make_account()
    act(log_in(SALES_MANAGER), account.id, confirmed="yes")
    assert not StripeCustomer.objects.exists()


def test_without_a_key_it_is_not_offered() -> None:
    account = make_account()
    client = log_in(FINANCE)
    assert "Charge selected through Stripe" not in client.get(LIST).content.decode()
    act(client, account.id, confirmed="yes")
    assert not StripeCustomer.objects.exists()
