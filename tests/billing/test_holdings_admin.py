"""The back-office changes seats and add-ons after a question that shows the money. January has 31 days."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from billing import plans, subscriptions
from billing.models import InvoiceItem, Subscription, SubscriptionChange
from billing.plans import AddOnTerms
from billing.rating import flat_fee
from tests.billing.makers import JAN, make_account, make_meters
from tests.billing.test_subscription_admin import log_in, open_page

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(datetime(2026, 1, 11, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def team():
    make_meters()
    plans.create_plan(
        slug="team",
        name="Team",
        rank=1,
        currency="EUR",
        prices=[flat_fee("Seats", Decimal("3.10"), per_seat=True)],
        add_ons=[AddOnTerms("support", "Support <by> phone", Decimal(31), max_quantity=2)],
        at=JAN,
    )
    made = subscriptions.create_subscription(
        account_id=make_account().id, plan_slug="team", started_at=JAN, at=JAN, quantity=2
    )
    return Subscription.objects.get(pk=made.id)


def list_tools(client, subscription):
    page = client.get(reverse("admin:billing_subscription_change", args=[subscription.pk])).content.decode()
    return [name for name in ("/seats/", "/add-ons/", "/undo-quantity/") if name in page]


def test_more_seats_are_asked_about_with_what_they_cost_for_the_rest(client, team):
    log_in(client, is_superuser=True)
    page = open_page(client, "seats", team, quantity=5, when="now").content.decode()
    for words in ("acme Ltd goes from 2 to 5 seats now.", "Seats: for the rest of the period", "€6.30"):
        assert words in page
    team.refresh_from_db()
    assert (team.quantity, InvoiceItem.objects.count()) == (2, 0)


def test_once_confirmed_seats_change_in_the_name_of_who_asked(client, team):
    chief = log_in(client, is_superuser=True)
    for _ in range(2):
        open_page(client, "seats", team, quantity=5, when="now", confirmed="yes")
    team.refresh_from_db()
    assert (team.quantity, InvoiceItem.objects.get().amount_minor) == (5, 630)
    assert SubscriptionChange.objects.get(move="quantity_changed").made_by == chief


def test_seats_are_planned_and_kept_after_all(client, team):
    log_in(client, is_superuser=True)
    page = open_page(client, "seats", team, quantity=1, when="at_end").content.decode()
    assert "acme Ltd goes from 2 to 1 seats when the period ends." in page
    open_page(client, "seats", team, quantity=1, when="at_end", confirmed="yes")
    assert list_tools(client, team) == ["/seats/", "/add-ons/", "/undo-quantity/"]
    open_page(client, "undo_quantity", team, confirmed="yes")
    team.refresh_from_db()
    assert (team.quantity, team.quantity_at) == (2, None)


@pytest.mark.parametrize("quantity", ["0", "", "many", "1000001"])
def test_a_senseless_number_of_seats_is_refused_at_its_field(client, team, quantity):
    log_in(client, is_superuser=True)
    page = open_page(client, "seats", team, quantity=quantity, when="now", confirmed="yes")
    assert page.context["form"].errors["quantity"]
    team.refresh_from_db()
    assert team.quantity == 2


def test_an_add_on_is_asked_about_and_then_had(client, team):
    log_in(client, is_superuser=True)
    page = open_page(client, "add_ons", team, key="support", quantity=1, when="now").content.decode()
    assert "Support &lt;by&gt; phone: for the rest of the period" in page
    assert "€21.00" in page
    assert InvoiceItem.objects.count() == 0
    page = open_page(client, "add_ons", team, key="support", quantity=1, when="now", confirmed="yes").content.decode()
    assert "1 × Support &lt;by&gt; phone" in page
    assert InvoiceItem.objects.get().amount_minor == 2_100


def test_more_of_an_add_on_than_the_plan_allows_is_told(client, team):
    log_in(client, is_superuser=True)
    page = open_page(client, "add_ons", team, key="support", quantity=3, when="now").content.decode()
    assert "1 to 2 can be had, not 3." in page


def test_an_add_on_is_planned_undone_and_removed(client, team):
    log_in(client, is_superuser=True)
    open_page(client, "add_ons", team, key="support", quantity=1, when="now", confirmed="yes")
    page = open_page(client, "add_ons", team, key="support", quantity=0, when="at_end", confirmed="yes")
    assert "1 × Support &lt;by&gt; phone, 0 from" in page.content.decode()
    open_page(client, "add_ons", team, key="support", quantity=0, when="undo", confirmed="yes")
    open_page(client, "add_ons", team, key="support", quantity=0, when="now", confirmed="yes")
    told = SubscriptionChange.objects.exclude(move="created").values_list("move", flat=True)
    assert list(told.order_by("pk")) == ["add_on_changed", "add_on_planned", "add_on_undone", "add_on_changed"]


@pytest.mark.parametrize("name", ["seats", "add_ons"])
def test_who_may_only_look_changes_nothing(client, team, name):
    log_in(client, "view_subscription")
    assert list_tools(client, team) == []
    assert open_page(client, name, team).status_code == 403
    assert open_page(client, name, team, key="support", quantity=1, when="now", confirmed="yes").status_code == 403
    assert SubscriptionChange.objects.count() == 1


def test_a_plan_without_seats_and_add_ons_has_no_pages_for_them(client, team):
    plans.create_plan(slug="plain", name="Plain", rank=2, currency="EUR", prices=[flat_fee("Fee", Decimal(1))], at=JAN)
    account = make_account("plain")
    plain = subscriptions.create_subscription(account_id=account.id, plan_slug="plain", started_at=JAN, at=JAN)
    log_in(client, is_superuser=True)
    assert list_tools(client, Subscription.objects.get(pk=plain.id)) == []
