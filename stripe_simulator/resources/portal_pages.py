"""The customer portal, as Stripe hosts it: cards are added, chosen, removed; invoices are listed."""

from datetime import UTC, datetime

from stripe_simulator.pages.cards import (
    Entered,
    describe_method,
    make_from_entered,
    read_entered,
    show_card_form,
    show_test_cards,
)
from stripe_simulator.pages.layout import render
from stripe_simulator.pages.markup import Markup, post, tag
from stripe_simulator.payments.currencies import format_amount
from stripe_simulator.payments.methods import detach_method, set_default_method
from stripe_simulator.payments.setups import make_setup, try_setup
from stripe_simulator.routes import Object, Page, Request, page

MOST_INVOICES = 50


def find_session(request: Request) -> tuple[Object, Object]:
    """The session and what its configuration allows."""
    session = request.sim.store.get("billing_portal.session", request.id)
    return session, request.sim.store.get("billing_portal.configuration", session["configuration"])["features"]


@page("GET", "/p/session/{id}")
def show_portal(request: Request) -> Page:
    sim = request.sim
    session, features = find_session(request)
    if session["flow"] and not session.get("_is_done"):
        return Page(location=f"/p/session/{session['id']}/card")
    customer = sim.store.get("customer", session["customer"])
    return Page(
        render(
            customer["name"] or customer["email"] or "Your billing",
            show_return(session),
            show_methods(request, session, customer) if features["payment_method_update"]["enabled"] else None,
            show_invoices(request, customer) if features["invoice_history"]["enabled"] else None,
        )
    )


def show_return(session: Object) -> Markup | None:
    return tag("p", tag("a", "Return to the merchant", href=session["return_url"])) if session["return_url"] else None


def show_methods(request: Request, session: Object, customer: Object) -> Markup:
    base = f"/p/session/{session['id']}"
    default = customer["invoice_settings"]["default_payment_method"]
    rows = []
    for method in request.sim.store.scan("payment_method", customer=customer["id"]):
        is_default = method["id"] == default
        place = f"{base}/methods/{method['id']}"
        rows.append(
            tag(
                "li",
                tag("p", describe_method(method), tag("strong", " (default)") if is_default else None),
                tag(
                    "div",
                    None if is_default else post(f"{place}/default", label="Make default", kind="plain"),
                    post(f"{place}/remove", label="Remove", kind="plain"),
                    class_="actions",
                ),
            )
        )
    return tag(
        "section",
        tag("h2", "Payment methods"),
        tag("ul", *rows) if rows else tag("p", "No card is saved.", class_="soft"),
        tag("p", tag("a", "Add payment method", href=f"{base}/card")),
    )


def show_invoices(request: Request, customer: Object) -> Markup:
    found = [row for row in request.sim.store.scan("invoice", customer=customer["id"]) if row["status"] != "draft"]
    rows = [
        tag(
            "tr",
            tag("td", tag("a", row["number"] or row["id"], href=row["hosted_invoice_url"]), tag("br"), show_date(row)),
            tag("td", row["status"]),
            tag("td", format_amount(row["total"], row["currency"]), class_="number"),
        )
        for row in reversed(found[-MOST_INVOICES:])
    ]
    names = (("Invoice", None), ("Status", None), ("Total", "number"))
    head = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in names))
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag("section", tag("h2", "Invoices"), table if rows else tag("p", "None yet.", class_="soft"))


def show_date(invoice: Object) -> Markup:
    return tag("span", datetime.fromtimestamp(invoice["created"], UTC).strftime("%-d %b %Y"), class_="soft")


@page("GET", "/p/session/{id}/card")
def show_add(request: Request) -> Page:
    return show_add_form(request, Entered())


def show_add_form(request: Request, entered: Entered) -> Page:
    session, _ = find_session(request)
    back = tag("a", "Go back", href=f"/p/session/{session['id']}")
    html = render(
        "Add payment method",
        tag("section", show_card_form(f"/p/session/{session['id']}/card", "Add card", entered)),
        show_return(session) if session["flow"] else tag("p", back),
        show_test_cards(),
    )
    return Page(html, status=200 if not entered.errors else 400)


@page("POST", "/p/session/{id}/card")
def add_card(request: Request) -> Page:
    """Save a card by a setup intent, as Stripe does, and make it the default."""
    sim = request.sim
    session, features = find_session(request)
    if not features["payment_method_update"]["enabled"]:
        return Page(render("Not offered", tag("p", "Cards cannot be changed here.")), status=403)
    entered = read_entered(request)
    method = make_from_entered(request, entered)
    if method is None:
        return show_add_form(request, entered)
    setup = make_setup(sim, customer=session["customer"])
    session["_setup"] = setup["id"]
    try_setup(sim, setup, method, return_url=f"{request.base_url}/p/session/{session['id']}/added")
    return follow(request, session, setup, entered)


@page("GET", "/p/session/{id}/added")
def come_back(request: Request) -> Page:
    """Back from the bank."""
    session, _ = find_session(request)
    setup = request.sim.store.get("setup_intent", session.get("_setup") or "")
    return follow(request, session, setup, Entered())


def follow(request: Request, session: Object, setup: Object, entered: Entered) -> Page:
    if setup["status"] == "requires_action":
        return Page(location=setup["next_action"]["redirect_to_url"]["url"])
    if setup["status"] != "succeeded":
        entered.errors["card"] = (setup["last_setup_error"] or {}).get("message", "Your card could not be saved.")
        return show_add_form(request, entered)
    customer = request.sim.store.get("customer", session["customer"])
    if customer["invoice_settings"]["default_payment_method"] != setup["payment_method"]:
        set_default_method(request.sim, customer, setup["payment_method"])
    session["_is_done"] = True
    return Page(location=find_next(session))


def find_next(session: Object) -> str:
    home = f"/p/session/{session['id']}"
    after = (session["flow"] or {}).get("after_completion") or {"type": "portal_homepage"}
    if after["type"] == "redirect":
        return str(after["redirect"]["return_url"])
    return f"{home}/done" if after["type"] == "hosted_confirmation" else home


@page("GET", "/p/session/{id}/done")
def show_done(request: Request) -> Page:
    session, _ = find_session(request)
    confirmation = ((session["flow"] or {}).get("after_completion") or {}).get("hosted_confirmation") or {}
    words = confirmation.get("custom_message") or "Your card is saved."
    return Page(render("Done", tag("p", words), show_return(session)))


def find_own_method(request: Request) -> tuple[Object, Object]:
    """A card of the session's customer, and of nobody else."""
    session, features = find_session(request)
    method = request.sim.store.get("payment_method", request.ids["method"])
    if method["customer"] != session["customer"] or not features["payment_method_update"]["enabled"]:
        request.sim.store.get("payment_method", "")  # raises, as for one that does not exist
    return session, method


@page("POST", "/p/session/{id}/methods/{method}/default")
def make_default(request: Request) -> Page:
    session, method = find_own_method(request)
    set_default_method(request.sim, request.sim.store.get("customer", session["customer"]), method["id"])
    return Page(location=f"/p/session/{session['id']}")


@page("POST", "/p/session/{id}/methods/{method}/remove")
def remove_method(request: Request) -> Page:
    session, method = find_own_method(request)
    detach_method(request.sim, method)
    return Page(location=f"/p/session/{session['id']}")
