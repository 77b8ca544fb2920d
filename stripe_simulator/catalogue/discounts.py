"""Discounts: a coupon at work on a subscription, an item, an invoice or a line.

A discount keeps a copy of its coupon: deleting a coupon leaves its discounts be.
"""

from typing import Any

from stripe_simulator.catalogue.coupons import check_redeemable, count_redemption
from stripe_simulator.contract import template
from stripe_simulator.cycles import add_months
from stripe_simulator.errors import refuse
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator


def make_discounts(sim: Simulator, given: Any, *, at: int, customer: str, **owner: Any) -> list[str]:
    """The ids of the discounts that a parameter asks for; an empty string asks for none."""
    return [make_discount(sim, each, at=at, customer=customer, **owner) for each in given or []]


def make_discount(sim: Simulator, given: Object, *, at: int, customer: str, **owner: Any) -> str:
    """`owner` is one of subscription, subscription_item, invoice, invoice_item."""
    if given.get("discount"):
        return str(sim.store.get("discount", given["discount"], param="discounts", status=400)["id"])
    coupon, promotion = find_coupon(sim, given, at)
    check_redeemable(coupon, at)
    months = coupon["duration_in_months"]
    discount = template("discount") | {
        "id": sim.new_id("di"),
        "customer": customer,
        "end": add_months(at, months) if months else None,
        "promotion_code": promotion["id"] if promotion else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": at,
        "_coupon": dict(coupon),
        **owner,
    }
    sim.store.insert(discount)
    count_redemption(sim, coupon, at)
    if promotion:
        promotion["times_redeemed"] += 1
    sim.emit("customer.discount.created", discount)
    return str(discount["id"])


def find_coupon(sim: Simulator, given: Object, at: int) -> tuple[Object, Object | None]:
    if given.get("coupon"):
        return sim.store.get("coupon", given["coupon"], param="discounts", status=400), None
    if not given.get("promotion_code"):
        raise refuse("A discount needs a coupon, a promotion code or a discount.", param="discounts")
    promotion = sim.store.get("promotion_code", given["promotion_code"], param="discounts", status=400)
    is_over = promotion["expires_at"] is not None and promotion["expires_at"] < at
    is_used_up = (
        promotion["max_redemptions"] is not None and promotion["times_redeemed"] >= promotion["max_redemptions"]
    )
    if not promotion["active"] or is_over or is_used_up:
        raise refuse(
            f"The promotion code {promotion['id']} is not active.", param="discounts", code="promotion_code_expired"
        )
    return sim.store.get("coupon", promotion["promotion"]["coupon"]), promotion


def find_active(sim: Simulator, ids: list[str], at: int) -> list[str]:
    """The discounts that still work at `at`."""
    ends = ((each, sim.store.get("discount", each)["end"]) for each in ids)
    return [each for each, end in ends if end is None or at < end]


def drop_discounts(sim: Simulator, ids: list[str]) -> None:
    for each in ids:
        sim.emit("customer.discount.deleted", sim.store.get("discount", each))


def drop_used(sim: Simulator, ids: list[str]) -> list[str]:
    """What is left of a subscription's discounts after an invoice took them: those for one invoice are gone."""
    kept = []
    for each in ids:
        if sim.store.get("discount", each)["_coupon"]["duration"] == "once":
            sim.emit("customer.discount.deleted", sim.store.get("discount", each))
        else:
            kept.append(each)
    return kept
