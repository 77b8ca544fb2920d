"""Prorations: what a change within a period gives back and asks for, by the second, as pending invoice items."""

from decimal import Decimal
from fractions import Fraction

from stripe_simulator.cycles import read_moment
from stripe_simulator.invoices.items import make_item as make_invoice_item
from stripe_simulator.invoices.metering import describe_price
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.items import is_metered
from stripe_simulator.tiers import rate_quantity, round_amount


def find_remaining_share(item: Object, at: int) -> Fraction:
    """How much of an item's current period is still to come."""
    start, end = item["current_period_start"], item["current_period_end"]
    return max(Fraction(0), min(Fraction(1), Fraction(end - at, end - start)))


def prorate_amount(price: Object, quantity: int, share: Fraction) -> int:
    """The share of a quantity's amount, rounded once."""
    return round_amount(rate_quantity(price, Decimal(quantity)) * share)


def credit_unused(sim: Simulator, subscription: Object, item: Object, at: int) -> None:
    """Give back the rest of the period that an item was charged for in advance."""
    put_proration(sim, subscription, item, at, sign=-1, words="Unused time on")


def charge_remaining(sim: Simulator, subscription: Object, item: Object, at: int) -> None:
    """Ask for the rest of the period under an item's new terms."""
    put_proration(sim, subscription, item, at, sign=1, words="Remaining time on")


def put_proration(sim: Simulator, subscription: Object, item: Object, at: int, *, sign: int, words: str) -> None:
    """Nothing to prorate is no item: usage is in arrears, a trial is free, and zero is zero."""
    if is_metered(item) or subscription["status"] == "trialing":
        return
    amount = sign * prorate_amount(item["price"], item["quantity"], find_remaining_share(item, at))
    if amount == 0:
        return
    name = describe_price(sim, item["price"])
    make_invoice_item(
        sim,
        subscription["customer"],
        {
            "amount": amount,
            "description": f"{words} {item['quantity']} × {name} after {read_moment(at):%d %b %Y}",
            "discountable": False,
            "metadata": item["metadata"],
            "period": {"start": at, "end": item["current_period_end"]},
            "subscription": subscription["id"],
            "tax_rates": [rate["id"] for rate in item["tax_rates"] or []],
        },
        at=at,
        currency=subscription["currency"],
        proration=True,
    )
