"""The back-office moves subscriptions after a question that shows the money. January has 31 days."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.models import InvoiceItem, Subscription, SubscriptionChange
from billing.rating import flat_fee
from tests.billing.makers import make_plan, make_subscription

pytestmark = pytest.mark.django_db

LIST = "admin:billing_subscription_changelist"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(datetime(2026, 1, 11, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def subscription():
    plan = make_plan(prices=[flat_fee("Base fee", Decimal(31))], limits=[])
    return Subscription.objects.get(pk=make_subscription(plan=plan).id)


def log_in(client, *permissions, is_superuser=False):
    person = get_user_model().objects.create(
        email="chief@vendor.example", is_staff=True, is_superuser=is_superuser, is_active=True
    )
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(person)
    return person


def act(client, subscription, action, **fields):
    asked = {"action": action, "_selected_action": [subscription.pk], **fields}
    return client.post(reverse(LIST), asked, follow=True)


def test_an_end_is_asked_about_with_what_is_given_back(client, subscription):
    log_in(client, is_superuser=True)
    page = act(client, subscription, "cancel_now").content.decode()
    assert "acme Ltd" in page
    assert "−€21.00" in page
    subscription.refresh_from_db()
    assert (subscription.state, InvoiceItem.objects.count()) == ("active", 0)


def test_once_confirmed_it_is_done_in_the_name_of_who_asked(client, subscription):
    chief = log_in(client, is_superuser=True)
    for _ in range(2):
        act(client, subscription, "cancel_now", confirmed="yes")
    assert InvoiceItem.objects.get().amount_minor == -2_100
    change = SubscriptionChange.objects.get(move="ended")
    assert change.made_by == chief
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    assert "chief@vendor.example" in page


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        (["pause"], "paused"),
        (["cancel_at_end"], "active"),
        (["cancel_at_end", "undo_cancel"], "active"),
        (["end_trial"], "active"),
    ],
)
def test_each_action_makes_its_move(client, subscription, actions, state):
    log_in(client, is_superuser=True)
    for action in actions:
        assert act(client, subscription, action, confirmed="yes").status_code == 200
    subscription.refresh_from_db()
    assert (subscription.state, subscription.cancels_at is not None) == (state, actions == ["cancel_at_end"])


def test_what_cannot_be_is_told(client, subscription):
    log_in(client, is_superuser=True)
    act(client, subscription, "cancel_now", confirmed="yes")
    page = act(client, subscription, "resume", confirmed="yes").content.decode()
    assert "A subscription that is ended cannot become active." in page


def test_who_may_only_look_moves_nothing(client, subscription):
    log_in(client, "view_subscription")
    act(client, subscription, "cancel_now", confirmed="yes")
    subscription.refresh_from_db()
    assert subscription.state == "active"
