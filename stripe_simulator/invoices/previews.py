"""POST /v1/invoices/create_preview: what would be invoiced. The real moves are made in a sandbox, and undone.

`next` shows what a change asks for at once, else the next renewal with it. `recurring` is not done.
"""

import copy

from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.expanding import strip
from stripe_simulator.invoices.adding_up import refresh_invoice
from stripe_simulator.invoices.items import assign_item, find_pending_items, make_item
from stripe_simulator.invoices.line_store import PENDING
from stripe_simulator.invoices.making import make_invoice
from stripe_simulator.invoices.metering import refresh_usage
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported

UNSUPPORTED = ("customer_account", "customer_details", "on_behalf_of", "schedule", "schedule_details", "issuer")
CHANGES = (
    "cancel_at",
    "cancel_at_period_end",
    "default_tax_rates",
    "items",
    "proration_behavior",
    "proration_date",
    "trial_end",
)


@route("POST", "/v1/invoices/create_preview")
def create_preview(request: Request) -> Object:
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    if params.get("preview_mode") == "recurring":
        raise StripeError(501, "api_error", "not_implemented", "This simulator previews the next invoice only.")
    details = params.get("subscription_details") or {}
    refuse_unsupported(details, "billing_schedules", "pause", "resume_at", "start_date")
    with sim.store.sandbox():
        invoice = find_next_invoice(request, find_subscription_id(request), details)
        return show_preview(sim, invoice, request.at)


def find_subscription_id(request: Request) -> str | None:
    """The subscription named, or the customer's own where no new one is described."""
    params = request.params
    if params.get("subscription"):
        return str(params["subscription"])
    if (params.get("subscription_details") or {}).get("items"):
        return None
    if not params.get("customer"):
        raise refuse("You must provide a customer or a subscription.", param="customer", code="parameter_missing")
    running = [
        each
        for each in request.sim.store.scan("subscription", customer=params["customer"])
        if each["status"] in ("active", "past_due", "trialing")
    ]
    return min(running, key=find_turn)["id"] if running else None


def find_turn(subscription: Object) -> int:
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def find_next_invoice(request: Request, subscription_id: str | None, details: Object) -> Object:
    sim, at = request.sim, request.at
    if subscription_id is None:
        if details.get("items"):
            return preview_new(request, details)
        return preview_pending(request)
    subscription = sim.store.get("subscription", subscription_id, param="subscription", status=400)
    add_items(request, subscription["customer"], subscription["currency"])
    before = subscription["latest_invoice"]
    if details.get("cancel_now"):
        from stripe_simulator.subscriptions.ending import cancel_now

        cancel_now(
            sim, subscription, at=at, invoices=True, prorates=details.get("proration_behavior", "none") != "none"
        )
    elif change := {name: details[name] for name in CHANGES if name in details}:
        from stripe_simulator.subscriptions.changing import change_subscription

        change_subscription(sim, subscription, change, at=at)
    if subscription["latest_invoice"] == before:
        roll_ahead(sim, subscription)
    if subscription["latest_invoice"] == before:
        raise refuse("No upcoming invoices for customer", code="invoice_upcoming_none", param="subscription")
    return sim.store.get("invoice", subscription["latest_invoice"])


def roll_ahead(sim: Simulator, subscription: Object) -> None:
    """Do now what the subscription's next turn will do."""
    from stripe_simulator.subscriptions.rolling import RUNNING, end_as_planned, roll_subscription

    if subscription["status"] not in RUNNING:
        return
    turn = find_turn(subscription)
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= turn:
        end_as_planned(sim, subscription, at=subscription["cancel_at"])
    else:
        roll_subscription(sim, subscription, at=turn)


def preview_new(request: Request, details: Object) -> Object:
    """The first invoice of a subscription that does not exist yet."""
    from stripe_simulator.subscriptions.creating import make_subscription, open_first_invoice

    sim, at = request.sim, request.at
    customer = sim.store.get("customer", request.params.get("customer") or "", param="customer", status=400)
    names = (
        "billing_cycle_anchor",
        "billing_mode",
        "default_tax_rates",
        "items",
        "metadata",
        "proration_behavior",
        "trial_end",
    )
    subscription = make_subscription(sim, customer, {name: details[name] for name in names if name in details}, at)
    invoice = open_first_invoice(sim, subscription, details, at)
    for item in add_items(request, customer["id"], subscription["currency"]):
        assign_item(sim, item, invoice, group=PENDING)
    return invoice


def preview_pending(request: Request) -> Object:
    """What waits for the customer's next invoice."""
    sim, params, at = request.sim, request.params, request.at
    customer = sim.store.get("customer", params["customer"], param="customer", status=400)
    currency = params.get("currency") or customer["currency"] or "usd"
    add_items(request, customer["id"], currency)
    invoice = make_invoice(sim, customer, at=at, reason="upcoming", currency=currency)
    waiting = find_pending_items(sim, customer["id"], currency)
    if not waiting:
        raise refuse("No upcoming invoices for customer", code="invoice_upcoming_none", param="customer")
    for item in waiting:
        assign_item(sim, item, invoice, group=PENDING)
    return invoice


def add_items(request: Request, customer: str, currency: str) -> list[Object]:
    """The items that the preview is to have beside those that wait."""
    made = []
    for given in request.params.get("invoice_items") or []:
        refuse_unsupported(given, "invoiceitem", "unit_amount", "tax_code")
        charge = {name: value for name, value in given.items() if name != "price"}
        if "price" in given:
            charge["pricing"] = {"price": given["price"]}
        made.append(make_item(request.sim, customer, charge, at=request.at, currency=currency))
    return made


def show_preview(sim: Simulator, invoice: Object, at: int) -> Object:
    if invoice["status"] == "draft":
        refresh_usage(sim, invoice)
        refresh_invoice(sim, invoice)
    shown: Object = copy.deepcopy(strip(invoice))
    shown |= {
        "id": sim.new_id("upcoming_in"),
        "auto_advance": False,
        "automatically_finalizes_at": None,
        "billing_reason": "upcoming",
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "number": None,
        "status": "draft",
        "status_transitions": dict.fromkeys(shown["status_transitions"]),
        "webhooks_delivered_at": None,
    }
    return shown


def preview_renewal(sim: Simulator, subscription: Object, at: int) -> Object:
    """The renewal to come, as `invoice.upcoming` tells it."""
    with sim.store.sandbox():
        held = sim.store.get("subscription", subscription["id"])
        roll_ahead(sim, held)
        return show_preview(sim, sim.store.get("invoice", held["latest_invoice"]), at)
