"""What a credit note comes to: its lines, and where its amount goes. Raises where the sums do not agree."""

from decimal import Decimal
from fractions import Fraction

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.line_store import find_lines
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.tiers import format_decimal, round_amount


def build_lines(sim: Simulator, invoice: Object, params: Object) -> list[Object]:
    """The lines of a note: those asked for, or one line for a bare amount, which includes tax."""
    given = [name for name in ("amount", "lines", "shipping_cost") if params.get(name)]
    if len(given) != 1:
        raise refuse("One of `amount`, `lines`, or `shipping_cost` must be provided.", param="amount")
    if "lines" not in given:
        if params.get("amount", 0) < 1:
            raise refuse("Invalid positive integer", param="amount", code="parameter_invalid_integer")
        return [
            build_custom_line(sim, {"amount": params["amount"], "description": "Credit", "type": "custom_line_item"})
        ]
    return [
        build_custom_line(sim, each)
        if each["type"] == "custom_line_item"
        else build_invoice_line(sim, invoice, each, f"lines[{number}]")
        for number, each in enumerate(params["lines"])
    ]


def build_custom_line(sim: Simulator, params: Object) -> Object:
    quantity = params.get("quantity", 1)
    unit = Decimal(params.get("unit_amount_decimal") or params.get("unit_amount") or 0)
    amount = params["amount"] if params.get("amount") is not None else round_amount(unit * quantity)
    rates = [
        sim.store.get("tax_rate", each, param="lines[tax_rates]", status=400) for each in params.get("tax_rates") or []
    ]
    taxes = [
        show_tax(rate, round_amount(Fraction(amount) * Fraction(Decimal(str(rate["percentage"]))) / 100), amount)
        for rate in rates
    ]
    return template(
        "credit_note_line_item",
        id=sim.new_id("cnli"),
        amount=amount,
        description=params.get("description"),
        discount_amount=0,
        discount_amounts=[],
        metadata=dict(params.get("metadata") or {}),
        pretax_credit_amounts=[],
        quantity=quantity,
        tax_rates=rates,
        taxes=read_given_taxes(sim, params) or taxes,
        type="custom_line_item",
        unit_amount=int(unit) if unit and unit == unit.to_integral_value() else None,
        unit_amount_decimal=format_decimal(unit) if unit else None,
    )


def build_invoice_line(sim: Simulator, invoice: Object, params: Object, place: str) -> Object:
    """A share of one of the invoice's lines, with the same share of its discounts and taxes."""
    lines = {line["id"]: line for line in find_lines(sim, invoice)}
    line = lines.get(params.get("invoice_line_item", ""))
    if line is None:
        raise refuse("The line is not on this invoice.", param=f"{place}[invoice_line_item]", code="resource_missing")
    share = find_share(line, params, place)
    discounts = [
        {"amount": round_amount(each["amount"] * share), "discount": each["discount"]}
        for each in line["discount_amounts"]
    ]
    taxes = [
        {
            **tax,
            "amount": round_amount(tax["amount"] * share),
            "taxable_amount": round_amount(tax["taxable_amount"] * share),
        }
        for tax in line["taxes"]
    ]
    return template(
        "credit_note_line_item",
        id=sim.new_id("cnli"),
        amount=round_amount(line["amount"] * share),
        description=params.get("description") or line["description"],
        discount_amount=sum(each["amount"] for each in discounts),
        discount_amounts=discounts,
        invoice_line_item=line["id"],
        metadata=dict(params.get("metadata") or {}),
        pretax_credit_amounts=[each | {"type": "discount"} for each in discounts],
        quantity=params.get("quantity", line["quantity"]),
        tax_rates=[],
        taxes=read_given_taxes(sim, params) or taxes,
        type="invoice_line_item",
        unit_amount_decimal=None,
    )


def find_share(line: Object, params: Object, place: str) -> Fraction:
    """How much of a line is taken back, by amount or by quantity."""
    if params.get("amount") is not None:
        if abs(params["amount"]) > abs(line["amount"]):
            raise refuse("The amount is more than the line's.", param=f"{place}[amount]")
        return Fraction(params["amount"], line["amount"]) if line["amount"] else Fraction(0)
    if params.get("quantity") is not None and line["quantity"]:
        if params["quantity"] > line["quantity"]:
            raise refuse("The quantity is more than the line's.", param=f"{place}[quantity]")
        return Fraction(params["quantity"]) / Fraction(Decimal(line["quantity_decimal"]))
    return Fraction(1)


def read_given_taxes(sim: Simulator, params: Object) -> list[Object]:
    return [
        show_tax(sim.store.get("tax_rate", each["tax_rate"], status=400), each["amount"], each["taxable_amount"])
        for each in params.get("tax_amounts") or []
    ]


def show_tax(rate: Object, amount: int, taxable: int) -> Object:
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": "standard_rated",
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def add_lines_up(lines: list[Object]) -> Object:
    """The sums of a note, as its fields."""
    subtotal = sum(line["amount"] for line in lines)
    discount = sum(line["discount_amount"] for line in lines)
    taxes = [tax for line in lines for tax in line["taxes"]]
    inside = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    outside = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    total = subtotal - discount + outside
    return {
        "amount": total,
        "discount_amount": discount,
        "discount_amounts": [each for line in lines for each in line["discount_amounts"]],
        "pretax_credit_amounts": [each for line in lines for each in line["pretax_credit_amounts"]],
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inside,
        "total": total,
        "total_excluding_tax": total - inside - outside,
        "total_taxes": taxes,
    }


def split_amount(invoice: Object, total: int, params: Object) -> tuple[int, int]:
    """What a note takes off the open amount, and what it gives back of paid money: that must be said where it goes."""
    before = min(total, invoice["amount_remaining"]) if invoice["status"] != "paid" else 0
    after = total - before
    linked = sum(each.get("amount_refunded") or 0 for each in params.get("refunds") or [])
    said = sum(params.get(name) or 0 for name in ("refund_amount", "credit_amount", "out_of_band_amount")) + linked
    if said != after:
        raise refuse(
            f"The sum of credit amount, refund amount and out of band amount ({said}) must equal the credit note's "
            f"post-payment amount ({after}).",
            param="amount",
        )
    return before, after


def check_creditable(sim: Simulator, invoice: Object, total: int) -> None:
    """All notes of an invoice together take back at most its total."""
    issued = [note for note in sim.store.scan("credit_note", invoice=invoice["id"]) if note["status"] == "issued"]
    left = invoice["total"] - sum(note["total"] for note in issued)
    if total > left:
        raise refuse(f"The credit note's total ({total}) is more than what is creditable ({left}).", param="amount")
