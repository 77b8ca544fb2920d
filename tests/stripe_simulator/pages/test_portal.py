"""The customer portal in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, expect

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import make_customer, take_types
from tests.stripe_simulator.pages.conftest import RETURN
from tests.stripe_simulator.pages.driving import ASKS_ONCE, GOOD, NO_FUNDS, enter_card

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def open_portal(simulator: SimulatorClient, customer: str, **params: Any) -> stripe.billing_portal.Session:
    return simulator.client().v1.billing_portal.sessions.create({"customer": customer, "return_url": RETURN, **params})  # type: ignore[typeddict-item]


def read_default(simulator: SimulatorClient, customer: str) -> Any:
    settings = simulator.client().v1.customers.retrieve(customer).invoice_settings
    assert settings is not None
    return settings.default_payment_method


def test_a_card_is_added_by_a_setup_and_charged_from_then_on(simulator: SimulatorClient, open_page: OpenPage):
    customer = make_customer(simulator)
    page = open_page(open_portal(simulator, customer).url)
    expect(page.get_by_text("No card is saved.")).to_be_visible()
    take_types(simulator)
    page.get_by_role("link", name="Add payment method").click()
    enter_card(page, NO_FUNDS)
    expect(page.get_by_role("alert")).to_have_text("Your card has insufficient funds.")
    enter_card(page, ASKS_ONCE)
    page.get_by_role("button", name="Complete").click()
    expect(page.get_by_text("Visa •••• 3155, expires 12/2034 (default)")).to_be_visible()
    [method] = simulator.client().v1.customers.payment_methods.list(customer).data
    assert read_default(simulator, customer) == method.id
    assert take_types(simulator)[-3:] == ["payment_method.attached", "setup_intent.succeeded", "customer.updated"]


def test_cards_are_chosen_and_removed_and_the_way_back_is_the_merchants(
    simulator: SimulatorClient, open_page: OpenPage
):
    client = simulator.client()
    customer = make_customer(simulator)
    first, second = (
        client.v1.payment_methods.attach(token, {"customer": customer}).id
        for token in ("pm_card_visa", "pm_card_mastercard")
    )
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": first}})
    page = open_page(open_portal(simulator, customer).url)
    page.locator("li", has_text="4444").get_by_role("button", name="Make default").click()
    expect(page.locator("li", has_text="4444")).to_contain_text("(default)")
    assert read_default(simulator, customer) == second
    page.locator("li", has_text="4242").get_by_role("button", name="Remove").click()
    expect(page.locator("li")).to_have_count(1)
    assert [method.id for method in client.v1.customers.payment_methods.list(customer)] == [second]
    page.get_by_role("link", name="Return to the merchant").click()
    page.wait_for_url(RETURN)


def test_a_link_to_changing_the_card_ends_where_it_says(simulator: SimulatorClient, open_page: OpenPage):
    after = {"type": "redirect", "redirect": {"return_url": f"{RETURN}?card=saved"}}
    flow = {"type": "payment_method_update", "after_completion": after}
    page = open_page(open_portal(simulator, make_customer(simulator), flow_data=flow).url)
    enter_card(page, GOOD)
    page.wait_for_url(f"{RETURN}?card=saved")


def test_invoices_are_listed_with_their_pages(simulator: SimulatorClient, open_page: OpenPage):
    client = simulator.client()
    customer = make_customer(simulator)
    invoice = client.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": False})
    client.v1.invoice_items.create({"customer": customer, "invoice": invoice.id, "amount": 5000, "currency": "eur"})
    number = client.v1.invoices.finalize_invoice(invoice.id).number
    client.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": False})  # a draft is not shown
    page = open_page(open_portal(simulator, customer).url)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name=str(number)).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Invoice {number}")


def test_nobody_touches_another_customers_card(simulator: SimulatorClient, open_page: OpenPage):
    client = simulator.client()
    owner, other = make_customer(simulator), make_customer(simulator)
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": owner})
    session = open_portal(simulator, other)
    page = open_page(session.url)
    answer = page.request.post(f"/p/session/{session.id}/methods/{method.id}/remove")
    assert answer.status == 404
    assert client.v1.payment_methods.retrieve(method.id).customer == owner


def test_names_are_shown_as_text(simulator: SimulatorClient, open_page: OpenPage):
    hostile = '<script>document.title="x"</script>&"\''
    customer = simulator.client().v1.customers.create({"name": hostile}).id
    page = open_page(open_portal(simulator, customer).url)
    expect(page.get_by_role("heading", level=1)).to_have_text(hostile)
    assert page.title() == f"{hostile} · Stripe simulator"
