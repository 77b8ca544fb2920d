"""What a visitor does on the simulator's pages."""

from playwright.sync_api import Page

GOOD, ASKS_ONCE, ASKS_ALWAYS = "4242 4242 4242 4242", "4000002500003155", "4000002760003184"
FAILS_LATER, NO_FUNDS, WRONG = "4000000000000341", "4000 0000 0000 9995", "4242 4242 4242 4241"


def enter_card(page: Page, number: str, *, expiry: str = "12 / 34", cvc: str = "123", name: str = "Bob") -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill(expiry)
    page.get_by_label("Security code").fill(cvc)
    page.get_by_label("Name on card").fill(name)
    page.locator("form:has(#number) button").click()
