"""What a price must be beyond what the contract says. Each rule takes the request's parameters and raises.

Sources: the parameter descriptions of the official client, Stripe's pages on pricing models and on usage.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from stripe_simulator.errors import refuse

Params = Mapping[str, Any]

LONGEST_INTERVAL = {"day": 1095, "week": 156, "month": 36, "year": 3}
DECIMAL_PLACES = 12


def check_price(params: Params) -> None:
    """Every rule that needs nothing but the request."""
    check_currency(params["currency"])
    check_product(params)
    check_scheme(params)
    check_transform(params)
    check_recurring(params.get("recurring"))


def check_currency(currency: str) -> None:
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.islower()):
        raise refuse(f"Invalid currency: {currency}.", param="currency")


def check_product(params: Params) -> None:
    """A price belongs to one product, existing or made with it."""
    if "product" in params and "product_data" in params:
        raise refuse("You may only specify one of these parameters: product, product_data.", param="product")
    if not params.get("product") and "product_data" not in params:
        raise refuse("You must specify either `product` or `product_data` when creating a price.", param="product")


def check_scheme(params: Params) -> None:
    """Tiers, or one amount: never both, never neither."""
    tiered = params.get("billing_scheme") == "tiered"
    if tiered:
        check_tiered(params)
        return
    if params.get("tiers") or params.get("tiers_mode"):
        raise refuse("`tiers` and `tiers_mode` need `billing_scheme=tiered`.", param="tiers")
    if "custom_unit_amount" in params:
        if params.get("unit_amount") is not None or params.get("unit_amount_decimal") is not None:
            raise refuse("A price has a custom unit amount or a fixed one, not both.", param="custom_unit_amount")
        return
    check_amount(params, "unit_amount", "", is_required=True)


def check_tiered(params: Params) -> None:
    if not params.get("tiers") or not params.get("tiers_mode"):
        raise refuse("You must specify `tiers` and `tiers_mode` when `billing_scheme=tiered`.", param="tiers")
    for name in ("unit_amount", "unit_amount_decimal", "custom_unit_amount"):
        if params.get(name) is not None:
            raise refuse("A tiered price has its amounts in its tiers.", param=name)
    check_tiers(params["tiers"])


def check_tiers(tiers: Sequence[Params]) -> None:
    """Bounds rise, only the last is `inf`, and each tier has an amount."""
    lower = 0
    for number, tier in enumerate(tiers):
        place, is_last = f"tiers[{number}]", number == len(tiers) - 1
        bound = tier["up_to"]
        if is_last and bound != "inf":
            raise refuse("The last tier's `up_to` must be `inf`.", param=f"{place}[up_to]")
        if not is_last and bound == "inf":
            raise refuse("Only the last tier's `up_to` may be `inf`.", param=f"{place}[up_to]")
        if bound != "inf" and bound <= lower:
            raise refuse("The tiers' `up_to` must rise and be above zero.", param=f"{place}[up_to]")
        lower = bound
        check_amount(tier, "unit_amount", place)
        check_amount(tier, "flat_amount", place)
        if not any(tier.get(name) is not None for name in AMOUNT_NAMES):
            raise refuse("Each tier must have a unit amount or a flat amount.", param=place)


AMOUNT_NAMES = ("unit_amount", "unit_amount_decimal", "flat_amount", "flat_amount_decimal")


def check_amount(source: Params, name: str, place: str, *, is_required: bool = False) -> None:
    """An amount is an integer or a decimal of at most 12 places, never both, never below zero."""
    whole, decimal = source.get(name), source.get(f"{name}_decimal")
    param = f"{place}[{name}]" if place else name
    if whole is not None and decimal is not None:
        raise refuse(f"You may only specify one of these parameters: {name}, {name}_decimal.", param=param)
    if whole is None and decimal is None and is_required:
        raise refuse(f"You must specify either `{name}` or `{name}_decimal`.", param=param)
    if whole is not None and whole < 0:
        raise refuse("Invalid non-negative integer", param=param, code="parameter_invalid_integer")
    if decimal is not None:
        check_decimal(Decimal(decimal), param)


def check_decimal(number: Decimal, param: str) -> None:
    if number < 0:
        raise refuse("Invalid non-negative decimal", param=param)
    if -int(number.normalize().as_tuple().exponent) > DECIMAL_PLACES:
        raise refuse(f"Invalid decimal: at most {DECIMAL_PLACES} decimal places are allowed.", param=param)


def check_transform(params: Params) -> None:
    transform = params.get("transform_quantity")
    if not transform:
        return
    if params.get("billing_scheme") == "tiered":
        raise refuse("`transform_quantity` cannot be combined with `tiers`.", param="transform_quantity")
    if transform["divide_by"] < 1:
        raise refuse("This value must be greater than or equal to 1.", param="transform_quantity[divide_by]")


def check_recurring(recurring: Params | None) -> None:
    """Metered prices name their meter, licensed ones have none; no interval is longer than three years."""
    if not recurring:
        return
    is_metered = recurring.get("usage_type") == "metered"
    if is_metered and not recurring.get("meter"):
        raise refuse("A metered price needs `recurring[meter]`.", param="recurring[meter]")
    if not is_metered and recurring.get("meter"):
        raise refuse("`recurring[meter]` needs `recurring[usage_type]=metered`.", param="recurring[meter]")
    count = recurring.get("interval_count", 1)
    if not 1 <= count <= LONGEST_INTERVAL[recurring["interval"]]:
        raise refuse("The interval must be at most three years.", param="recurring[interval_count]")
