"""Cases about a part of a price for a part of a period."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.discounts import Discount, share_discount
from billing.proration import (
    WHOLE,
    PriceChange,
    Proration,
    cap_credit,
    change_items,
    change_price,
    change_quantity,
    find_part_left,
    part_of_days,
    prorate,
)
from billing.taxes import tax_line
from tests.cases.kinds import runs
from tests.cases.money_kinds import amount_of, read_money, read_taxes
from tests.cases.usage_kinds import read_time


def read_part_left(given: dict[str, Any]) -> Fraction:
    return find_part_left(
        read_time(given["change_at"]),
        start=read_time(given["period_start"]),
        end=read_time(given["period_end"]),
        by=Proration(given.get("by", Proration.SECOND)),
        time_zone=given.get("timezone", "UTC"),
    )


def read_days(given: dict[str, Any]) -> Fraction:
    return part_of_days(int(given["days"]), int(given["period_days"]))


def read_discount(terms: dict[str, Any] | None) -> Discount | None:
    if not terms:
        return None
    if "percent" in terms:
        return Discount(percent=Decimal(str(terms["percent"])))
    return Discount(amount_minor=int(terms["amount_minor"]))


def show_change(change: PriceChange) -> dict[str, Any]:
    return {
        "credit_minor": change.credit_minor,
        "charge_minor": change.charge_minor,
        "net_minor": change.net_minor,
    }


@runs("proration_seconds")
def run_proration_seconds(given: dict[str, Any]) -> dict[str, Any]:
    left = read_part_left(given)
    return show_change(change_price(int(given["old_price_minor"]), int(given["new_price_minor"]), left=left))


@runs("interval_change")
def run_interval_change(given: dict[str, Any]) -> dict[str, Any]:
    left = read_part_left(given)
    old, new = int(given["old_price_minor"]), int(given["new_price_minor"])
    return show_change(change_price(old, new, left=left, charged_part=WHOLE))


@runs("proration_discount")
def run_proration_discount(given: dict[str, Any]) -> dict[str, Any]:
    return show_change(
        change_price(
            int(given["old_price_minor"]),
            int(given["new_price_minor"]),
            left=Fraction(given["fraction_left"]),
            old_discount=read_discount(given.get("old_discount")),
            new_discount=read_discount(given.get("new_discount")),
        )
    )


@runs("discount_split")
def run_discount_split(given: dict[str, Any]) -> dict[str, Any]:
    discount = Discount(amount_minor=int(given["discount_minor"]))
    old = [int(item) for item in given["old_items_minor"]]
    new = [int(item) for item in given["new_items_minor"]]
    left = Fraction(given["fraction_left"])
    credits, charges = change_items(old, new, left=left, old_discount=discount, new_discount=discount)
    return {
        "old_shares_minor": share_discount(old, discount),
        "new_shares_minor": share_discount(new, discount),
        "credits_minor": credits,
        "charges_minor": charges,
    }


@runs("seat_discount")
def run_seat_discount(given: dict[str, Any]) -> dict[str, Any]:
    """Fewer seats are a charge below zero, which is a credit."""
    discount = {"amount_minor": given["discount_minor"]} if given.get("discount_minor") else given.get("discount")
    charge = change_quantity(
        unit_minor=int(given["price_per_seat_minor"]),
        old_quantity=int(given["old_seats"]),
        new_quantity=int(given["new_seats"]),
        left=Fraction(given["fraction_left"]),
        discount=read_discount(discount),
        base_minor=int(given.get("base_minor", 0)),
    )
    return {"charge_minor": charge, "credit_minor": -charge}


@runs("seat_change")
def run_seat_change(given: dict[str, Any]) -> dict[str, Any]:
    return run_seat_discount(given)


@runs("proration_days")
def run_proration_days(given: dict[str, Any]) -> dict[str, Any]:
    line = tax_line(prorate(int(given["price_minor"]), read_days(given)), read_taxes([given.get("tax_percent") or 0]))
    return {"amount_minor": line.net_minor, "tax_minor": line.tax_minor, "total_minor": line.gross_minor}


@runs("proration_days_pair")
def run_proration_days_pair(given: dict[str, Any]) -> dict[str, Any]:
    old, new = read_money(given, "old_amount"), read_money(given, "new_amount")
    change = change_price(old.minor, new.minor, left=read_days(given))
    return {
        "credit": amount_of(change.credit_minor, given),
        "charge": amount_of(change.charge_minor, given),
        "net": amount_of(change.net_minor, given),
    }


@runs("credit_cap")
def run_credit_cap(given: dict[str, Any]) -> dict[str, Any]:
    credit = cap_credit(
        read_money(given, "potential_credit").minor,
        read_money(given, "paid").minor,
        read_money(given, "earlier_credits").minor,
    )
    return {"credit": amount_of(credit, given)}


@runs("coefficient")
def run_coefficient(given: dict[str, Any]) -> dict[str, Any]:
    return {"coefficient": read_days(given)}
