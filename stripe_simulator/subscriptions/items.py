"""Subscription items: what a subscription sells, and the period that each is in."""

import copy
from decimal import Decimal

from stripe_simulator.catalogue.discounts import make_discounts
from stripe_simulator.catalogue.price_making import make_price, show_plan
from stripe_simulator.contract import template
from stripe_simulator.cycles import Cycle, find_cycle
from stripe_simulator.errors import refuse
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported

MOST_ITEMS = 20


def find_items(sim: Simulator, subscription: Object) -> list[Object]:
    """The items of a subscription in the order in which they were added."""
    return sim.store.find("subscription_item", subscription=subscription["id"])


def show_items(sim: Simulator, subscription: Object) -> None:
    """Bring what the subscription shows of its items up to date."""
    items = find_items(sim, subscription)
    subscription["items"] = {
        "object": "list",
        "data": copy.deepcopy(items),
        "has_more": False,
        "total_count": len(items),
        "url": f"/v1/subscription_items?subscription={subscription['id']}",
    }


def find_price(sim: Simulator, params: Object, at: int, place: str) -> Object:
    """The recurring, active price that an item names or describes."""
    if "price_data" in params:
        if "price" in params:
            raise refuse("You may only specify one of these parameters: price, price_data.", param=f"{place}[price]")
        return make_price(sim, {**params["price_data"], "active": False}, at)
    price_id = params.get("price") or params.get("plan")
    if not price_id:
        raise refuse("An item needs a price.", param=f"{place}[price]", code="parameter_missing")
    price = sim.store.get("price", price_id, param=f"{place}[price]", status=400)
    if not price["active"]:
        raise refuse(f"The price specified is inactive: {price['id']}.", param=f"{place}[price]")
    if price["recurring"] is None:
        raise refuse(
            "The price specified is set to `type=one_time` but this field only accepts recurring prices.",
            param=f"{place}[price]",
        )
    return price


def is_metered(item: Object) -> bool:
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def check_quantity(price: Object, params: Object, place: str) -> None:
    """Usage is a metered price's quantity: an item of it takes none."""
    if price["recurring"]["usage_type"] == "metered" and params.get("quantity") is not None:
        raise refuse("The quantity of a metered price is its usage: an item takes none.", param=f"{place}[quantity]")
    if params.get("quantity", 0) < 0:
        raise refuse("Invalid non-negative integer", param=f"{place}[quantity]", code="parameter_invalid_integer")


def make_item(
    sim: Simulator, subscription: Object, params: Object, price: Object, *, at: int, period: tuple[int, int], place: str
) -> Object:
    """Store an item of a subscription, in its first period."""
    refuse_unsupported(params, "billing_thresholds", "current_trial")
    check_quantity(price, params, place)
    if price["currency"] != subscription["currency"]:
        raise refuse(
            f"The price is in {price['currency']}, expected {subscription['currency']}: currencies do not mix.",
            param=f"{place}[price]",
        )
    item = template("subscription_item") | {
        "id": sim.new_id("si"),
        "created": at,
        "current_period_start": period[0],
        "current_period_end": period[1],
        "discounts": [],
        "metadata": dict(params.get("metadata") or {}),
        "plan": show_plan(price),
        "price": price,
        "subscription": subscription["id"],
        "tax_rates": read_rates(sim, params.get("tax_rates"), place),
    }
    if price["recurring"]["usage_type"] == "licensed":
        item["quantity"] = params.get("quantity", 1)
    item["discounts"] = make_discounts(
        sim, params.get("discounts"), at=at, customer=subscription["customer"], subscription_item=item["id"]
    )
    sim.store.insert(item)
    return item


def read_rates(sim: Simulator, given: list[str] | str | None, place: str) -> list[Object]:
    return [sim.store.get("tax_rate", rate, param=f"{place}[tax_rates]", status=400) for rate in given or []]


def find_item_cycle(subscription: Object, price: Object) -> Cycle:
    """The cycle that a price runs in: its own interval, hung on the subscription's anchor."""
    config = subscription["billing_cycle_anchor_config"]
    recurring = price["recurring"]
    return Cycle(
        subscription["billing_cycle_anchor"],
        recurring["interval"],
        recurring["interval_count"],
        day=config["day_of_month"] if config else None,
    )


def find_period(subscription: Object, price: Object, at: int) -> tuple[int, int]:
    """The period that `at` lies in: a whole cycle, or the part of one that starts at `at` itself."""
    _, end = find_cycle(find_item_cycle(subscription, price), at)
    return at, end


def find_licensed_amount(item: Object) -> Decimal:
    return Decimal(item.get("quantity", 0))
