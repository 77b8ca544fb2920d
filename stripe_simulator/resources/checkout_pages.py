"""The page of a Checkout session, as Stripe hosts it: a card is entered, saved or charged, or the visitor goes back."""

from stripe_simulator.checkout.submitting import Submitted, resume, submit
from stripe_simulator.pages.cards import Entered, make_from_entered, read_entered, show_card_form, show_test_cards
from stripe_simulator.pages.layout import render
from stripe_simulator.pages.markup import Markup, tag
from stripe_simulator.payments.currencies import format_amount
from stripe_simulator.routes import Object, Page, Request, page

BUTTONS = {"setup": "Save card", "payment": "Pay", "subscription": "Subscribe"}
TITLES = {"setup": "Save a card", "payment": "Pay", "subscription": "Subscribe"}


@page("GET", "/c/pay/{id}")
def show_checkout(request: Request) -> Page:
    session = request.sim.store.get("checkout.session", request.id)
    return show_ended(session) or show_form(request, session, Entered())


def show_ended(session: Object) -> Page | None:
    """An old link says what became of it."""
    if session["status"] == "open":
        return None
    text = {
        "complete": ("This session is complete", "Nothing is left to do here."),
        "expired": ("This session has expired", "Ask for a new link where you came from."),
    }
    title, words = text[session["status"]]
    return Page(render(title, tag("p", words)), status=200 if session["status"] == "complete" else 410)


def show_form(request: Request, session: Object, entered: Entered) -> Page:
    customer = request.sim.store.peek("customer", session["customer"] or "") or {}
    email = customer.get("email") or session["customer_email"]
    mode = session["mode"]
    label = BUTTONS[mode]
    if mode != "setup" and session["amount_total"]:
        label = f"{label} {format_amount(session['amount_total'], session['currency'])}"
    html = render(
        TITLES[mode],
        tag("p", f"For {email}", class_="soft") if email else None,
        show_items(session),
        tag(
            "section",
            tag("h2", "Card"),
            show_card_form(f"/c/pay/{session['id']}", label, entered, asks_email=not email),
        ),
        tag("p", "Nothing is charged now.", class_="soft") if mode == "setup" else None,
        tag("p", tag("a", "Cancel and go back", href=session["cancel_url"])) if session["cancel_url"] else None,
        show_test_cards(),
    )
    return Page(html, status=200 if not entered.errors else 402 if "card" in entered.errors else 400)


def show_items(session: Object) -> Markup | None:
    if not session["_items"]:
        return None
    rows = [
        tag(
            "tr",
            tag("td", item["description"]),
            tag("td", "by usage" if item["quantity"] is None else f"× {item['quantity']}"),
            tag("td", format_amount(item["amount_total"], item["currency"]), class_="number"),
        )
        for item in session["_items"]
    ]
    total = format_amount(session["amount_total"], session["currency"])
    foot = tag("tr", tag("th", "Due now", scope="row", colspan="2"), tag("td", total, class_="number"))
    return tag("section", tag("table", tag("tbody", *rows), tag("tfoot", foot)))


@page("POST", "/c/pay/{id}")
def submit_checkout(request: Request) -> Page:
    session = request.sim.store.get("checkout.session", request.id)
    if ended := show_ended(session):
        return ended
    entered = read_entered(request)
    method = make_from_entered(request, entered)
    if method is None:
        return show_form(request, session, entered)
    email, name = entered.values["email"] or session["customer_email"], entered.values["name"] or None
    return go_on(request, session, entered, submit(request, session, method, email=email or None, name=name))


@page("GET", "/c/pay/{id}/resume")
def resume_checkout(request: Request) -> Page:
    """Back from the bank."""
    session = request.sim.store.get("checkout.session", request.id)
    return show_ended(session) or go_on(request, session, Entered(), resume(request, session))


def go_on(request: Request, session: Object, entered: Entered, done: Submitted) -> Page:
    if done.location:
        return Page(location=done.location)
    entered.errors["card"] = done.problem
    return show_form(request, session, entered)
