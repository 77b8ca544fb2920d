"""What a Checkout session sells."""

from stripe_simulator.catalogue.price_making import make_price
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator


def make_items(sim: Simulator, mode: str, given: list[Object], *, at: int) -> list[Object]:
    """The items of a session, priced. Raises where a price does not go with the mode or with a quantity."""
    if not given and mode != "setup":
        raise refuse("line_items is required in this mode.", param="line_items", code="parameter_missing")
    items = [make_item(sim, mode, each, place, at=at) for place, each in enumerate(given)]
    if len({item["currency"] for item in items}) > 1:
        raise refuse("All prices of a session must have the same currency.", param="line_items")
    if mode == "subscription" and not any(item["price"]["recurring"] for item in items):
        raise refuse("You must provide at least one recurring price in `subscription` mode.", param="line_items")
    return items


def make_item(sim: Simulator, mode: str, given: Object, place: int, *, at: int) -> Object:
    param = f"line_items[{place}]"
    if "price" in given:
        price = sim.store.get("price", given["price"], param=f"{param}[price]", status=400)
    elif "price_data" in given:
        price = make_price(sim, given["price_data"], at)
    else:
        raise refuse("A line item needs price or price_data.", param=param)
    recurring = price["recurring"]
    if recurring and mode == "payment":
        raise refuse("You specified `payment` mode but passed a recurring price.", param=f"{param}[price]")
    is_metered = bool(recurring) and recurring["usage_type"] == "metered"
    if is_metered and "quantity" in given:
        raise refuse("A metered price takes no quantity.", param=f"{param}[quantity]")
    if not is_metered and "quantity" not in given:
        raise refuse("Missing required param: quantity.", param=f"{param}[quantity]", code="parameter_missing")
    quantity: int | None = given.get("quantity")
    amount = (price["unit_amount"] or 0) * (quantity or 0)
    product = sim.store.peek("product", price["product"]) or {"name": price["id"]}
    return template(
        "item",
        id=sim.new_id("li"),
        adjustable_quantity=None,
        amount_discount=0,
        amount_subtotal=amount,
        amount_tax=0,
        amount_total=amount,
        currency=price["currency"],
        description=product["name"],
        metadata={},
        price=sim.show(price),
        quantity=quantity,
    )
