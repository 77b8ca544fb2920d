"""Parameters that Stripe removed, for its own CLI alone, whose scripts are older than the API version.

Nothing here acts unless `/_sim/settings` names the parameter in `compat`; a parameter that is let through without
standing here is ignored by the handlers.
"""

from typing import TYPE_CHECKING, Any

from stripe_simulator.contract import template
from stripe_simulator.store import new_id

if TYPE_CHECKING:
    from stripe_simulator.routes import Request
    from stripe_simulator.simulator import Simulator

Params = dict[str, Any]


def translate(sim: "Simulator", path: str, params: Params) -> Params:
    """What the caller means, in today's parameters."""
    if path == "/v1/promotion_codes" and "coupon" in params:
        given = {key: value for key, value in params.items() if key != "coupon"}
        return given | {"promotion": {"type": "coupon", "coupon": params["coupon"]}}
    if path.startswith("/v1/subscription_schedules") and isinstance(params.get("phases"), list):
        return params | {"phases": [translate_phase(sim, phase) for phase in params["phases"]]}
    return params


def translate_phase(sim: "Simulator", phase: Params) -> Params:
    """`iterations` of the phase's first price are its duration."""
    if "iterations" not in phase:
        return phase
    found = sim.store.peek("price", phase["items"][0].get("price", "")) or {}
    recurring = found.get("recurring") or {"interval": "month", "interval_count": 1}
    count = int(phase["iterations"]) * recurring["interval_count"]
    given = {key: value for key, value in phase.items() if key != "iterations"}
    return given | {"duration": {"interval": recurring["interval"], "interval_count": count}}


def follow(request: "Request", answer: Params) -> None:
    """A coupon of a customer, which today only subscriptions have: its discount, and what is told of it."""
    if answer.get("object") != "customer" or "coupon" not in request.params:
        return
    sim, coupon = request.sim, request.params["coupon"]
    customer = sim.store.get("customer", answer["id"])
    before, after = customer["discount"], None
    if coupon:
        source = {"type": "coupon", "coupon": sim.store.get("coupon", coupon, param="coupon", status=400)["id"]}
        after = template("discount", id=new_id("di"), customer=customer["id"], start=request.at, source=source)
    answer["discount"] = customer["discount"] = after
    if before is None and after is None:
        return
    if after is None:
        sim.emit("customer.discount.deleted", before)
    elif before is None:
        sim.emit("customer.discount.created", after)
    else:
        sim.emit("customer.discount.updated", after, {"id": before["id"], "source": before["source"]})
