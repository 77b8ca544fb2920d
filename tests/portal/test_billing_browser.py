"""Billing's back-office in a real browser: a plan is changed, a part is credited, and every page can be used."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from billing.credits.grants import grant_credit
from billing.items import add_item
from billing.models import BillingRun, CreditNote, Invoice, Plan, Subscription
from billing.plans import AddOnTerms, copy_last_version, create_plan
from billing.rating import flat_fee
from billing.runs.opening import open_run
from billing.subscriptions import create_subscription
from jobs.queue import do_now
from metering.accounts import find_account
from portal.models import User
from tests.portal import makers
from tests.portal.test_browser import find_serious_faults, find_wide_parts

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHIEF = "chief@vendor.example"


@pytest.fixture(autouse=True)
def vendor(transactional_db):
    """A customer with an invoice of last month, a larger plan on offer, and somebody who may do everything."""
    cache.clear()
    now = timezone.now()
    account = makers.make_account("acme", name="Acme Robotics")
    makers.make_plan()
    create_plan(
        slug="scale",
        name="Scale",
        rank=2,
        currency="EUR",
        prices=[flat_fee("Base fee", Decimal(490))],
        at=makers.SEPTEMBER,
    )
    makers.subscribe(account, started_at=now - timedelta(days=40), at=now)
    makers.use(account, 120, time=now - timedelta(days=38), at=now)
    makers.issue_invoices(account, at=now)
    User.objects.create_superuser(CHIEF, makers.PASSWORD)


def log_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(CHIEF)
    page.locator("[name=password]").fill(makers.PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/admin/")


def test_a_plan_is_changed_with_the_money_in_sight(open_page: Callable[..., Page]):
    subscription = Subscription.objects.get()
    page = open_page()
    log_in(page)
    page.goto(f"/admin/billing/subscription/{subscription.pk}/change/")
    page.get_by_role("link", name="Change the plan").click()
    page.get_by_label("Plan", exact=True).select_option("scale")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Base fee: given back")).to_be_visible()
    expect(page.get_by_text("Base fee: for the rest of the period")).to_be_visible()
    assert find_serious_faults(page) == []
    page.get_by_role("button", name="Change the terms").click()
    page.get_by_label("Takes effect").select_option("at_end")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("when the period ends.")).to_be_visible()
    page.get_by_role("button", name="Plan the change").click()
    expect(page.get_by_text("Done: from Growth v1 to Scale v1.")).to_be_visible()
    subscription.refresh_from_db()
    assert subscription.next_version.plan.slug == "scale"
    page.get_by_role("link", name="Stay on the plan after all").click()
    page.get_by_role("button", name="Stay on the plan after all").click()
    expect(page.get_by_role("link", name="Stay on the plan after all")).to_have_count(0)
    subscription.refresh_from_db()
    assert (subscription.next_version, subscription.version.plan.slug) == (None, "growth")


def test_a_part_of_an_invoice_is_credited_after_what_was_wrong_is_told(open_page: Callable[..., Page]):
    invoice = Invoice.objects.filter(state="issued").order_by("pk").first()
    page = open_page()
    log_in(page)
    page.goto(f"/admin/billing/invoice/{invoice.pk}/change/")
    page.get_by_text("Why this amount").first.click()
    page.get_by_role("link", name="Write a credit note").click()
    page.get_by_label("Base fee").fill("490000")
    page.get_by_label("Reason").fill("Slow on Monday")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".field", has_text="Base fee").locator(".errorlist")).to_contain_text("At most the €")
    page.get_by_label("Base fee").fill("1.50")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("form dl")).to_contain_text("€1.50")
    assert find_serious_faults(page) == []
    assert not CreditNote.objects.exists()
    page.get_by_role("button", name="Issue the credit note").click()
    note = CreditNote.objects.get()
    assert (note.total_minor, note.reason, note.destination) == (150, "Slow on Monday", "due")
    page.get_by_role("link", name=note.number).click()
    expect(page.locator(".field-total").first).to_contain_text("€1.50")


def test_seats_and_an_add_on_are_changed_with_the_money_in_sight(open_page: Callable[..., Page]):
    now = timezone.now()
    create_plan(
        slug="team",
        name="Team",
        rank=3,
        currency="EUR",
        prices=[flat_fee("Seats", Decimal(10), per_seat=True)],
        add_ons=[AddOnTerms("support", "Support by phone", Decimal(99))],
        at=makers.SEPTEMBER,
    )
    account = makers.make_account("crew", name="Crew")
    made = create_subscription(account_id=account.id, plan_slug="team", started_at=now - timedelta(minutes=1), at=now)
    page = open_page()
    log_in(page)
    page.goto(f"/admin/billing/subscription/{made.id}/change/")
    page.get_by_role("link", name="Change the seats").click()
    page.get_by_label("Seats").fill("5")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Crew goes from 1 to 5 seats now.")).to_be_visible()
    expect(page.get_by_text("Seats: for the rest of the period")).to_be_visible()
    assert find_serious_faults(page) == []
    page.get_by_role("button", name="Change the seats").click()
    expect(page.get_by_text("Done: seats from 1 to 5.")).to_be_visible()
    page.get_by_role("link", name="Change the add-ons").click()
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Support by phone: for the rest of the period")).to_be_visible()
    assert [*find_serious_faults(page), *find_wide_parts(page)] == []
    page.get_by_role("button", name="Change the add-ons").click()
    expect(page.get_by_text("2 × Support by phone")).to_be_visible()
    assert find_wide_parts(page) == []
    subscription = Subscription.objects.get(pk=made.id)
    assert (subscription.quantity, subscription.items.count()) == (5, 2)


def list_pages() -> list[str]:
    now, account = timezone.now(), find_account("acme")
    invoice, subscription = Invoice.objects.order_by("pk").first(), Subscription.objects.get()
    item = add_item(
        account_id=account.id, currency="EUR", kind="one_off", description="Training", unit_amount=Decimal(9),
        key="training", at=now,
    )  # fmt: skip
    grant = grant_credit(account_id=account.id, currency="EUR", amount_minor=500, at=now)
    version, draft = subscription.version_id, copy_last_version(Plan.objects.get(slug="growth").pk)
    pages = [
        "plan/", "planversion/", f"planversion/{version}/change/", f"planversion/{version}/versions/",
        f"planversion/{version}/move/", f"planversion/{version}/retire/", f"planversion/{version}/what-if/",
        f"planversion/{draft}/offer/", "planversion/import/", "coupon/", "coupon/add/", "discount/", "taxrate/",
        "billingprofile/", f"billingprofile/{account.id}/change/", "subscription/",
        f"subscription/{subscription.pk}/change/", f"subscription/{subscription.pk}/plan/",
        f"subscription/{subscription.pk}/cancel-now/", "invoice/", f"invoice/{invoice.pk}/change/",
        f"invoice/{invoice.pk}/payment/", f"invoice/{invoice.pk}/make-void/", f"invoice/{invoice.pk}/credit-note/",
        "creditnote/", "invoiceitem/", f"invoiceitem/{item.id}/change/", "invoiceitem/add/", "creditgrant/",
        f"creditgrant/{grant.id}/change/", f"creditgrant/wallet/{account.id}/", "creditgrant/add/", "topuprule/add/",
    ]  # fmt: skip
    run = open_due_run()
    pages += ["billingrun/", "billingrun/open/", f"billingrun/{run.pk}/change/", f"billingrun/{run.pk}/cancel/"]
    return [f"/admin/billing/{page}" for page in pages]


def open_due_run() -> BillingRun:
    """A run over a second customer, whose first period nobody has billed."""
    now = timezone.now()
    makers.subscribe(makers.make_account("beta", name="Beta"), started_at=now - timedelta(days=40), at=now)
    return open_run(at=now)


def test_a_billing_run_shows_by_itself_that_it_is_previewed_and_is_approved(open_page: Callable[..., Page]):
    page = open_page()
    log_in(page)
    run = open_due_run()
    page.goto(f"/admin/billing/billingrun/{run.pk}/change/")
    expect(page.locator(".badge", has_text="Being previewed")).to_be_visible()
    do_now("billing.preview_part", f"{run.pk}:1", clock=timezone.now)
    expect(page.locator(".badge", has_text="Awaits approval")).to_be_visible()
    page.get_by_role("link", name="Approve…").click()
    expect(page.get_by_text("1 invoice will be issued, over:")).to_be_visible()
    page.get_by_role("button", name="Approve, and issue the invoices").click()
    do_now("billing.bill_part", f"{run.pk}:1", clock=timezone.now)
    expect(page.locator(".badge", has_text="Done")).to_be_visible()
    expect(page.locator(".run-entries a", has_text="20")).to_be_visible()


def test_what_can_be_done_with_an_invoice_covers_neither_its_name_nor_its_fields(open_page: Callable[..., Page]):
    page = open_page(language="fr")
    log_in(page)
    page.goto(f"/admin/billing/invoice/{Invoice.objects.get().pk}/change/")
    name, tools, fields = (
        page.locator(each).first.bounding_box() for each in ("#content > h2", ".object-tools", "fieldset.module")
    )
    assert name
    assert tools
    assert fields
    assert name["y"] + name["height"] <= tools["y"]
    assert tools["y"] + tools["height"] <= fields["y"]
    assert fields["width"] > 1_000


@pytest.mark.parametrize(("scheme", "language"), [("light", "fr"), ("dark", "en")])
def test_every_page_of_billing_is_accessible_and_fits_a_telephone(open_page: Callable[..., Page], scheme, language):
    page = open_page(scheme=scheme, language=language, is_measured=True)
    log_in(page)
    faults = []
    for address in list_pages():
        page.goto(address)
        faults += [*find_serious_faults(page), *find_wide_parts(page)]
    assert faults == []
