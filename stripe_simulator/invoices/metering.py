"""Metered lines: what a customer used in the line's period, as the meter knows it now.

A draft's metered lines are read again each time the draft is looked at or moved, and a last time at finalisation: usage
of the period that arrives within the grace is charged, usage that arrives later is on no invoice.
"""

from decimal import Decimal
from fractions import Fraction

from stripe_simulator.invoices.adding_up import refresh_invoice
from stripe_simulator.invoices.line_store import SUBSCRIPTION, find_lines, put_line, set_quantity, subscription_parent
from stripe_simulator.meters.usage import aggregate
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.tiers import Part, format_decimal, rate_quantity, round_amount, split_quantity

NOTHING = Part(Fraction(0), Fraction(0), Fraction(0))


def put_metered_lines(sim: Simulator, invoice: Object, item: Object, start: int, end: int) -> None:
    """The usage of a metered item over [start, end): one line, or one for each tier (`settings.graduated_lines`).

    Their quantities follow the meter until finalisation. What threshold invoices of the period asked for is taken off.
    """
    asked = item.pop("_asked", None)
    for tier in list_tiers(sim, item["price"]):
        line = put_line(
            sim,
            invoice,
            amount=0,
            parent=subscription_parent(item),
            period=(start, end),
            quantity=None,
            price=item["price"],
            metadata=item["metadata"],
            discounts=item["discounts"],
            group=SUBSCRIPTION,
            tax_rates=[rate["id"] for rate in item["tax_rates"] or []],
            metered_price=item["price"]["id"],
        )
        line["_asked"], line["_tier"] = asked, tier
        asked = None  # the first one bears it


def list_tiers(sim: Simulator, price: Object) -> list[int | None]:
    """Which tiers of a price have a line of their own; None: one line for all."""
    has_lines = price["tiers_mode"] == "graduated" and sim.settings.get("graduated_lines", "one") == "tiers"
    return [*range(len(price["_tiers"]))] if has_lines else [None]


def refresh_usage(sim: Simulator, invoice: Object) -> None:
    """Read the meters of a draft's metered lines again."""
    for line in find_lines(sim, invoice):
        price_id = line["_metered_price"]
        if price_id:
            meter_line(sim, invoice, line, sim.store.get("price", price_id))


def meter_line(sim: Simulator, invoice: Object, line: Object, price: Object) -> None:
    """A tier that usage does not reach asks nothing."""
    period = line["period"]
    used = aggregate(sim, price["recurring"]["meter"], invoice["customer"], period["start"], period["end"])
    amount, tier = rate_quantity(price, used), line["_tier"]
    if tier is not None:
        part = dict(enumerate(split_quantity(price, used))).get(tier, NOTHING)
        amount, used = part.amount, Decimal(format_decimal(part.quantity))
    asked = line["_asked"] or {"quantity": "0", "amount": 0}
    line["amount"] = line["subtotal"] = round_amount(amount) - asked["amount"]
    used -= Decimal(asked["quantity"])
    name = describe_price(sim, price) if tier is None else f"{describe_price(sim, price)} (Tier {tier + 1})"
    line["description"] = f"{used:f} × {name}"
    set_quantity(line, max(used, Decimal(0)))


def describe_price(sim: Simulator, price: Object) -> str:
    """The words of a line: the product, and the price if it is one amount."""
    name = sim.store.get("product", price["product"])["name"]
    if price["unit_amount_decimal"] is None or price["recurring"] is None:
        return str(name)
    return f"{name} (at {price['unit_amount_decimal']} {price['currency']} / {price['recurring']['interval']})"


def read_invoice(sim: Simulator, invoice: Object) -> Object:
    """An invoice as it is now: a draft with metered lines follows its meters."""
    if invoice["status"] == "draft":
        refresh_usage(sim, invoice)
        refresh_invoice(sim, invoice)
    return invoice
