"""Refunds: money given back, by halves or whole; some test cards take their time or fail."""

from stripe_simulator.clock import due
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.payments.methods import find_card_of
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

SETTLES_AFTER = 60  # seconds; a bank takes days
DUE = "settle_refund"


def refund_charge(
    sim: Simulator,
    charge: Object,
    amount: int | None = None,
    *,
    reason: str | None = None,
    metadata: Object | None = None,
) -> Object:
    """Give back a charge or a part of it. Raises where less is left."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise refuse(f"Charge {charge['id']} was not captured, so that there is nothing to refund.", param="charge")
    if left <= 0:
        raise refuse(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        raise refuse(message, param="amount")
    behaviour = find_behaviour(sim, charge)
    refund = template(
        "refund",
        id=sim.new_id("re"),
        amount=amount,
        charge=charge["id"],
        created=sim.clock.read(),
        currency=charge["currency"],
        customer=charge["customer"],
        destination_details={"card": {"type": "refund"}, "type": "card"},
        metadata=metadata or {},
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=reason,
        status="pending" if behaviour == "pends" else "succeeded",
    )
    sim.store.insert(refund)
    move_refunded(charge, amount)
    sim.emit("refund.created", refund)
    sim.emit("charge.refunded", charge)
    if behaviour != "succeeds":
        sim.schedule(sim.now() + SETTLES_AFTER, DUE, {"refund": refund["id"]})
    return refund


def find_behaviour(sim: Simulator, charge: Object) -> str:
    for kind in ("payment_method", "card"):
        if method := sim.store.peek(kind, charge["payment_method"] or ""):
            return find_card_of(method).refund
    return "succeeds"


def move_refunded(charge: Object, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]


@due(DUE)
def settle_refund(sim: Simulator, at: int, payload: Object) -> None:
    """What was pending arrives; what only seemed to succeed comes back."""
    refund = sim.store.get("refund", payload["refund"])
    charge = sim.store.get("charge", refund["charge"])
    if refund["status"] == "pending":
        refund["status"] = "succeeded"
        sim.emit("refund.updated", refund)
    elif refund["status"] == "succeeded":
        refund |= {"failure_reason": "unknown", "status": "failed"}
        move_refunded(charge, -refund["amount"])
        sim.emit("refund.failed", refund)
    sim.emit("charge.refund.updated", refund)
