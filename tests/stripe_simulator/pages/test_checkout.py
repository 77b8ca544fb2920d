"""Checkout in a real browser: cards saved and charged, refused, asked for, left."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, expect

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import NOW, make_customer, make_price, take_events, take_types
from tests.stripe_simulator.pages.conftest import CANCEL, SUCCESS
from tests.stripe_simulator.pages.driving import ASKS_ALWAYS, ASKS_ONCE, GOOD, NO_FUNDS, WRONG, enter_card

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def make_session(simulator: SimulatorClient, **params: Any) -> stripe.checkout.Session:
    given = {"mode": "setup", "success_url": SUCCESS, "cancel_url": CANCEL, **params}
    if given["mode"] == "setup":
        given["currency"] = "eur"
    return simulator.client().v1.checkout.sessions.create(given)  # type: ignore[arg-type]


def read(simulator: SimulatorClient, session: stripe.checkout.Session) -> stripe.checkout.Session:
    expand = ["setup_intent", "payment_intent", "subscription.latest_invoice"]
    return simulator.client().v1.checkout.sessions.retrieve(session.id, {"expand": expand})


def test_a_card_is_saved_for_a_customer(simulator: SimulatorClient, open_page: OpenPage):
    customer = make_customer(simulator)
    session = make_session(simulator, customer=customer)
    take_types(simulator)
    page = open_page(str(session.url))
    expect(page.get_by_role("note")).to_contain_text("No real card is charged")
    enter_card(page, GOOD)
    page.wait_for_url(f"https://palier.test/back?session={session.id}")
    done = read(simulator, session)
    assert (done.status, done.payment_status, done.url) == ("complete", "no_payment_required", None)
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    assert (done.setup_intent.status, done.setup_intent.customer) == ("succeeded", customer)
    [method] = simulator.client().v1.customers.payment_methods.list(customer).data
    assert method.id == done.setup_intent.payment_method
    assert take_types(simulator) == [
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_wrong_number_and_a_declined_card_say_so_and_the_next_card_is_saved(
    simulator: SimulatorClient, open_page: OpenPage
):
    session = make_session(simulator, customer=make_customer(simulator))
    page = open_page(str(session.url))
    enter_card(page, WRONG, expiry="13 / 20", cvc="1")
    for message in ("Your card number is invalid.", "expiration month is invalid", "security code is incomplete"):
        expect(page.get_by_text(message)).to_be_visible()
    enter_card(page, NO_FUNDS)
    expect(page.get_by_role("alert")).to_have_text("Your card has insufficient funds.")
    assert read(simulator, session).status == "open"
    enter_card(page, GOOD)
    page.wait_for_url("https://palier.test/back*")
    assert take_types(simulator, "setup_intent.setup_failed") == ["setup_intent.setup_failed"]


def test_a_bank_asks_before_the_card_is_saved_and_may_be_refused(simulator: SimulatorClient, open_page: OpenPage):
    session = make_session(simulator, customer=make_customer(simulator))
    page = open_page(str(session.url))
    enter_card(page, ASKS_ONCE)
    expect(page.get_by_role("heading")).to_have_text("3-D Secure")
    page.get_by_role("button", name="Fail").click()
    expect(page.get_by_role("alert")).to_contain_text("unable to authenticate")
    enter_card(page, ASKS_ONCE)
    page.get_by_role("button", name="Complete").click()
    page.wait_for_url("https://palier.test/back*")
    assert read(simulator, session).status == "complete"


def test_whoever_cancels_goes_back_and_the_session_stays_open(simulator: SimulatorClient, open_page: OpenPage):
    session = make_session(simulator, customer=make_customer(simulator))
    page = open_page(str(session.url))
    page.get_by_role("link", name="Cancel and go back").click()
    page.wait_for_url(CANCEL)
    assert read(simulator, session).status == "open"


def test_an_old_link_says_that_the_session_is_complete_or_expired(simulator: SimulatorClient, open_page: OpenPage):
    client = simulator.client()
    done, late = (make_session(simulator, customer=make_customer(simulator)) for _ in range(2))
    page = open_page(str(done.url))
    enter_card(page, GOOD)
    page.wait_for_url("https://palier.test/back*")
    page.goto(str(done.url))
    expect(page.get_by_role("heading")).to_have_text("This session is complete")
    simulator.advance(hours=24)
    assert client.v1.checkout.sessions.retrieve(late.id).status == "expired"
    page.goto(str(late.url))
    expect(page.get_by_role("heading")).to_have_text("This session has expired")
    assert take_types(simulator, "checkout.session.") == ["checkout.session.completed", "checkout.session.expired"]
    with pytest.raises(stripe.InvalidRequestError, match="Only open"):
        client.v1.checkout.sessions.expire(late.id)


def test_a_payment_keeps_one_intent_over_a_declined_card(simulator: SimulatorClient, open_page: OpenPage):
    price = make_price(simulator.client(), recurring=None)
    session = make_session(simulator, mode="payment", line_items=[{"price": price.id, "quantity": 2}])
    page = open_page(str(session.url))
    page.get_by_label("E-mail").fill("bob@acme.example")
    enter_card(page, NO_FUNDS)
    expect(page.get_by_role("alert")).to_have_text("Your card has insufficient funds.")
    page.get_by_label("E-mail").fill("bob@acme.example")
    enter_card(page, ASKS_ALWAYS)
    page.get_by_role("button", name="Complete").click()
    page.wait_for_url("https://palier.test/back*")
    done = read(simulator, session)
    assert isinstance(done.payment_intent, stripe.PaymentIntent)
    assert (done.payment_status, done.amount_total, done.payment_intent.amount_received) == ("paid", 2000, 2000)
    assert done.customer_details is not None
    assert done.customer_details.email == "bob@acme.example"
    assert len(take_events(simulator, "payment_intent.created")) == 1


def test_a_subscription_begins_with_its_first_invoice_paid(simulator: SimulatorClient, open_page: OpenPage):
    price = make_price(simulator.client())
    session = make_session(
        simulator,
        mode="subscription",
        line_items=[{"price": price.id, "quantity": 1}],
        customer=make_customer(simulator),
        subscription_data={"metadata": {"plan": "scale"}},
    )
    page = open_page(str(session.url))
    expect(page.get_by_role("button", name="Subscribe EUR 10.00")).to_be_visible()
    enter_card(page, ASKS_ALWAYS)
    page.get_by_role("button", name="Complete").click()
    page.wait_for_url("https://palier.test/back*")
    subscription = read(simulator, session).subscription
    assert isinstance(subscription, stripe.Subscription)
    assert isinstance(subscription.latest_invoice, stripe.Invoice)
    assert (subscription.status, subscription.latest_invoice.status) == ("active", "paid")
    assert subscription.metadata.to_dict() == {"plan": "scale"}


def test_a_session_whose_parameters_contradict_each_other_is_refused(simulator: SimulatorClient):
    price = make_price(simulator.client())
    for params, message in (
        ({"mode": "payment", "line_items": [{"price": price.id, "quantity": 1}]}, "recurring price"),
        ({"mode": "subscription"}, "line_items is required"),
        ({"mode": "setup", "line_items": [{"price": price.id, "quantity": 1}]}, "setup"),
        ({"success_url": "javascript:alert(1)"}, "Not a valid URL"),
        ({"expires_at": NOW + int(timedelta(hours=25).total_seconds())}, "24 hours"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=message):
            make_session(simulator, **params)
