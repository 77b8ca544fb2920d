"""Lines of invoices. A line keeps to itself its place, tax rates or hand-made tax amounts, credits and meter."""

from decimal import Decimal

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.tiers import format_decimal

MOST_LINES = 250
SHOWN_LINES = 10
PENDING, SUBSCRIPTION, ADDED = 0, 1, 2  # the order of lines on an invoice


def find_lines(sim: Simulator, invoice: Object) -> list[Object]:
    """The lines of an invoice in its own order: pending items, subscription items, then what was added later."""
    return sorted(sim.store.find("line_item", invoice=invoice["id"]), key=lambda line: (line["_group"], line["_place"]))


def put_line(
    sim: Simulator,
    invoice: Object,
    *,
    amount: int,
    parent: Object | None,
    period: tuple[int, int],
    description: str | None = None,
    quantity: Decimal | None = Decimal(1),
    unit_amount: Decimal | str | None = None,
    price: Object | None = None,
    metadata: Object | None = None,
    discountable: bool = True,
    discounts: list[str] | None = None,
    group: int = ADDED,
    tax_rates: list[str] | None = None,
    tax_amounts: list[Object] | None = None,
    metered_price: str | None = None,
) -> Object:
    """Store a line of an invoice. A line of a `metered_price` follows the meter until the invoice is final."""
    count = sum(1 for _ in sim.store.scan("line_item", invoice=invoice["id"]))
    if count >= MOST_LINES:
        raise refuse(f"An invoice has at most {MOST_LINES} items.", param="lines")
    line = template("line_item") | {
        "id": sim.new_id("il"),
        "amount": amount,
        "subtotal": amount,
        "currency": invoice["currency"],
        "description": description,
        "discountable": discountable,
        "discounts": discounts or [],
        "discount_amounts": [],
        "invoice": invoice["id"],
        "metadata": dict(metadata or {}),
        "parent": parent,
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": show_pricing(price, unit_amount),
        "subscription": find_subscription_of(parent),
        "taxes": [],
        "_group": group,
        "_place": -count if group == PENDING else count,
        "_tax_rates": tax_rates or [],
        "_tax_amounts": tax_amounts,
        "_metered_price": metered_price,
        "_credits": [],
    }
    set_quantity(line, quantity)
    sim.store.insert(line)
    return line


def set_quantity(line: Object, quantity: Decimal | None) -> None:
    """The integer form drops the decimals, it does not round them."""
    line["quantity"] = None if quantity is None else int(quantity)
    line["quantity_decimal"] = None if quantity is None else format_decimal(quantity)


def show_pricing(price: Object | None, unit_amount: Decimal | str | None) -> Object | None:
    if price is None:
        return None if unit_amount is None else {"type": "price_details", "unit_amount_decimal": str(unit_amount)}
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"] if unit_amount is None else str(unit_amount),
    }


def find_subscription_of(parent: Object | None) -> str | None:
    if parent is None:
        return None
    details = parent["subscription_item_details"] or parent["invoice_item_details"]
    return details["subscription"] if details else None


def take_line(sim: Simulator, line: Object) -> None:
    """Take a line off its invoice."""
    sim.store.delete(line, stub=False)


def item_parent(item: Object, proration: bool = False) -> Object:
    """The parent of a line that an invoice item makes."""
    subscription = item["parent"]["subscription_details"]["subscription"] if item["parent"] else None
    return {
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": proration or item["proration"],
            "proration_details": {"credited_items": None},
            "subscription": subscription,
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }


def subscription_parent(item: Object) -> Object:
    """The parent of a line that a subscription item makes."""
    return {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": item["subscription"],
            "subscription_item": item["id"],
        },
        "type": "subscription_item_details",
    }
