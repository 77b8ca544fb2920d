"""The page of an invoice, as Stripe hosts it, where its customer sees and pays it; and a plain one to print."""

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
from stripe_simulator.payments.invoices import PAYABLE, charge_invoice, find_intent, find_method, find_payment
from stripe_simulator.routes import Object, Page, Request, page


@page("GET", "/i/{id}")
def show_invoice(request: Request) -> Page:
    return show(request, find_invoice(request), Entered())


def find_invoice(request: Request) -> Object:
    """A draft has no page."""
    invoice = request.sim.store.get("invoice", request.id)
    if invoice["status"] == "draft":
        request.sim.store.get("invoice", "")  # raises, as for one that does not exist
    return invoice


def show(request: Request, invoice: Object, entered: Entered) -> Page:
    html = render(
        f"Invoice {invoice['number']}",
        show_state(invoice),
        show_lines(request, invoice),
        show_payment(request, invoice, entered) if invoice["status"] in PAYABLE else None,
        tag("p", tag("a", "Print view", href=f"/i/{invoice['id']}/pdf")),
    )
    return Page(html, status=200 if not entered.errors else 402 if "card" in entered.errors else 400)


def show_state(invoice: Object) -> Markup:
    date = datetime.fromtimestamp(invoice["created"], UTC).strftime("%-d %B %Y")
    words = {"paid": "Paid.", "void": "Void: nothing is to be paid.", "uncollectible": "Overdue."}
    left = f"{format_amount(invoice['amount_remaining'], invoice['currency'])} to pay."
    return tag("p", tag("strong", words.get(invoice["status"], left)), f" Of {date}.")


def show_lines(request: Request, invoice: Object) -> Markup:
    currency = invoice["currency"]
    rows = [
        tag(
            "tr",
            tag("td", line["description"] or "—"),
            tag("td", format_amount(line["amount"], currency), class_="number"),
        )
        for line in invoice["lines"]["data"]
    ]
    if invoice["lines"]["has_more"]:
        rows.append(tag("tr", tag("td", "More lines are not shown here.", class_="soft", colspan="2")))
    taxes = sum(tax["amount"] for tax in invoice["total_taxes"] or [])
    sums = [
        ("Subtotal", invoice["subtotal"]),
        ("Tax", taxes),
        ("Total", invoice["total"]),
        ("Due", invoice["amount_due"]),
    ]
    feet = [
        tag("tr", tag("th", name, scope="row"), tag("td", format_amount(amount, currency), class_="number"))
        for name, amount in sums
        if amount or name != "Tax"
    ]
    return tag("section", tag("table", tag("tbody", *rows), tag("tfoot", *feet)))


def show_payment(request: Request, invoice: Object, entered: Entered) -> Markup:
    """What a bank asked first, then the saved card, then another one."""
    action = f"/i/{invoice['id']}"
    payment = find_payment(request.sim, invoice)
    waits = payment is not None and find_intent(request.sim, payment)["status"] == "requires_action"
    saved = find_method(request.sim, invoice)
    amount = format_amount(invoice["amount_remaining"], invoice["currency"])
    parts: list[Markup | None] = [tag("h2", "Pay")]
    if waits and payment is not None:
        link = f"/authenticate/{payment['payment']['payment_intent']}"
        parts.append(tag("p", "Your bank asks you to confirm this payment. ", tag("a", "Authenticate", href=link)))
    if saved is not None and saved["object"] == "payment_method":
        hidden = tag("input", type="hidden", name="saved", value="1")
        parts.append(post(action, tag("p", describe_method(saved)), hidden, label=f"Pay {amount} with this card"))
        parts.append(tag("h2", "Another card"))
    parts.append(show_card_form(action, f"Pay {amount}", entered))
    return tag("section", *parts, show_test_cards())


@page("POST", "/i/{id}")
def pay_invoice(request: Request) -> Page:
    """Somebody is there, so that a bank can ask."""
    sim = request.sim
    invoice = find_invoice(request)
    if invoice["status"] not in PAYABLE:
        return Page(location=f"/i/{invoice['id']}")
    entered = Entered() if request.params.get("saved") else read_entered(request)
    saved = find_method(sim, invoice)
    method = saved if request.params.get("saved") and saved else make_from_entered(request, entered)
    if method is None:
        return show(request, invoice, entered)
    address = f"{request.base_url}/i/{invoice['id']}"
    at = sim.now(invoice["customer"])
    intent = charge_invoice(sim, invoice, method, at=at, is_automatic=False, return_url=address)
    if intent["status"] == "requires_action":
        return Page(location=intent["next_action"]["redirect_to_url"]["url"])
    if intent["status"] != "succeeded":
        entered.errors["card"] = intent["last_payment_error"]["message"]
        return show(request, invoice, entered)
    return Page(location=f"/i/{invoice['id']}")


@page("GET", "/i/{id}/pdf")
def print_invoice(request: Request) -> Page:
    """No PDF: a page without forms."""
    invoice = find_invoice(request)
    return Page(render(f"Invoice {invoice['number']}", show_state(invoice), show_lines(request, invoice)))
