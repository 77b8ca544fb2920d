"""/v1/promotion_codes: words that customers type to get a coupon."""

from stripe_simulator.changes import matches, updating
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route


@route("POST", "/v1/promotion_codes")
def create_promotion_code(request: Request) -> Object:
    params, sim = request.params, request.sim
    coupon = sim.store.get("coupon", find_coupon_id(params), param="promotion[coupon]", status=400)
    code = params.get("code") or sim.new_id("")[:8].upper()
    check_code(request, code)
    restrictions = params.get("restrictions") or {}
    promotion = template("promotion_code") | {
        "id": sim.new_id("promo"),
        "active": True,
        "code": code,
        "created": request.at,
        "metadata": {},
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": restrictions.get("first_time_transaction", False),
            "minimum_amount": restrictions.get("minimum_amount"),
            "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
        },
        "times_redeemed": 0,
    }
    update(promotion, params, "active", "customer", "expires_at", "max_redemptions", "metadata")
    sim.store.insert(promotion)
    sim.emit("promotion_code.created", promotion)
    return promotion


def find_coupon_id(params: Object) -> str:
    """The coupon of a promotion; older versions named it alone, and the compat mode lets them."""
    return str((params.get("promotion") or params).get("coupon") or "")


def check_code(request: Request, code: str) -> None:
    """No two active codes read the same, whatever their case."""
    taken = (known["code"].lower() for known in request.sim.store.find("promotion_code", active=True))
    if code.lower() in taken:
        raise refuse("An active promotion code has this code.", param="code", code="resource_already_exists")


@route("GET", "/v1/promotion_codes/{id}")
def read_promotion_code(request: Request) -> Object:
    return request.sim.store.get("promotion_code", request.id)


@route("POST", "/v1/promotion_codes/{id}")
def update_promotion_code(request: Request) -> Object:
    promotion = request.sim.store.get("promotion_code", request.id)
    with updating(request.sim, "promotion_code.updated", promotion):
        update(promotion, request.params, "active", "metadata")
    return promotion


@route("GET", "/v1/promotion_codes")
def list_promotion_codes(request: Request) -> Object:
    coupon = request.params.get("coupon")
    codes = [
        promotion
        for promotion in request.sim.store.find("promotion_code")
        if (coupon is None or promotion["promotion"]["coupon"] == coupon)
        and matches(request, promotion, "active", "code", "customer")
    ]
    return answer_list(request, codes)
