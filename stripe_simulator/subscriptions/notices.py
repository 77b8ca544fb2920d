"""What is told ahead: an invoice to come, a trial about to end."""

from stripe_simulator.clock import due
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

DAY = 86_400
TRIAL_NOTICE = 3 * DAY
UPCOMING_NOTICE = 7 * DAY


def plan_notices(sim: Simulator, subscription: Object, turn: int) -> None:
    """Tell of a trial's end three days ahead, and of a renewal `settings.upcoming_days` ahead (7).

    A notice whose time is past already is given at once for a trial, and not at all for a renewal.
    """
    now = sim.now(subscription["customer"])
    payload = {"subscription": subscription["id"], "turn": turn}
    if subscription["status"] == "trialing" and subscription["trial_end"] == turn:
        sim.schedule(max(now, turn - TRIAL_NOTICE), "tell_trial_end", payload, customer=subscription["customer"])
    ahead = turn - sim.settings.get("upcoming_days", 7) * DAY
    if ahead > now and subscription["cancel_at"] is None:
        sim.schedule(ahead, "tell_upcoming", payload, customer=subscription["customer"])


@due("tell_trial_end")
def tell_trial_end(sim: Simulator, at: int, payload: Object) -> None:
    subscription = sim.store.get("subscription", payload["subscription"])
    if subscription["status"] == "trialing" and subscription["trial_end"] == payload["turn"]:
        sim.emit("customer.subscription.trial_will_end", subscription)


@due("tell_upcoming")
def tell_upcoming(sim: Simulator, at: int, payload: Object) -> None:
    from stripe_simulator.invoices.previews import preview_renewal

    subscription = sim.store.get("subscription", payload["subscription"])
    if subscription["status"] in ("active", "past_due", "trialing") and subscription["cancel_at"] is None:
        sim.emit("invoice.upcoming", preview_renewal(sim, subscription, at))
