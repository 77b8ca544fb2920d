"""Cases about what is owed at least, and what a document comes to."""

from decimal import Decimal
from typing import Any

from billing.commitments import total_lines, true_up
from billing.proration import WHOLE, prorate
from billing.taxes import TaxedLine, TaxPart, tax_line
from tests.cases.kinds import runs
from tests.cases.money_kinds import amount_of, read_money, read_taxes
from tests.cases.proration_kinds import read_days


@runs("commitment_true_up")
def run_commitment_true_up(given: dict[str, Any]) -> dict[str, Any]:
    part = read_days(given) if "days" in given else WHOLE
    fee = prorate(int(given.get("plan_fee_minor", 0)), part)
    result = true_up(int(given["commitment_minor"]), fee + int(given.get("usage_minor", 0)), part=part)
    return {
        "prorated_commitment_minor": result.promised_minor,
        "prorated_plan_fee_minor": fee,
        "true_up_minor": result.missing_minor,
    }


@runs("charge_minimum")
def run_charge_minimum(given: dict[str, Any]) -> dict[str, Any]:
    """The usage and what is missing of the minimum are two lines, each with its tax."""
    usage = int(given["usage_minor"])
    part = read_days(given) if "days" in given else WHOLE
    missing = true_up(int(given["minimum_minor"]), usage, part=part).missing_minor
    taxes = read_taxes([given.get("tax_percent") or 0])
    return {
        "true_up_minor": missing,
        "true_up_tax_minor": tax_line(missing, taxes).tax_minor,
        "usage_tax_minor": tax_line(usage, taxes).tax_minor,
    }


@runs("invoice_total")
def run_invoice_total(given: dict[str, Any]) -> dict[str, Any]:
    tax = TaxPart("tax", Decimal(0), int(given.get("tax_minor", 0)))
    total = total_lines(
        [TaxedLine(int(given["fees_minor"]), (tax,))], credit_minor=int(given.get("credit_notes_minor", 0))
    )
    return {"total_minor": total.due_minor}


@runs("true_up_rounding")
def run_true_up_rounding(given: dict[str, Any]) -> dict[str, Any]:
    result = true_up(read_money(given, "commitment").minor, read_money(given, "usage").minor)
    return {"true_up": amount_of(result.missing_minor, given)}


@runs("minimum_spend")
def run_minimum_spend(given: dict[str, Any]) -> dict[str, Any]:
    result = true_up(read_money(given, "minimum").minor, read_money(given, "billed").minor)
    return {"true_up": amount_of(result.missing_minor, given)}
