"""The back-office moves subscriptions after a question that shows the money. January has 31 days."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.admin.subscription_moves import MOVES
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


def test_what_cannot_be_is_told_in_the_readers_language(client, subscription):
    log_in(client, is_superuser=True)
    act(client, subscription, "cancel_now", confirmed="yes")
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "fr"
    page = act(client, subscription, "resume", confirmed="yes").content.decode()
    assert "Un abonnement ne passe pas de «\xa0terminé\xa0» à «\xa0actif\xa0»." in page


def test_who_may_only_look_moves_nothing(client, subscription):
    log_in(client, "view_subscription")
    act(client, subscription, "cancel_now", confirmed="yes")
    subscription.refresh_from_db()
    assert subscription.state == "active"


def open_page(client, name, subscription, **fields):
    address = reverse(f"admin:billing_subscription_{name}", args=[subscription.pk])
    return client.post(address, fields, follow=True) if fields else client.get(address)


@pytest.fixture
def larger():
    return make_plan("larger", prices=[flat_fee("Base fee", Decimal(62))], limits=[])


def test_another_plan_now_is_asked_about_with_what_is_given_back_and_asked(client, subscription, larger):
    log_in(client, is_superuser=True)
    page = open_page(client, "plan", subscription, plan="larger", when="now").content.decode()
    for words in ("Base fee: given back", "−€21.00", "Base fee: for the rest of the period", "€42.00", "€21.00"):
        assert words in page
    subscription.refresh_from_db()
    assert (subscription.version.plan.slug, InvoiceItem.objects.count()) == ("growth", 0)


def test_another_plan_now_is_made_once_confirmed_in_the_name_of_who_asked(client, subscription, larger):
    chief = log_in(client, is_superuser=True)
    page = open_page(client, "plan", subscription, plan="larger", when="now", confirmed="yes").content.decode()
    assert "Larger v1" in page
    subscription.refresh_from_db()
    assert subscription.version_id == larger.version_id
    assert SubscriptionChange.objects.get(move="plan_changed").made_by == chief
    assert LogEntry.objects.get().get_change_message() == "from Growth v1 to Larger v1"


def test_another_plan_at_the_periods_end_is_planned_and_undone(client, subscription, larger):
    log_in(client, is_superuser=True)
    asked = open_page(client, "plan", subscription, plan="larger", when="at_end").content.decode()
    assert "Feb. 1, 2026" in asked
    open_page(client, "plan", subscription, plan="larger", when="at_end", confirmed="yes")
    subscription.refresh_from_db()
    assert subscription.next_version_id == larger.version_id
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    assert "Stay on the plan after all" in page
    open_page(client, "undo_change", subscription, confirmed="yes")
    subscription.refresh_from_db()
    assert (subscription.next_version_id, subscription.changes_at) == (None, None)


def test_terms_of_a_plan_change_can_be_changed_before_it_is_made(client, subscription, larger):
    log_in(client, is_superuser=True)
    page = open_page(client, "plan", subscription, plan="larger", when="at_end", change="yes").content.decode()
    assert '<option value="at_end" selected>' in page
    assert "Continue" in page


def test_only_moves_that_make_sense_are_offered(client, subscription):
    log_in(client, is_superuser=True)
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    offered = {words for words in ("Pause now", "End now", "End with the period", "Change the plan") if words in page}
    assert offered == {"Pause now", "End now", "End with the period", "Change the plan"}
    assert "Resume now" not in page
    assert "End the trial now" not in page
    open_page(client, "cancel_now", subscription, confirmed="yes")
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    assert not {words for words in offered if f">{words}</a>" in page}


def test_an_end_asked_about_on_its_own_page_shows_the_money(client, subscription):
    log_in(client, is_superuser=True)
    assert "−€21.00" in open_page(client, "cancel_now", subscription).content.decode()
    subscription.refresh_from_db()
    assert subscription.state == "active"


def test_a_move_that_is_refused_is_told_on_its_page(client, subscription):
    log_in(client, is_superuser=True)
    page = open_page(client, "resume", subscription, confirmed="yes").content.decode()
    assert page.count("Resume now") >= 1
    open_page(client, "cancel_now", subscription, confirmed="yes")
    page = open_page(client, "pause", subscription, confirmed="yes").content.decode()
    assert "A subscription that is ended cannot become paused." in page


@pytest.mark.parametrize("name", ["plan", *MOVES])
def test_who_may_only_look_reaches_no_page_that_moves(client, subscription, larger, name):
    log_in(client, "view_subscription")
    assert open_page(client, name, subscription).status_code == 403
    assert open_page(client, name, subscription, plan="larger", when="now", confirmed="yes").status_code == 403
    subscription.refresh_from_db()
    assert (subscription.state, subscription.changes_at, subscription.cancels_at) == ("active", None, None)
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    assert "Change the plan" not in page


def test_what_waits_for_the_next_invoice_is_on_the_page(client, subscription, larger):
    log_in(client, is_superuser=True)
    open_page(client, "plan", subscription, plan="larger", when="now", confirmed="yes")
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    assert "waits for the next invoice" in page.lower()
    assert "−€21.00" in page
