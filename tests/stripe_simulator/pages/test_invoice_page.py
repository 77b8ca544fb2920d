"""The page of an invoice in a real browser."""

from collections.abc import Callable

import pytest
import stripe
from playwright.sync_api import Page, expect

from tests.portal.test_browser import find_serious_faults, find_small_targets, find_wide_parts
from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import make_customer, take_types
from tests.stripe_simulator.pages.conftest import CANCEL, RETURN, SUCCESS
from tests.stripe_simulator.pages.driving import FAILS_LATER, GOOD, WRONG, enter_card

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def issue(simulator: SimulatorClient, customer: str, *, description: str = "Usage of May") -> stripe.Invoice:
    client = simulator.client()
    invoice = client.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": False})
    item = {
        "customer": customer,
        "invoice": invoice.id,
        "amount": 123456,
        "currency": "eur",
        "description": description,
    }
    client.v1.invoice_items.create(item)  # type: ignore[arg-type]
    client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    simulator.advance(seconds=1)
    return client.v1.invoices.retrieve(invoice.id)


def save_card(simulator: SimulatorClient, customer: str, token: str) -> None:
    client = simulator.client()
    method = client.v1.payment_methods.attach(token, {"customer": customer})
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})


def test_a_failed_invoice_is_paid_with_another_card(simulator: SimulatorClient, open_page: OpenPage):
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_chargeCustomerFail")
    invoice = issue(simulator, customer)
    page = open_page(str(invoice.hosted_invoice_url))
    expect(page.get_by_text("EUR 1,234.56 to pay.")).to_be_visible()
    enter_card(page, FAILS_LATER)
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    enter_card(page, GOOD)
    expect(page.get_by_text("Paid.")).to_be_visible()
    assert simulator.client().v1.invoices.retrieve(invoice.id).status == "paid"
    assert take_types(simulator, "payment_intent.created") == ["payment_intent.created"]


def test_a_bank_that_asked_while_nobody_was_there_is_answered(simulator: SimulatorClient, open_page: OpenPage):
    customer = make_customer(simulator)
    save_card(simulator, customer, "pm_card_authenticationRequired")
    invoice = issue(simulator, customer)
    page = open_page(str(invoice.hosted_invoice_url))
    page.get_by_role("link", name="Authenticate").click()
    page.get_by_role("button", name="Fail").click()
    expect(page.get_by_role("link", name="Authenticate")).to_have_count(0)
    page.get_by_role("button", name="with this card").click()
    page.get_by_role("button", name="Complete").click()
    expect(page.get_by_text("Paid.")).to_be_visible()
    page.get_by_role("link", name="Print view").click()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_draft_has_no_page(simulator: SimulatorClient, open_page: OpenPage):
    draft = simulator.client().v1.invoices.create({"customer": make_customer(simulator), "currency": "eur"})
    page = open_page(f"{simulator.url}/i/{draft.id}")
    assert page.request.get(page.url).status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_everybody_on_any_screen(
    simulator: SimulatorClient, open_page: OpenPage, scheme: str
):
    client = simulator.client()
    customer = client.v1.customers.create({"name": "Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrik"}).id
    save_card(simulator, customer, "pm_card_authenticationRequired")
    invoice = issue(simulator, customer, description="Rindfleischetikettierungsüberwachungsaufgabenübertragung" * 2)
    portal = client.v1.billing_portal.sessions.create({"customer": customer, "return_url": RETURN})
    checkout = client.v1.checkout.sessions.create(
        {"mode": "setup", "currency": "eur", "customer": customer, "success_url": SUCCESS, "cancel_url": CANCEL}
    )
    [payment] = client.v1.invoice_payments.list({"invoice": invoice.id}).data
    bank = f"{simulator.url}/authenticate/{payment.payment.payment_intent}"
    page = open_page(str(checkout.url), color_scheme=scheme, bypass_csp=True)
    enter_card(page, WRONG, expiry="1")
    faults = []
    for url in ("", portal.url, f"{portal.url}/card", str(invoice.hosted_invoice_url), bank):
        if url:
            page.goto(url)
        faults += find_serious_faults(page) + find_wide_parts(page) + find_small_targets(page)
    assert faults == []
