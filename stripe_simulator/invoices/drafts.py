"""/v1/invoices: drafts of the caller's own, and changes of drafts."""

from collections.abc import Iterator

from stripe_simulator.catalogue.discounts import make_discounts
from stripe_simulator.changes import matches, updating
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.advancing import HOUR, announce_draft, plan_finalisation
from stripe_simulator.invoices.finalising import DAY, require_draft
from stripe_simulator.invoices.items import assign_item, find_pending_items, release_item
from stripe_simulator.invoices.line_store import PENDING, find_lines, take_line
from stripe_simulator.invoices.making import make_invoice
from stripe_simulator.invoices.metering import read_invoice
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search
from stripe_simulator.simulator import Simulator

PLAIN = (
    "auto_advance", "collection_method", "custom_fields", "default_payment_method", "default_source", "description",
    "effective_at", "footer", "metadata", "number", "statement_descriptor",
)  # fmt: skip
FINAL = ("auto_advance", "default_payment_method", "default_source", "metadata")
LONGEST_PLAN = 5 * 366 * DAY


@route("POST", "/v1/invoices")
def create_invoice(request: Request) -> Object:
    sim, params, at = request.sim, request.params, request.at
    check_create(params)
    subscription = (
        sim.store.get("subscription", params["subscription"], param="subscription", status=400)
        if "subscription" in params
        else None
    )
    customer_id = params.get("customer") or (subscription or {}).get("customer")
    if not customer_id:
        raise refuse("You must provide a customer or a subscription.", param="customer", code="parameter_missing")
    customer = sim.store.get("customer", customer_id, param="customer", status=400)
    currency = params.get("currency") or (subscription or {}).get("currency") or customer.get("currency") or "usd"
    invoice = make_invoice(sim, customer, at=at, reason="manual", currency=currency)
    if subscription:
        invoice["parent"] = show_parent(subscription)
        invoice["collection_method"] = subscription["collection_method"]
    set_fields(sim, invoice, params, at)
    takes_pending = subscription is not None or params.get("pending_invoice_items_behavior") == "include"
    if takes_pending:
        for item in find_pending_items(
            sim, customer["id"], currency, subscription=subscription["id"] if subscription else None
        ):
            assign_item(sim, item, invoice, group=PENDING)
        if subscription and not find_lines(sim, invoice):
            raise refuse(
                "Nothing to invoice for subscription", param="subscription", code="invoice_no_subscription_line_items"
            )
    announce_draft(sim, invoice, at=at, finalizes_at=invoice["automatically_finalizes_at"] or at + HOUR)
    return invoice


def check_create(params: Object) -> None:
    """A subscription's invoice takes that subscription's pending items: how to treat the others cannot be said."""
    if "subscription" in params and "pending_invoice_items_behavior" in params:
        raise refuse(
            "You may only specify one of these parameters: pending_invoice_items_behavior, subscription.",
            param="pending_invoice_items_behavior",
        )


def show_parent(subscription: Object) -> Object:
    return {
        "quote_details": None,
        "subscription_details": {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]},
        "type": "subscription_details",
    }


def set_fields(sim: Simulator, invoice: Object, params: Object, at: int) -> None:
    """Take over what a request says of a draft, and check what hangs together."""
    update(invoice, params, *PLAIN)
    if "discounts" in params:
        invoice["discounts"] = make_discounts(
            sim, params["discounts"], at=at, customer=invoice["customer"], invoice=invoice["id"]
        )
    if "default_tax_rates" in params:
        rates = [
            sim.store.get("tax_rate", each, param="default_tax_rates", status=400)
            for each in params["default_tax_rates"] or []
        ]
        require_no_tax_amounts(sim, invoice, "default_tax_rates")
        invoice["default_tax_rates"] = rates
    if "automatic_tax" in params:
        if params["automatic_tax"]["enabled"]:
            require_no_tax_amounts(sim, invoice, "automatic_tax")
        invoice["automatic_tax"]["enabled"] = params["automatic_tax"]["enabled"]
        invoice["automatic_tax"]["liability"] = {"type": "self"} if params["automatic_tax"]["enabled"] else None
    set_due_date(invoice, params)
    if "automatically_finalizes_at" in params:
        if not at < params["automatically_finalizes_at"] <= at + LONGEST_PLAN:
            raise refuse("The time must be in the future, within five years.", param="automatically_finalizes_at")
        invoice["auto_advance"] = True
        invoice["automatically_finalizes_at"] = params["automatically_finalizes_at"]


def set_due_date(invoice: Object, params: Object) -> None:
    """An invoice that is sent has a due date; one that is charged has none."""
    given = [name for name in ("due_date", "days_until_due") if params.get(name) is not None]
    if invoice["collection_method"] == "charge_automatically":
        if given:
            raise refuse(f"`{given[0]}` is for `collection_method=send_invoice`.", param=given[0])
        invoice["due_date"] = None
        return
    if len(given) > 1:
        raise refuse("You may only specify one of these parameters: due_date, days_until_due.", param="due_date")
    if given == ["due_date"]:
        invoice["due_date"] = params["due_date"]
    elif given:
        invoice["due_date"] = invoice["created"] + params["days_until_due"] * DAY
    elif invoice["due_date"] is None:
        raise refuse("`collection_method=send_invoice` needs `days_until_due` or `due_date`.", param="days_until_due")


def require_no_tax_amounts(sim: Simulator, invoice: Object, param: str) -> None:
    """Hand-made tax amounts exclude tax rates of any kind, on every line of the invoice."""
    if any(line["_tax_amounts"] is not None for line in find_lines(sim, invoice)):
        raise refuse("Tax rates cannot be set while a line has tax amounts.", param=param)


@route("POST", "/v1/invoices/{id}")
def update_invoice(request: Request) -> Object:
    sim, params, at = request.sim, request.params, request.at
    invoice = sim.store.get("invoice", request.id)
    given = set(params) - {"expand"}
    if not given <= set(FINAL):
        require_draft(invoice)
    with updating(sim, "invoice.updated", invoice):
        if invoice["status"] != "draft":
            update(invoice, params, *FINAL)
        else:
            was_held = not invoice["auto_advance"]
            set_fields(sim, invoice, params, at)
            plan_draft(sim, invoice, at, was_held=was_held)
            read_invoice(sim, invoice)
    return invoice


def plan_draft(sim: Simulator, invoice: Object, at: int, *, was_held: bool) -> None:
    """A held draft has no time of finalisation; one that is let go has an hour from then."""
    if not invoice["auto_advance"]:
        invoice["automatically_finalizes_at"] = None
    elif was_held or invoice["automatically_finalizes_at"] is not None:
        plan_finalisation(sim, invoice, invoice["automatically_finalizes_at"] or at + HOUR)


@route("GET", "/v1/invoices/{id}")
def retrieve_invoice(request: Request) -> Object:
    return read_invoice(request.sim, request.sim.store.get("invoice", request.id))


@route("DELETE", "/v1/invoices/{id}")
def delete_invoice(request: Request) -> Object:
    """A draft of one's own may go; its invoice items stay, pending. A subscription's invoice must be voided instead."""
    sim = request.sim
    invoice = sim.store.get("invoice", request.id)
    require_draft(invoice)
    if invoice["billing_reason"] != "manual":
        raise refuse("You can't delete invoices created by subscriptions: finalize and void it instead.")
    for line in find_lines(sim, invoice):
        release_item(sim, line)
        take_line(sim, line)
    sim.emit("invoice.deleted", invoice)
    return request.sim.store.delete(invoice)


@route("GET", "/v1/invoices")
def list_invoices(request: Request) -> Object:
    sim, wanted = request.sim, request.params.get("subscription")
    found = [
        invoice
        for invoice in scan_invoices(sim, request.params)
        if matches(request, invoice, "collection_method", "customer", "status")
        and (wanted is None or find_subscription_id(invoice) == wanted)
    ]
    page = answer_list(request, found)
    page["data"] = [read_invoice(sim, sim.store.get("invoice", invoice["id"])) for invoice in page["data"]]
    return page


def scan_invoices(sim: Simulator, params: Object) -> Iterator[Object]:
    """The invoices that a list may hold: of one customer by the store's index, where the customer is known."""
    customer = params.get("customer")
    if subscription := sim.store.peek("subscription", params.get("subscription", "")):
        customer = subscription["customer"]
    return sim.store.scan("invoice", customer=customer) if customer else sim.store.scan("invoice")


def find_subscription_id(invoice: Object) -> str | None:
    details = (invoice["parent"] or {}).get("subscription_details")
    return details["subscription"] if details else None


@route("GET", "/v1/invoices/search")
def search_invoices(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("invoice"))
