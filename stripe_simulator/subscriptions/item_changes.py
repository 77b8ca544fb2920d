"""Changes of a subscription's items, and what they prorate."""

from stripe_simulator.catalogue.price_making import show_plan
from stripe_simulator.catalogue.tax_rates import find_rates
from stripe_simulator.errors import refuse
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.items import (
    MOST_ITEMS,
    check_quantity,
    find_items,
    find_period,
    find_price,
    is_metered,
    make_item,
)
from stripe_simulator.subscriptions.prorating import charge_remaining, credit_unused


def change_items(
    sim: Simulator, subscription: Object, given: list[Object], *, behavior: str, at: int, moment: int
) -> bool:
    """Add, change and remove items. Whether an interval changed, so that all periods begin anew."""
    resets = False
    for number, params in enumerate(given):
        place = f"items[{number}]"
        if "id" not in params:
            add_item(sim, subscription, params, behavior=behavior, at=at, moment=moment, place=place)
            continue
        item = find_own_item(sim, subscription, params["id"], f"{place}[id]")
        if params.get("deleted"):
            remove_item(sim, subscription, item, behavior=behavior, moment=moment)
        else:
            resets |= change_item(sim, subscription, item, params, behavior=behavior, at=at, moment=moment, place=place)
    count = len(find_items(sim, subscription))
    if not 1 <= count <= MOST_ITEMS:
        raise refuse(f"A subscription has 1 to {MOST_ITEMS} items.", param="items")
    return resets


def find_own_item(sim: Simulator, subscription: Object, item_id: str, param: str) -> Object:
    item = sim.store.get("subscription_item", item_id, param=param, status=400)
    if item["subscription"] != subscription["id"]:
        raise refuse(f"The item {item_id} is not of the subscription {subscription['id']}.", param=param)
    return item


def add_item(
    sim: Simulator, subscription: Object, params: Object, *, behavior: str, at: int, moment: int, place: str
) -> Object:
    price = find_price(sim, params, at, place)
    _, end = find_period(subscription, price, at)
    if subscription["status"] == "trialing":
        end = subscription["trial_end"]
    known = [
        item["current_period_start"] for item in find_items(sim, subscription) if item["current_period_end"] == end
    ]
    item = make_item(sim, subscription, params, price, at=at, period=(known[0] if known else at, end), place=place)
    if is_metered(item):
        item["current_period_start"] = at
    if behavior != "none":
        charge_remaining(sim, subscription, item, moment)
    return item


def remove_item(sim: Simulator, subscription: Object, item: Object, *, behavior: str, moment: int) -> None:
    """Unused time is given back; usage not invoiced yet is not charged any more."""
    if behavior != "none":
        credit_unused(sim, subscription, item, moment)
    sim.store.delete(item)


def change_item(
    sim: Simulator,
    subscription: Object,
    item: Object,
    params: Object,
    *,
    behavior: str,
    at: int,
    moment: int,
    place: str,
) -> bool:
    """Change an item's price, quantity or fields. Whether its interval changed."""
    update(item, params, "metadata")
    if "tax_rates" in params:
        item["tax_rates"] = find_rates(sim, params["tax_rates"], f"{place}[tax_rates]")
    names_price = {"price", "plan", "price_data"} & set(params)
    price = find_price(sim, params, at, place) if names_price else item["price"]
    check_quantity(price, params, place)
    quantity = params.get("quantity", item.get("quantity", 1))
    if price["id"] == item["price"]["id"] and quantity == item.get("quantity", 1):
        return False
    if price["currency"] != subscription["currency"]:
        raise refuse("Currencies do not mix on a subscription.", param=f"{place}[price]")
    has_new_interval = find_interval(price) != find_interval(item["price"])
    if behavior != "none":
        credit_unused(sim, subscription, item, moment)
    item |= {"price": price, "plan": show_plan(price)}
    item.pop("quantity", None)
    if not is_metered(item):
        item["quantity"] = quantity
    if has_new_interval:
        item["_is_charged"] = False
    elif behavior != "none":
        charge_remaining(sim, subscription, item, moment)
    return has_new_interval


def find_interval(price: Object) -> tuple[str, int]:
    return price["recurring"]["interval"], price["recurring"]["interval_count"]
