"""The lines of a draft: added in bulk, changed, taken off, listed. Finalisation freezes them."""

from stripe_simulator.catalogue.discounts import make_discounts
from stripe_simulator.catalogue.tax_rates import find_or_make_archived_rate
from stripe_simulator.changes import updating
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.finalising import require_draft
from stripe_simulator.invoices.items import assign_item, change_item, find_item, make_item, release_item
from stripe_simulator.invoices.line_store import ADDED, find_lines, take_line
from stripe_simulator.invoices.metering import read_invoice
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

PRICED = ("amount", "pricing", "price_data", "quantity", "quantity_decimal")


@route("POST", "/v1/invoices/{id}/add_lines")
def add_lines(request: Request) -> Object:
    """Add lines to a draft, all or none. Each makes an invoice item, or puts a pending one on the draft."""
    sim, at = request.sim, request.at
    invoice = open_draft(request)
    with updating(sim, "invoice.updated", invoice):
        for number, params in enumerate(request.params["lines"]):
            add_line(sim, invoice, params, at=at, place=f"lines[{number}]")
        finish(request, invoice)
    return invoice


def add_line(sim: Simulator, invoice: Object, params: Object, *, at: int, place: str) -> None:
    amounts = read_tax_amounts(sim, invoice, params, at=at, place=place)
    if "invoice_item" in params:
        item = sim.store.get("invoiceitem", params["invoice_item"], param=f"{place}[invoice_item]", status=400)
        if item["invoice"] is not None:
            raise refuse("The invoice item is on an invoice already.", param=f"{place}[invoice_item]")
    else:
        item = make_item(sim, invoice["customer"], params, at=at, currency=invoice["currency"])
    assign_item(sim, item, invoice, group=ADDED, tax_amounts=amounts)


def read_tax_amounts(sim: Simulator, invoice: Object, params: Object, *, at: int, place: str) -> list[Object] | None:
    """Hand-made tax amounts, as the simulator keeps them. They exclude tax rates of any kind on the invoice."""
    if not params.get("tax_amounts"):
        if params.get("tax_rates") and any(line["_tax_amounts"] for line in find_lines(sim, invoice)):
            raise refuse("Tax rates cannot be set while a line has tax amounts.", param=f"{place}[tax_rates]")
        return None
    lines = find_lines(sim, invoice)
    has_rates = invoice["default_tax_rates"] or invoice["automatic_tax"]["enabled"]
    if has_rates or params.get("tax_rates") or any(line["_tax_rates"] for line in lines):
        raise refuse(
            "Tax amounts cannot be set on an invoice with tax rates or automatic tax.", param=f"{place}[tax_amounts]"
        )
    return [read_tax_amount(sim, given, at) for given in params["tax_amounts"]]


def read_tax_amount(sim: Simulator, given: Object, at: int) -> Object:
    rate = find_or_make_archived_rate(sim, given["tax_rate_data"], at)
    return {
        "rate": rate["id"],
        "amount": given["amount"],
        "taxable_amount": given["taxable_amount"],
        "inclusive": rate["inclusive"],
        "reason": given.get("taxability_reason") or "standard_rated",
    }


@route("POST", "/v1/invoices/{id}/update_lines")
def update_lines(request: Request) -> Object:
    invoice = open_draft(request)
    with updating(request.sim, "invoice.updated", invoice):
        for number, params in enumerate(request.params["lines"]):
            line = find_own_line(request.sim, invoice, params["id"], f"lines[{number}][id]")
            change_line(request.sim, invoice, line, params, at=request.at, place=f"lines[{number}]")
        finish(request, invoice)
    return invoice


@route("POST", "/v1/invoices/{invoiceId}/lines/{id}")
def update_line(request: Request) -> Object:
    invoice = request.sim.store.get("invoice", request.ids["invoiceId"])
    require_draft(invoice)
    line = find_own_line(request.sim, invoice, request.id, "id")
    with updating(request.sim, "invoice.updated", invoice):
        change_line(request.sim, invoice, line, request.params, at=request.at)
        finish(request, invoice)
    return line


def change_line(sim: Simulator, invoice: Object, line: Object, params: Object, *, at: int, place: str = "") -> None:
    """Change a line of a draft and the item behind it. What a subscription charges keeps its amount."""
    item = find_item(sim, line)
    if item is None and any(params.get(name) is not None for name in PRICED):
        raise refuse(
            "The amount and the quantity of a subscription's line cannot be changed.", param=f"{place}[amount]"
        )
    if "tax_amounts" in params:
        line["_tax_amounts"] = read_tax_amounts(sim, invoice, params, at=at, place=place)
    if "tax_rates" in params:
        read_tax_amounts(sim, invoice, {"tax_rates": params["tax_rates"]}, at=at, place=place)
        line["_tax_rates"] = [
            sim.store.get("tax_rate", rate, param="tax_rates", status=400)["id"] for rate in params["tax_rates"] or []
        ]
    if "discounts" in params:
        owner = {"invoice_item": item["id"]} if item else {"invoice": invoice["id"]}
        line["discounts"] = make_discounts(sim, params["discounts"], at=at, customer=invoice["customer"], **owner)
    update(line, params, "description", "discountable", "metadata", "period")
    if item:
        change_item(sim, item, params)
        line |= {name: item[name] for name in ("amount", "pricing", "quantity", "quantity_decimal")}
        line["subtotal"] = line["amount"]


@route("POST", "/v1/invoices/{id}/remove_lines")
def remove_lines(request: Request) -> Object:
    """Take lines off a draft: `delete` deletes the item too, `unassign` lets it wait for another invoice."""
    sim = request.sim
    invoice = open_draft(request)
    with updating(sim, "invoice.updated", invoice):
        for number, params in enumerate(request.params["lines"]):
            line = find_own_line(sim, invoice, params["id"], f"lines[{number}][id]")
            item = find_item(sim, line)
            if item is None and params["behavior"] == "unassign":
                raise refuse("Only lines of invoice items can be unassigned.", param=f"lines[{number}][behavior]")
            if item and params["behavior"] == "delete":
                sim.store.delete(item)
                sim.emit("invoiceitem.deleted", item)
            elif item:
                release_item(sim, line)
            take_line(sim, line)
        finish(request, invoice)
    return invoice


@route("GET", "/v1/invoices/{id}/lines")
def list_lines(request: Request) -> Object:
    sim = request.sim
    invoice = read_invoice(sim, sim.store.get("invoice", request.id))
    return answer_list(request, find_lines(sim, invoice), oldest_first=True)


def open_draft(request: Request) -> Object:
    invoice = request.sim.store.get("invoice", request.id)
    require_draft(invoice)
    return invoice


def finish(request: Request, invoice: Object) -> None:
    if "invoice_metadata" in request.params:
        update(invoice, {"metadata": request.params["invoice_metadata"]}, "metadata")
    read_invoice(request.sim, invoice)


def find_own_line(sim: Simulator, invoice: Object, line_id: str, param: str) -> Object:
    line = sim.store.get("line_item", line_id, param=param, status=400)
    if line["invoice"] != invoice["id"]:
        raise refuse(f"The line {line_id} is not on the invoice {invoice['id']}.", param=param)
    return line
