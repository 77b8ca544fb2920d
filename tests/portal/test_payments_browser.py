"""From a free plan over Stripe's page to another plan, and to the page that changes the card, in a real browser."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from billing.models import Subscription
from billing.plans import create_plan
from billing.profiles import set_profile
from billing.rating import flat_fee
from billing.subscriptions import create_subscription
from tests.portal import makers
from tests.portal.test_browser import find_serious_faults, find_small_targets, find_wide_parts, log_in
from tests.simulators import SimulatorClient
from tests.stripe_simulator.pages.driving import GOOD, enter_card

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def vendor(transactional_db: None, simulator: SimulatorClient) -> None:
    """Olivia owns an account on a free plan; Team is on offer, and Stripe stands in for itself."""
    cache.clear()
    now = timezone.now()
    simulator.set_time(now)
    makers.make_meters()
    for rank, (slug, fee) in enumerate([("free", "0"), ("team", "49")], start=1):
        create_plan(
            slug=slug,
            name=slug.title(),
            rank=rank,
            currency="EUR",
            prices=[flat_fee(f"{slug.title()} plan", Decimal(fee))],
            at=makers.SEPTEMBER,
        )
    account = makers.make_account("acme", name="Acme Robotics")
    set_profile(account_id=account.id, legal_name="Acme Robotics", email="pay@acme.example")
    create_subscription(account_id=account.id, plan_slug="free", started_at=now - timedelta(days=40), at=now)
    makers.Membership.objects.create(user=makers.make_user(), account_id=account.id, role="owner")


def go_to_offer(page: Page) -> None:
    log_in(page)
    page.get_by_role("link", name="Plans", exact=True).click()
    page.get_by_role("link", name="Move to Team").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Move to Team")


def test_a_free_customer_enters_a_card_and_is_on_the_plan(open_page: Callable[..., Page]) -> None:
    page = open_page()
    go_to_offer(page)
    page.get_by_role("button", name="Continue to the card").click()
    expect(page.get_by_text("Nothing is charged now.")).to_be_visible()
    enter_card(page, GOOD)
    expect(page.get_by_role("heading", name="You are on Team now")).to_be_visible()
    assert Subscription.objects.get().version.plan.slug == "team"
    page.get_by_role("link", name="Invoices").first.click()
    expect(page.get_by_text("Invoices are collected from Visa ending in 4242.")).to_be_visible()
    page.get_by_role("button", name="Change the card").click()
    enter_card(page, "5555 5555 5555 4444")
    expect(page.get_by_text("Invoices are collected from Mastercard ending in 4444.")).to_be_visible()


def test_who_goes_back_from_stripes_page_has_changed_nothing(open_page: Callable[..., Page]) -> None:
    page = open_page(width=360)
    go_to_offer(page)
    page.get_by_role("button", name="Continue to the card").click()
    page.get_by_role("link", name="Cancel and go back").click()
    expect(page.get_by_role("heading", name="Nothing has changed")).to_be_visible()
    assert Subscription.objects.get().version.plan.slug == "free"


def test_the_pages_can_be_used_by_everybody(open_page: Callable[..., Page]) -> None:
    faults = []
    for scheme in ("light", "dark"):
        page = open_page(scheme=scheme, is_measured=True)
        go_to_offer(page)
        faults += find_serious_faults(page) + find_wide_parts(page) + find_small_targets(page)
        page.get_by_role("button", name="Continue to the card").click()
        page.get_by_role("link", name="Cancel and go back").click()
        faults += find_serious_faults(page) + find_wide_parts(page)
        page.goto("/a/acme/invoices/")
        faults += find_serious_faults(page) + find_wide_parts(page) + find_small_targets(page)
        page.goto("/a/acme/plans/")
        faults += find_serious_faults(page) + find_wide_parts(page) + find_small_targets(page)
    assert faults == []
