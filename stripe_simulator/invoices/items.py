"""/v1/invoiceitems: charges that wait for an invoice, or lie on a draft.

An item on an invoice has a line there. Deleting the draft gives the item back, pending: it is on the next invoice that
takes pending items, unless somebody deletes it.
"""

from decimal import Decimal
from typing import Any

from stripe_simulator.catalogue.discounts import make_discounts
from stripe_simulator.changes import matches
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.adding_up import refresh_invoice
from stripe_simulator.invoices.finalising import require_draft
from stripe_simulator.invoices.line_store import ADDED, find_lines, item_parent, put_line, take_line
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.tiers import format_decimal, rate_quantity, round_amount


@route("POST", "/v1/invoiceitems")
def create_item(request: Request) -> Object:
    sim, params, at = request.sim, request.params, request.at
    invoice = sim.store.get("invoice", params["invoice"], param="invoice", status=400) if "invoice" in params else None
    if invoice:
        require_draft(invoice)
    customer_id = params.get("customer") or (invoice or {}).get("customer")
    if not customer_id:
        raise refuse("You must provide a customer or an invoice.", param="customer", code="parameter_missing")
    customer = sim.store.get("customer", customer_id, param="customer", status=400)
    item = make_item(sim, customer["id"], params, at=at, currency=find_currency(params, customer, invoice))
    if invoice:
        assign_item(sim, item, invoice, group=ADDED)
        refresh_invoice(sim, invoice)
    return item


def find_currency(params: Object, customer: Object, invoice: Object | None) -> str | None:
    return params.get("currency") or (invoice or {}).get("currency") or customer.get("currency")


def make_item(sim: Simulator, customer: str, params: Object, *, at: int, currency: str | None, **given: Any) -> Object:
    """Store a pending item. `params` are those of the item or of a line; `given` are fields that no request may set."""
    charge = read_charge(sim, params, currency)
    period = params.get("period") or {"start": at, "end": at}
    if period["end"] < period["start"]:
        raise refuse("The period must not end before it starts.", param="period[end]")
    subscription = params.get("subscription")
    if subscription:
        sim.store.get("subscription", subscription, param="subscription", status=400)
    item = template("invoiceitem") | {
        "id": sim.new_id("ii"),
        "amount": charge["amount"],
        "currency": charge["currency"],
        "customer": customer,
        "date": at,
        "description": params.get("description") or charge["description"],
        "discountable": params.get("discountable", charge["amount"] >= 0),
        "discounts": [],
        "invoice": None,
        "metadata": dict(params.get("metadata") or {}),
        "parent": show_parent(subscription) if subscription else None,
        "period": dict(period),
        "pricing": charge["pricing"],
        "proration": False,
        "quantity": int(charge["quantity"]),
        "quantity_decimal": format_decimal(charge["quantity"]),
        "tax_rates": [
            sim.store.get("tax_rate", rate, param="tax_rates", status=400) for rate in params.get("tax_rates") or []
        ],
        "test_clock": sim.store.get("customer", customer).get("test_clock"),
        **given,
    }
    item["discounts"] = make_discounts(sim, params.get("discounts"), at=at, customer=customer, invoice_item=item["id"])
    sim.store.insert(item)
    sim.emit("invoiceitem.created", item)
    return item


def show_parent(subscription: str) -> Object:
    return {"subscription_details": {"subscription": subscription}, "type": "subscription_details"}


def read_charge(sim: Simulator, params: Object, currency: str | None) -> Object:
    """What a request asks for: an integer amount, or a price or unit amount times a quantity, rounded once."""
    ways = [name for name in ("amount", "pricing", "price_data", "unit_amount_decimal") if params.get(name) is not None]
    if len(ways) != 1:
        raise refuse(
            "You must specify exactly one of amount, pricing, price_data, unit_amount_decimal.", param="amount"
        )
    quantity = read_quantity(params)
    if ways == ["amount"]:
        if currency is None:
            raise refuse("You must provide a currency.", param="currency", code="parameter_missing")
        if quantity != 1:
            raise refuse("A quantity cannot be combined with an amount.", param="quantity")
        pricing: Object = {"type": "price_details", "unit_amount_decimal": str(params["amount"])}
        return make_charge(params["amount"], currency, Decimal(1), None, pricing)
    if ways == ["unit_amount_decimal"]:
        if currency is None:
            raise refuse("You must provide a currency.", param="currency", code="parameter_missing")
        unit = Decimal(params["unit_amount_decimal"])
        pricing = {"type": "price_details", "unit_amount_decimal": format_decimal(unit)}
        return make_charge(round_amount(unit * quantity), currency, quantity, None, pricing)
    price = find_charged_price(sim, params)
    if currency is not None and price["currency"] != currency:
        raise refuse(f"The price is in {price['currency']}, expected {currency}.", param="pricing[price]")
    pricing = {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
    name = sim.store.get("product", price["product"])["name"]
    return make_charge(round_amount(rate_quantity(price, quantity)), price["currency"], quantity, name, pricing)


def make_charge(amount: int, currency: str, quantity: Decimal, description: str | None, pricing: Object) -> Object:
    return {
        "amount": amount, "currency": currency, "quantity": quantity, "description": description, "pricing": pricing,
    }  # fmt: skip


def read_quantity(params: Object) -> Decimal:
    whole, decimal = params.get("quantity"), params.get("quantity_decimal")
    if whole is not None and decimal is not None:
        raise refuse("You may only specify one of these parameters: quantity, quantity_decimal.", param="quantity")
    quantity = Decimal(decimal if decimal is not None else 1 if whole is None else whole)
    if quantity < 0:
        raise refuse("Invalid non-negative integer", param="quantity", code="parameter_invalid_integer")
    return quantity


def find_charged_price(sim: Simulator, params: Object) -> Object:
    """The price named, or one made of `price_data`, inactive from the start."""
    if "price_data" in params:
        return make_inline_price(sim, params["price_data"])
    price = sim.store.get("price", params["pricing"].get("price"), param="pricing[price]", status=400)
    if price["type"] != "one_time":
        raise refuse(
            "The price must be of type one_time: a recurring price is for subscriptions.", param="pricing[price]"
        )
    return price


def make_inline_price(sim: Simulator, data: Object) -> Object:
    from stripe_simulator.catalogue.price_making import make_price

    return make_price(sim, {**data, "active": False}, sim.now())


def assign_item(
    sim: Simulator, item: Object, invoice: Object, *, group: int, tax_amounts: list[Object] | None = None
) -> Object:
    """Put an item on a draft, as a line."""
    if item["currency"] != invoice["currency"]:
        raise refuse(f"The item is in {item['currency']} and the invoice in {invoice['currency']}.", param="currency")
    if item["customer"] != invoice["customer"]:
        raise refuse("The item is of another customer than the invoice.", param="invoice")
    item["invoice"] = invoice["id"]
    line = put_line(
        sim,
        invoice,
        amount=item["amount"],
        parent=item_parent(item),
        period=(item["period"]["start"], item["period"]["end"]),
        description=item["description"],
        quantity=Decimal(item["quantity_decimal"]),
        metadata=item["metadata"],
        discountable=item["discountable"],
        discounts=item["discounts"],
        group=group,
        tax_rates=[rate["id"] for rate in item["tax_rates"] or []],
        tax_amounts=tax_amounts,
    )
    line["pricing"] = item["pricing"]
    return line


def find_item(sim: Simulator, line: Object) -> Object | None:
    """The item that a line stands for."""
    details = (line["parent"] or {}).get("invoice_item_details")
    return sim.store.peek("invoiceitem", details["invoice_item"]) if details else None


def release_item(sim: Simulator, line: Object) -> None:
    """Take an item off its invoice; it waits again."""
    item = find_item(sim, line)
    if item:
        item["invoice"] = None


def find_pending_items(
    sim: Simulator, customer: str, currency: str, *, subscription: str | None = None
) -> list[Object]:
    """What waits for an invoice: of one subscription, or of the customer. Newest last."""
    items = sim.store.find("invoiceitem", customer=customer, invoice=None)
    return [
        item
        for item in sorted(items, key=lambda each: each["date"])
        if item["currency"] == currency
        and (subscription is None or item["parent"] is None or find_owner(item) == subscription)
    ]


def find_owner(item: Object) -> str | None:
    return item["parent"]["subscription_details"]["subscription"] if item["parent"] else None


@route("GET", "/v1/invoiceitems/{id}")
def read_item(request: Request) -> Object:
    return request.sim.store.get("invoiceitem", request.id)


@route("POST", "/v1/invoiceitems/{id}")
def update_item(request: Request) -> Object:
    """An item changes while it waits or lies on a draft."""
    from stripe_simulator.invoices.line_routes import change_line

    sim = request.sim
    item = sim.store.get("invoiceitem", request.id)
    line = find_line(sim, item)
    if line:
        change_line(sim, sim.store.get("invoice", item["invoice"]), line, request.params, at=request.at)
        return item
    change_item(sim, item, request.params)
    return item


def change_item(sim: Simulator, item: Object, params: Object) -> None:
    update(item, params, "description", "discountable", "metadata", "period")
    if any(params.get(name) is not None for name in CHARGES):
        known = {"amount": item["amount"]} if not any(params.get(name) is not None for name in CHARGES[:4]) else {}
        charge = read_charge(sim, {**known, **params}, item["currency"])
        item |= {
            "amount": charge["amount"],
            "pricing": charge["pricing"],
            "quantity": int(charge["quantity"]),
            "quantity_decimal": format_decimal(charge["quantity"]),
        }
    if "tax_rates" in params:
        item["tax_rates"] = [
            sim.store.get("tax_rate", rate, param="tax_rates", status=400) for rate in params["tax_rates"] or []
        ]


CHARGES = ("amount", "pricing", "price_data", "unit_amount_decimal", "quantity", "quantity_decimal")


def find_line(sim: Simulator, item: Object) -> Object | None:
    if item["invoice"] is None:
        return None
    invoice = sim.store.get("invoice", item["invoice"])
    require_draft(invoice)
    found = (line for line in find_lines(sim, invoice) if (find_item(sim, line) or {}).get("id") == item["id"])
    return next(found, None)


@route("DELETE", "/v1/invoiceitems/{id}")
def delete_item(request: Request) -> Object:
    """An item goes while it waits, or with its line from a draft."""
    sim = request.sim
    item = sim.store.get("invoiceitem", request.id)
    line = find_line(sim, item)
    if line:
        take_line(sim, line)
        refresh_invoice(sim, sim.store.get("invoice", item["invoice"]))
    sim.emit("invoiceitem.deleted", item)
    return request.sim.store.delete(item)


@route("GET", "/v1/invoiceitems")
def list_items(request: Request) -> Object:
    pending = request.params.get("pending")
    items = [
        item
        for item in request.sim.store.find("invoiceitem")
        if (pending is None or pending == (item["invoice"] is None)) and matches(request, item, "customer", "invoice")
    ]
    return answer_list(request, items)
