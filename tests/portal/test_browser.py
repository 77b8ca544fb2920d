"""The screens in a real browser: they work, they fit a telephone, and axe finds nothing serious."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from metering.events import EventFate, Fate
from metering.figures import count_fates, flush_figures
from metering.keys import issue_key
from metering.rejections import Rejection, keep_rejections
from portal.models import User
from tests.portal import makers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
SCREENS = [
    "/a/acme/", "/a/acme/usage/requests/", "/a/acme/plans/", "/a/acme/invoices/", "/a/acme/statement/",
    "/a/acme/budgets/", "/a/acme/alerts/", "/a/acme/events/",
    "/a/acme/events/?text=none", "/a/acme/events/event/", "/a/acme/sending/", "/accounts/password/change/",
]  # fmt: skip


@pytest.fixture(autouse=True)
def customer(transactional_db):
    """An owner whose account is at 85 % of its limit this month and has an invoice of an earlier one."""
    cache.clear()
    now = timezone.now()
    account = makers.make_account("acme", name="Acme Robotics")
    makers.make_plan(limit="40")
    makers.subscribe(account, started_at=now - timedelta(days=40), at=now, time_zone="Europe/Paris")
    makers.use(account, 34, time=now)
    makers.issue_invoices(account, at=now)
    makers.make_member(account, email="olivia@example.com")
    key = issue_key(name="collector", scopes=["events:write"], at=now, account_id=account.id)
    count_fates(
        [EventFate("shop", "1", Fate.ACCEPTED), EventFate("shop", "2", Fate.REJECTED)], api_key_id=key.id, at=now
    )
    flush_figures()
    rejection = Rejection("shop", "2", "unknown_type", "type", "No meter counts this type.", b'{"id": "2"}')
    keep_rejections([rejection], api_key_id=key.id, account_id=account.id, at=now)


def log_in(page: Page) -> None:
    page.goto("/")
    page.locator("[name=login]").fill("olivia@example.com")
    page.locator("[name=password]").fill(makers.PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/a/acme/")


def find_serious_faults(page: Page) -> list[str]:
    faults = Axe().run(page, options=AXE).response["violations"]
    return [
        f"{page.url}: {fault['id']}: {fault['nodes'][0]['html']}"
        for fault in faults
        if fault["impact"] in {"serious", "critical"}
    ]


def find_wide_parts(page: Page) -> list[str]:
    """What sticks out of the window sideways, at 360 pixels."""
    page.set_viewport_size({"width": 360, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    return [] if width <= 360 else [f"{page.url} is {width} px wide"]


def find_small_targets(page: Page) -> list[str]:
    """Buttons, links outside sentences and fields that are lower than 24 pixels."""
    return page.eval_on_selector_all(
        "button, summary, nav a, td a, th a, .button, input:not([type=hidden])",
        """parts => parts
            .map(part => [part.outerHTML.slice(0, 90), part.closest('label') ?? part])
            .map(([html, part]) => [html, part.getBoundingClientRect()])
            .filter(([html, box]) => box.height > 1 && box.height < 24)
            .map(([html, box]) => `${html} ${box.height}`)""",
    )


def test_a_customer_logs_in_and_finds_usage_and_invoice(open_page: Callable[..., Page]):
    page = open_page()
    log_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme Robotics")
    expect(page.get_by_role("meter", name="Requests")).to_have_attribute("aria-valuenow", "85")
    expect(page.get_by_role("img", name="Requests")).to_be_visible()
    page.get_by_role("link", name="Invoices", exact=True).click()
    page.locator("table a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Invoice 20")
    why = page.locator("details.why").first
    expect(why.locator("li").first).to_be_hidden()
    why.locator("summary").click()
    expect(why.locator("li").first).to_have_text("flat fee of €49.00")
    page.locator("summary", has_text="Owner").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/accounts/login/**")


def test_a_wrong_password_is_said_where_the_reader_is(open_page: Callable[..., Page]):
    page = open_page()
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill("olivia@example.com")
    page.locator("[name=password]").fill("wrong")
    page.locator("main button[type=submit]").click()
    expect(page.locator("ul.errorlist")).to_contain_text("not correct")
    assert find_serious_faults(page) == []


def test_the_switch_keeps_light_and_dark_over_pages_and_starts_from_the_system(open_page: Callable[..., Page]):
    page = open_page(scheme="dark")
    page.goto("/accounts/login/")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(15, 20, 24)"
    page.locator("[data-theme-switch]").click()
    assert page.evaluate(ground) == "rgb(246, 247, 248)"
    page.goto("/accounts/password/reset/")
    assert page.evaluate(ground) == "rgb(246, 247, 248)"
    page.locator("[data-theme-switch]").click()
    page.locator("[data-theme-switch]").click()
    assert page.evaluate("localStorage.theme") == "auto"
    assert page.evaluate(ground) == "rgb(15, 20, 24)"


def test_the_language_switch_stays_on_the_page_and_is_remembered(open_page: Callable[..., Page]):
    page = open_page()
    log_in(page)
    page.goto("/a/acme/usage/requests/")
    page.get_by_role("button", name="Français").click()
    page.wait_for_url("**/a/acme/usage/requests/")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.goto("/a/acme/invoices/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Factures")


def test_the_first_key_press_leads_past_the_navigation(open_page: Callable[..., Page]):
    page = open_page()
    log_in(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    expect(page.locator(".skip-link")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "fr")])
def test_every_screen_is_accessible_and_fits_a_telephone(open_page: Callable[..., Page], scheme, language):
    page = open_page(scheme=scheme, language=language)
    faults = []
    page.goto("/accounts/login/")
    faults += [*find_serious_faults(page), *find_wide_parts(page), *find_small_targets(page)]
    log_in(page)
    page.goto("/a/acme/invoices/")
    invoice = page.locator("table a").first.get_attribute("href")
    page.goto("/a/acme/events/")
    event = page.locator("table a").first.get_attribute("href")
    for address in [*SCREENS, invoice, f"{invoice}page/", event]:
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        faults += [*find_serious_faults(page), *find_wide_parts(page), *find_small_targets(page)]
    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_log_in_the_back_office_is_accessible(open_page: Callable[..., Page], scheme):
    User.objects.create_superuser("root@example.com", makers.PASSWORD)
    page = open_page(scheme=scheme)
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill("root@example.com")
    page.locator("[name=password]").fill(makers.PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/admin/")
    page.goto("/admin/events/")
    faults = [*find_serious_faults(page), *find_wide_parts(page)]
    page.locator("table a").first.click()
    expect(page.get_by_role("heading", name="Meters")).to_be_visible()
    faults += [*find_serious_faults(page), *find_wide_parts(page)]
    assert faults == []


GROUND = "part => getComputedStyle(part).backgroundColor"


def read_light(page: Page, part: str) -> int:
    """How light the ground of a part is, from 0 to 255."""
    colour = page.locator(part).first.evaluate(GROUND)
    return max(int(number) for number in re.findall(r"\d+", colour)[:3])


def open_documentation(page: Page) -> Locator:
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", name="Palier")).to_be_visible()
    operation = page.locator("#operations-events-events_create")
    operation.locator(".opblock-summary-control").click()
    expect(operation.get_by_text("A fate for every row.")).to_be_visible()
    return operation


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_the_api_works_under_the_strict_policy_in_either_theme(open_page: Callable[..., Page], scheme):
    page = open_page(scheme=scheme)
    open_documentation(page)
    parts = ["body", ".swagger-ui .scheme-container", ".swagger-ui .opblock"]
    assert [read_light(page, part) > 127 for part in parts] == [scheme == "light"] * 3
    assert find_wide_parts(page) == []


def test_the_page_of_the_api_follows_the_system_and_the_sites_own_switch(open_page: Callable[..., Page]):
    page = open_page(scheme="light")
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", name="Palier")).to_be_visible()
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_class("dark-mode")
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    assert read_light(page, "body") > 127
