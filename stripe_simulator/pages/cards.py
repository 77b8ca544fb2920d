"""The card form that Checkout, the portal and invoices share: what was entered, and what is wrong with it."""

from dataclasses import dataclass, field
from typing import Any

from stripe_simulator.errors import StripeError
from stripe_simulator.pages.markup import Child, Markup, tag
from stripe_simulator.pages.markup import field as text_field
from stripe_simulator.payments.methods import check_expiry, make_method, read_card
from stripe_simulator.routes import Object, Request

FIELDS = {"number": "number", "exp_month": "expiry", "exp_year": "expiry"}
HELP = (
    ("4242 4242 4242 4242", "succeeds"),
    ("4000 0025 0000 3155", "asks for 3-D Secure"),
    ("4000 0000 0000 0341", "is saved, then declined when charged"),
    ("4000 0000 0000 9995", "is declined: insufficient funds"),
)


@dataclass
class Entered:
    """What a visitor typed, and the errors by field; `card` under nothing in particular."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def read_entered(request: Request) -> Entered:
    return Entered(
        {name: str(request.params.get(name, "")).strip() for name in ("number", "expiry", "cvc", "name", "email")}
    )


def make_from_entered(request: Request, entered: Entered) -> Object | None:
    """A payment method, or nothing and errors."""
    try:
        card = read_card("".join(entered.values["number"].split()).replace("-", ""))
    except StripeError as error:
        entered.errors["number"] = error.message
    expiry = None
    try:
        expiry = check_expiry(*split_expiry(entered.values["expiry"]), request.at)
    except StripeError as error:
        entered.errors["expiry"] = error.message
    if not (entered.values["cvc"].isdigit() and len(entered.values["cvc"]) in (3, 4)):
        entered.errors["cvc"] = "Your card's security code is incomplete."
    if entered.errors:
        return None
    details: dict[str, Any] = {"name": entered.values["name"] or None, "email": entered.values["email"] or None}
    return make_method(request.sim, card, at=request.at, expiry=expiry, billing_details=details)


def split_expiry(text: str) -> tuple[int, int]:
    """`12 / 34`, `12/2034` and `1234` are December 2034; anything else is no month."""
    month, _, year = text.replace(" ", "").partition("/")
    if not year and len(month) == 4:
        month, year = month[:2], month[2:]
    return (int(month), int(year)) if month.isdecimal() and year.isdecimal() else (0, 0)


def show_card_form(
    action: str, label: str, entered: Entered, *, asks_email: bool = False, more: Child = None
) -> Markup:
    """Card number, expiry, security code and name; no script, so that nothing but this server sees what is typed."""
    values, errors = entered.values, entered.errors
    return tag(
        "form",
        tag("p", errors["card"], class_="error", role="alert") if "card" in errors else None,
        text_field("E-mail", "email", value=values.get("email", ""), type="email", autocomplete="email")
        if asks_email
        else None,
        text_field(
            "Card number",
            "number",
            value=values.get("number", ""),
            error=errors.get("number"),
            inputmode="numeric",
            autocomplete="off",
            placeholder="4242 4242 4242 4242",
            maxlength="23",
            required=True,
        ),
        tag(
            "div",
            text_field(
                "Expiry (MM / YY)",
                "expiry",
                value=values.get("expiry", ""),
                error=errors.get("expiry"),
                autocomplete="off",
                placeholder="12 / 34",
                maxlength="9",
                required=True,
            ),
            text_field(
                "Security code",
                "cvc",
                error=errors.get("cvc"),
                inputmode="numeric",
                autocomplete="off",
                placeholder="123",
                maxlength="4",
                required=True,
            ),
            class_="row",
        ),
        text_field("Name on card", "name", value=values.get("name", ""), autocomplete="off"),
        more,
        tag("button", label, type="submit", class_="primary"),
        method="post",
        action=action,
        novalidate=True,
    )


def show_test_cards() -> Markup:
    rows = [tag("tr", tag("td", tag("code", number)), tag("td", meaning)) for number, meaning in HELP]
    head = tag("tr", tag("th", "Card", scope="col"), tag("th", "What it does", scope="col"))
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag("details", tag("summary", "Test cards"), table)


def describe_method(method: Object) -> str:
    card = method["card"]
    return f"{card['brand'].capitalize()} •••• {card['last4']}, expires {card['exp_month']:02d}/{card['exp_year']}"
