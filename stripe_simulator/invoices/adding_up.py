"""Writes what an invoice comes to into the invoice and its lines."""

import copy
from decimal import Decimal

from stripe_simulator.invoices.line_store import SHOWN_LINES, find_lines
from stripe_simulator.invoices.totals import Discount, Line, LineSum, Tax, TaxRate, Totals, add_up
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator


def refresh_invoice(sim: Simulator, invoice: Object) -> None:
    """Add a draft up again: its lines, its totals, what would be due of it now."""
    lines = find_lines(sim, invoice)
    totals = add_up([read_line(sim, invoice, line) for line in lines], read_discounts(sim, invoice["discounts"]))
    for line, each in zip(lines, totals.lines, strict=True):
        write_line(sim, line, each)
    write_totals(invoice, totals, [credit for line in lines for credit in line["_credits"]])
    customer = sim.store.peek("customer", invoice["customer"]) or {}  # a deleted one has no balance any more
    invoice["starting_balance"] = customer.get("balance", 0)
    set_due(invoice, max(0, invoice["total"] + invoice["starting_balance"]))
    show_lines(invoice, lines)


def show_lines(invoice: Object, lines: list[Object]) -> None:
    """An invoice shows its first lines; the rest are read from its list of lines."""
    invoice["lines"] = {
        "object": "list",
        "data": copy.deepcopy(lines[:SHOWN_LINES]),
        "has_more": len(lines) > SHOWN_LINES,
        "total_count": len(lines),
        "url": f"/v1/invoices/{invoice['id']}/lines",
    }


def set_due(invoice: Object, due: int) -> None:
    invoice["amount_due"] = due
    invoice["amount_remaining"] = max(0, due - invoice["amount_paid"])


def read_line(sim: Simulator, invoice: Object, line: Object) -> Line:
    details = (line["pricing"] or {}).get("price_details")
    rates = line["_tax_rates"] or [rate["id"] for rate in invoice["default_tax_rates"]]
    return Line(
        id=line["id"],
        amount=line["amount"],
        discountable=line["discountable"],
        product=details["product"] if details else None,
        discounts=tuple(read_discounts(sim, line["discounts"])),
        rates=tuple(read_rate(sim, rate) for rate in rates),
        fixed_taxes=read_fixed_taxes(line["_tax_amounts"]),
        credit=sum(credit["amount"] for credit in line["_credits"]),
    )


def read_discounts(sim: Simulator, ids: list[str]) -> list[Discount]:
    return [read_discount(sim, sim.store.get("discount", each)) for each in ids]


def read_discount(sim: Simulator, discount: Object) -> Discount:
    coupon = discount["_coupon"]
    products = coupon.get("_products")
    return Discount(
        discount["id"],
        percent_off=None if coupon["percent_off"] is None else Decimal(str(coupon["percent_off"])),
        amount_off=coupon["amount_off"],
        products=frozenset(products) if products else None,
    )


def read_rate(sim: Simulator, rate_id: str) -> TaxRate:
    rate = sim.store.get("tax_rate", rate_id)
    return TaxRate(rate["id"], Decimal(str(rate["percentage"])), rate["inclusive"])


def read_fixed_taxes(amounts: list[Object] | None) -> tuple[Tax, ...] | None:
    return None if amounts is None else tuple(Tax(**each) for each in amounts)


def write_line(sim: Simulator, line: Object, each: LineSum) -> None:
    discounts = [{"amount": amount, "discount": discount} for discount, amount in each.discounts.items()]
    credits = line["_credits"]
    line["discount_amounts"] = discounts
    line["pretax_credit_amounts"] = [show_discount_credit(given) for given in discounts] + [
        show_credit(c) for c in credits
    ]
    line["taxes"] = [show_tax(tax) for tax in each.taxes]


def show_discount_credit(given: Object) -> Object:
    return given | {"type": "discount"}


def show_credit(credit: Object) -> Object:
    return {**credit, "type": "credit_balance_transaction"}


def show_tax(tax: Tax) -> Object:
    return {
        "amount": tax.amount,
        "tax_behavior": "inclusive" if tax.inclusive else "exclusive",
        "tax_rate_details": {"tax_rate": tax.rate},
        "taxability_reason": tax.reason,
        "taxable_amount": tax.taxable_amount,
        "type": "tax_rate_details",
    }


def write_totals(invoice: Object, totals: Totals, credits: list[Object]) -> None:
    discounts = [{"amount": amount, "discount": discount} for discount, amount in totals.discounts.items()]
    invoice |= {
        "subtotal": totals.subtotal,
        "subtotal_excluding_tax": totals.subtotal_excluding_tax,
        "total": totals.total,
        "total_excluding_tax": totals.total_excluding_tax,
        "total_discount_amounts": discounts,
        "total_pretax_credit_amounts": [show_discount_credit(given) for given in discounts]
        + [show_credit(credit) for credit in credits],
        "total_taxes": [show_tax(tax) for tax in totals.taxes],
    }
