"""Cases about amounts: rounded, shared, taxed, given back."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from billing.money import Money, add_money, allocate, find_exponent, round_minor, round_money
from billing.proration import credit_unused, part_of_days
from billing.rating import PriceModel, PriceTerms, per_unit, rate, rate_increment
from billing.taxes import TaxTerms, tax_line
from tests.cases.kinds import runs

# An amount in smallest units is one of a currency that has no smaller ones.
MINOR = "JPY"


def read_money(given: dict[str, Any], name: str) -> Money:
    """The amount of that name in the case's currency; dollars where none is named."""
    return round_money(Decimal(str(given.get(name) or 0)), given.get("currency", "USD"))


def amount_of(minor: int, given: dict[str, Any]) -> Decimal:
    return Money(minor, given.get("currency", "USD")).amount


def read_taxes(percents: Iterable[Any], *, is_inclusive: bool = False) -> list[TaxTerms]:
    return [TaxTerms("tax", Decimal(str(percent)), is_inclusive) for percent in percents]


@runs("round_money")
def run_round_money(given: dict[str, Any]) -> dict[str, Any]:
    money = read_money(given, "amount")
    return {"amount": money.amount, "amount_minor": money.minor}


@runs("round_lines")
def run_round_lines(given: dict[str, Any]) -> dict[str, Any]:
    currency = given["currency"]
    lines = [round_money(Decimal(line), currency) for line in given["lines"]]
    return {"subtotal": add_money(lines, currency).amount, "lines": [line.amount for line in lines]}


@runs("usage_line")
def run_usage_line(given: dict[str, Any]) -> dict[str, Any]:
    price = per_unit("Usage", meter_key="usage", unit_amount=Decimal(given["unit_price"]))
    return {"amount": rate(price, Decimal(given["quantity"])).round(given["currency"]).amount}


@runs("usage_minor")
def run_usage_minor(given: dict[str, Any]) -> dict[str, Any]:
    """The unit price is in smallest units, with as many decimals as a price has.

    A line never charges below zero. Where the case lets it, what was taken back is given back as it is of a line that
    was billed before.
    """
    terms = {"cap": Decimal(given["cap_minor"])} if given.get("cap_minor") is not None else {}
    unit_amount, quantity = Decimal(given["unit_price_minor"]), Decimal(given["quantity"])
    price = PriceTerms("Usage", PriceModel.PER_UNIT, "usage", unit_amount, **terms)
    if quantity < 0 and given.get("floor_zero") is False:
        return {"amount_minor": rate_increment(price, billed=-quantity, total=Decimal(0)).round(MINOR).minor}
    return {"amount_minor": rate(price, quantity).round(MINOR).minor}


@runs("tax")
def run_tax(given: dict[str, Any]) -> dict[str, Any]:
    base = read_money(given, "base")
    taxed = tax_line(base.minor, read_taxes([given["rate_percent"]], is_inclusive=bool(given.get("inclusive"))))
    return {
        "tax": amount_of(taxed.tax_minor, given),
        "net": amount_of(taxed.net_minor, given),
        "total": amount_of(taxed.gross_minor, given),
    }


@runs("allocate")
def run_allocate(given: dict[str, Any]) -> dict[str, Any]:
    places = int(given["places"]) if "places" in given else find_exponent(given["currency"])
    total = round_minor(Decimal(given["amount"]).scaleb(places))
    parts = allocate(total, [Decimal(weight) for weight in given["weights"]])
    return {"parts": [Decimal(part).scaleb(-places) for part in parts]}


@runs("credit_note")
def run_credit_note(given: dict[str, Any]) -> dict[str, Any]:
    note = credit_unused(
        int(given["price_minor"]),
        left=part_of_days(int(given["unused_days"]), int(given["period_days"])),
        taxes=read_taxes([given.get("tax_percent") or 0]),
    )
    return {"subtotal_minor": note.net_minor, "tax_minor": note.tax_minor, "total_minor": note.gross_minor}
