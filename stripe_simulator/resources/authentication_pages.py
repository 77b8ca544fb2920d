"""The page of a bank: whoever pays says that it is them (3-D Secure), or fails to."""

from urllib.parse import urlencode

from stripe_simulator.pages.layout import render
from stripe_simulator.pages.markup import post, tag
from stripe_simulator.payments.currencies import format_amount
from stripe_simulator.payments.intents import describe_error, try_intent
from stripe_simulator.payments.invoices import settle_intent
from stripe_simulator.payments.setups import NOT_AUTHENTICATED as SETUP_FAILED
from stripe_simulator.payments.setups import fail_setup, try_setup
from stripe_simulator.payments.test_cards import NOT_AUTHENTICATED
from stripe_simulator.routes import Object, Page, Request, page

KINDS = {"pi": "payment_intent", "seti": "setup_intent", "cs": "checkout.session"}


def find_asked(request: Request) -> Object:
    """The intent that waits, or the Checkout session whose subscription is still to be made."""
    return request.sim.store.get(KINDS.get(request.id.partition("_")[0], "payment_intent"), request.id)


def is_waiting(asked: Object) -> bool:
    return asked["status"] in ("requires_action", "open")


@page("GET", "/authenticate/{id}")
def show_authentication(request: Request) -> Page:
    asked = find_asked(request)
    if not is_waiting(asked):
        return Page(render("Nothing to confirm", tag("p", "This payment no longer waits for you.")), status=410)
    amount, currency = asked.get("amount") or asked.get("amount_total"), asked.get("currency")
    what = f"a payment of {format_amount(amount, currency)}" if amount and currency else "that your card is saved"
    action = f"/authenticate/{asked['id']}"
    return Page(
        render(
            "3-D Secure",
            tag("p", f"Your bank asks you to confirm {what}."),
            tag(
                "div",
                post(action, tag("input", type="hidden", name="outcome", value="complete"), label="Complete"),
                post(action, tag("input", type="hidden", name="outcome", value="fail"), label="Fail", kind="plain"),
                class_="actions",
            ),
        )
    )


@page("POST", "/authenticate/{id}")
def authenticate(request: Request) -> Page:
    """Go on with the card, or note that its owner did not confirm; then back to where they came from."""
    asked = find_asked(request)
    if not is_waiting(asked):
        return show_authentication(request)
    is_confirmed = request.params.get("outcome") == "complete"
    if asked["object"] == "checkout.session":
        return answer_checkout(request, asked, is_confirmed=is_confirmed)
    return_url = asked["next_action"]["redirect_to_url"]["return_url"]
    method = find_method(request, asked)
    if asked["object"] == "setup_intent":
        if is_confirmed:
            try_setup(request.sim, asked, method, is_authenticated=True)
        else:
            fail_setup(request.sim, asked, method, SETUP_FAILED)
    elif is_confirmed:
        try_intent(request.sim, asked, method, is_authenticated=True)
    else:
        refuse_intent(request, asked, method)
    if asked["object"] == "payment_intent":
        settle_intent(request.sim, asked, at=request.sim.now(asked["customer"]))
    return Page(location=find_way_back(request, asked, return_url))


def find_method(request: Request, intent: Object) -> Object:
    kind = "card" if intent["payment_method"].startswith("card_") else "payment_method"
    return request.sim.store.get(kind, intent["payment_method"])


def refuse_intent(request: Request, intent: Object, method: Object) -> None:
    """No charge is tried."""
    intent |= {
        "last_payment_error": describe_error(request.sim, NOT_AUTHENTICATED, method),
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    request.sim.emit("payment_intent.payment_failed", intent)


def answer_checkout(request: Request, session: Object, *, is_confirmed: bool) -> Page:
    method = request.sim.store.get("payment_method", session["_method"])
    if is_confirmed:
        method["_is_authenticated"] = True
        return Page(location=f"/c/pay/{session['id']}/resume")
    return Page(location=f"/c/pay/{session['id']}")


def find_way_back(request: Request, intent: Object, return_url: str | None) -> str:
    """With what Stripe adds to a return address; an invoice's page where there is none."""
    if return_url is None:
        return f"/i/{intent['_invoice']}" if intent.get("_invoice") else f"/authenticate/{intent['id']}"
    kind = intent["object"]
    status = "succeeded" if intent["status"] in ("succeeded", "requires_capture") else "failed"
    more = urlencode({kind: intent["id"], f"{kind}_client_secret": intent["client_secret"], "redirect_status": status})
    return f"{return_url}{'&' if '?' in return_url else '?'}{more}"
