"""/v1/coupons."""

from decimal import Decimal

from stripe_simulator.changes import updating
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.expanding import includable
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

PLAIN = (
    "amount_off",
    "currency",
    "duration_in_months",
    "max_redemptions",
    "metadata",
    "name",
    "percent_off",
    "redeem_by",
)


@route("POST", "/v1/coupons")
def create_coupon(request: Request) -> Object:
    params, sim = request.params, request.sim
    check_coupon(params)
    if "id" in params and sim.store.peek("coupon", params["id"]):
        raise refuse("Coupon already exists.", param="id", code="resource_already_exists")
    coupon = template("coupon") | {
        "id": params.get("id") or sim.new_id("")[:8],
        "created": request.at,
        "duration": params.get("duration", "once"),
        "metadata": {},
        "times_redeemed": 0,
        "valid": True,
    }
    update(coupon, params, *PLAIN)
    if "applies_to" in params:
        coupon["_products"] = params["applies_to"].get("products", [])
    sim.store.insert(coupon)
    sim.emit("coupon.created", coupon)
    return coupon


def check_coupon(params: Object) -> None:
    """One of a percentage and an amount; an amount has a currency; only a repeating coupon has months."""
    percent, amount = params.get("percent_off"), params.get("amount_off")
    if (percent is None) == (amount is None):
        raise refuse("You must pass either `percent_off` or `amount_off`, and not both.", param="percent_off")
    if percent is not None and not 0 < Decimal(str(percent)) <= 100:
        raise refuse("`percent_off` must be above 0 and at most 100.", param="percent_off")
    if amount is not None and amount < 1:
        raise refuse("Invalid positive integer", param="amount_off", code="parameter_invalid_integer")
    if amount is not None and not params.get("currency"):
        raise refuse("You must pass `currency` when passing `amount_off`.", param="currency")
    is_repeating = params.get("duration") == "repeating"
    if is_repeating != (params.get("duration_in_months") is not None):
        raise refuse("`duration_in_months` is for `duration=repeating`, which needs it.", param="duration_in_months")


def check_redeemable(coupon: Object, at: int) -> None:
    if not is_valid(coupon, at):
        raise refuse(f"Coupon expired: {coupon['id']}", param="coupon", code="coupon_expired")


def is_valid(coupon: Object, at: int) -> bool:
    """Whether a coupon may still be redeemed: in time, and not too often."""
    is_in_time = coupon["redeem_by"] is None or at <= coupon["redeem_by"]
    return is_in_time and (coupon["max_redemptions"] is None or coupon["times_redeemed"] < coupon["max_redemptions"])


def count_redemption(sim: Simulator, coupon: Object, at: int) -> None:
    coupon["times_redeemed"] += 1
    coupon["valid"] = is_valid(coupon, at)


@includable("coupon", "applies_to")
def show_products(sim: Simulator, coupon: Object) -> Object:
    return {"products": sim.store.get("coupon", coupon["id"]).get("_products", [])}


@route("GET", "/v1/coupons/{id}")
def read_coupon(request: Request) -> Object:
    coupon = request.sim.store.get("coupon", request.id)
    return coupon | {"valid": is_valid(coupon, request.at)}


@route("POST", "/v1/coupons/{id}")
def update_coupon(request: Request) -> Object:
    coupon = request.sim.store.get("coupon", request.id)
    with updating(request.sim, "coupon.updated", coupon):
        update(coupon, request.params, "metadata", "name")
    return coupon


@route("DELETE", "/v1/coupons/{id}")
def delete_coupon(request: Request) -> Object:
    """A deleted coupon is redeemed no more; discounts that it gave go on."""
    coupon = request.sim.store.get("coupon", request.id)
    request.sim.emit("coupon.deleted", coupon)
    return request.sim.store.delete(coupon)


@route("GET", "/v1/coupons")
def list_coupons(request: Request) -> Object:
    return answer_list(request, request.sim.store.find("coupon"))
