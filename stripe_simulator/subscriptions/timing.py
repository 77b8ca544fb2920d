"""When a subscription is to end, as requests say it."""

from stripe_simulator.errors import refuse
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator


def find_period_ends(sim: Simulator, subscription: Object) -> list[int]:
    return [item["current_period_end"] for item in sim.store.scan("subscription_item", subscription=subscription["id"])]


def read_cancel_at(sim: Simulator, subscription: Object, params: Object, at: int) -> int | None:
    """The time at which to cancel: a moment to come, an end of the items' periods, or none."""
    given = params.get("cancel_at")
    if params.get("cancel_at_period_end") and given:
        raise refuse(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.", param="cancel_at"
        )
    ends = find_period_ends(sim, subscription)
    if params.get("cancel_at_period_end") or given in ("min_period_end", "max_period_end", "max_billed_until"):
        return min(ends) if given == "min_period_end" else max(ends)
    if not given:
        return None
    if given <= at:
        raise refuse("`cancel_at` must be in the future.", param="cancel_at")
    return int(given)
