"""Prices as objects: what a request asks for becomes a price, and a price the plan that items still show."""

from decimal import Decimal
from typing import Any

from stripe_simulator.catalogue.price_rules import check_price
from stripe_simulator.changes import updating
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.expanding import includable
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.tiers import format_decimal
from stripe_simulator.unsupported import refuse_unsupported


def make_price(sim: Simulator, params: Object, at: int) -> Object:
    """Store a price; its product too, if `product_data` asks for one. Raises where a rule of prices is broken."""
    check_price(params)
    refuse_unsupported(params, "currency_options")
    check_meter(sim, params.get("recurring"))
    product = find_product(sim, params, at)
    take_lookup_key(sim, params)
    price = build_price(params) | {
        "id": params.get("id") or sim.new_id("price"),
        "created": at,
        "product": product["id"],
    }
    sim.store.insert(price)
    sim.emit("price.created", price)
    return price


def build_price(params: Object) -> Object:
    """The price that checked parameters describe, without an id and unstored."""
    recurring = params.get("recurring")
    price = template("price") | {
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "currency": params["currency"],
        "lookup_key": params.get("lookup_key") or None,
        "metadata": dict(params.get("metadata") or {}),
        "nickname": params.get("nickname"),
        "product": params.get("product"),
        "recurring": build_recurring(recurring) if recurring else None,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": params.get("transform_quantity"),
        "type": "recurring" if recurring else "one_time",
    }
    if params.get("tiers"):
        price["_tiers"] = [build_tier(tier) for tier in params["tiers"]]
    if params.get("custom_unit_amount"):
        limits = params["custom_unit_amount"]
        price["custom_unit_amount"] = {name: limits.get(name) for name in ("maximum", "minimum", "preset")}
    return price | read_amounts(params, "unit_amount")


def build_recurring(recurring: Object) -> Object:
    return {
        "interval": recurring["interval"],
        "interval_count": recurring.get("interval_count", 1),
        "meter": recurring.get("meter"),
        "trial_period_days": recurring.get("trial_period_days"),
        "usage_type": recurring.get("usage_type", "licensed"),
    }


def build_tier(tier: Object) -> Object:
    bound = {"up_to": None if tier["up_to"] == "inf" else tier["up_to"]}
    return read_amounts(tier, "flat_amount") | read_amounts(tier, "unit_amount") | bound


def read_amounts(source: Object, name: str) -> Object:
    """Both forms of an amount: the integer is null where only the decimal says it whole."""
    whole, decimal = source.get(name), source.get(f"{name}_decimal")
    given = decimal if whole is None else whole
    if given is None:
        return {name: None, f"{name}_decimal": None}
    exact = Decimal(given)
    is_whole = exact == exact.to_integral_value()
    return {name: int(exact) if is_whole else None, f"{name}_decimal": format_decimal(exact)}


def check_meter(sim: Simulator, recurring: Object | None) -> None:
    """The meter of a metered price exists and is active."""
    if not recurring or not recurring.get("meter"):
        return
    meter = sim.store.get("billing.meter", recurring["meter"], param="recurring[meter]", status=400)
    if meter["status"] != "active":
        raise refuse(f"The meter {meter['id']} is inactive.", param="recurring[meter]")


def find_product(sim: Simulator, params: Object, at: int) -> Object:
    from stripe_simulator.catalogue.products import make_product

    if "product_data" in params:
        return make_product(sim, params["product_data"], at)
    return sim.store.get("product", params["product"], param="product", status=400)


def take_lookup_key(sim: Simulator, params: Object, *, keeper: str | None = None) -> None:
    """A lookup key names one price. `transfer_lookup_key` takes it from the price that has it."""
    key = params.get("lookup_key")
    if not key:
        return
    if len(key) > 200:
        raise refuse("A lookup key has at most 200 characters.", param="lookup_key")
    for holder in sim.store.find("price", lookup_key=key):
        if holder["id"] == keeper:
            continue
        if not params.get("transfer_lookup_key"):
            raise refuse(
                f"A price (`{holder['id']}`) already uses that lookup key.",
                param="lookup_key",
                code="resource_already_exists",
            )
        with updating(sim, "price.updated", holder):
            holder["lookup_key"] = None


@includable("price", "tiers")
def show_tiers(sim: Simulator, price: Object) -> Any:
    return sim.store.get("price", price["id"]).get("_tiers", [])


@includable("price", "currency_options")
def show_currency_options(sim: Simulator, price: Object) -> Object | list[Object]:
    own = {name: price[name] for name in ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")}
    return {price["currency"]: own}


def show_plan(price: Object) -> Object:
    """The plan that a subscription item shows beside its price."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": price["livemode"],
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }
