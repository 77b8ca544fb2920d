"""The end of a period: usage is invoiced in arrears, the next period's licences in advance, and the next period begins.

A subscription that is to end then is invoiced for its usage a last time. One that is paused stands still.
"""

from stripe_simulator.changes import updating
from stripe_simulator.clock import due
from stripe_simulator.cycles import find_cycle
from stripe_simulator.invoices.line_store import find_lines
from stripe_simulator.invoices.metering import put_metered_lines
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.billing import open_invoice, put_licensed_line, start_invoice, take_pending
from stripe_simulator.subscriptions.items import find_item_cycle, find_items, is_metered, show_items
from stripe_simulator.subscriptions.notices import plan_notices
from stripe_simulator.subscriptions.statuses import end_subscription, pause_subscription

RUNNING = ("active", "past_due", "trialing", "unpaid")


def plan_roll(sim: Simulator, subscription: Object) -> None:
    """Come back at the next end of a period, or when the subscription is to end."""
    sim.unschedule("roll_subscription", subscription=subscription["id"])
    is_paused = subscription["status"] == "paused"
    moments = [] if is_paused else [item["current_period_end"] for item in find_items(sim, subscription)]
    if subscription["cancel_at"] is not None:
        moments.append(subscription["cancel_at"])
    if not moments:
        return
    payload = {"subscription": subscription["id"]}
    sim.schedule(min(moments), "roll_subscription", payload, customer=subscription["customer"])
    plan_notices(sim, subscription, min(moments))


@due("roll_subscription")
def roll_due(sim: Simulator, at: int, payload: Object) -> None:
    subscription = sim.store.get("subscription", payload["subscription"])
    if subscription["status"] not in (*RUNNING, "paused"):
        return
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= at:
        end_as_planned(sim, subscription, at=subscription["cancel_at"])
        return
    if subscription["status"] == "paused":
        return
    turn = min(item["current_period_end"] for item in find_items(sim, subscription))
    if turn <= at:
        roll_subscription(sim, subscription, at=turn)


def roll_subscription(sim: Simulator, subscription: Object, *, at: int) -> None:
    """Invoice what ended at `at`, and begin the next period of those items."""
    was_trial = subscription["status"] == "trialing"
    if was_trial and ends_without_method(sim, subscription, at):
        return
    ended = [item for item in find_items(sim, subscription) if item["current_period_end"] <= at]
    start = min(item["current_period_start"] for item in ended)
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_cycle", start=start)
    with updating(sim, "customer.subscription.updated", subscription):
        if was_trial:
            subscription["status"] = "active"
        for item in ended:
            roll_item(sim, subscription, invoice, item, at, is_free=was_trial)
        show_items(sim, subscription)
        take_pending(sim, subscription, invoice)
        if find_lines(sim, invoice):
            subscription["latest_invoice"] = invoice["id"]
    start_invoice(sim, subscription, invoice, at=at, at_once=False)
    plan_roll(sim, subscription)


def roll_item(sim: Simulator, subscription: Object, invoice: Object, item: Object, at: int, *, is_free: bool) -> None:
    """What was used in a trial is free; licences are charged for the period that begins."""
    if is_metered(item) and not is_free:
        put_metered_lines(sim, invoice, item, item["current_period_start"], item["current_period_end"])
    _, end = find_cycle(find_item_cycle(subscription, item["price"]), at)
    item["current_period_start"], item["current_period_end"] = at, end
    if not is_metered(item):
        put_licensed_line(sim, subscription, invoice, item, (at, end))


def ends_without_method(sim: Simulator, subscription: Object, at: int) -> bool:
    """Whether a trial ends here because nobody gave a card: canceled or paused, as the subscription says."""
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    customer = sim.store.get("customer", subscription["customer"])
    has_method = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if behavior == "create_invoice" or has_method or customer["default_source"]:
        return False
    if behavior == "cancel":
        end_subscription(sim, subscription, at=at, reason="payment_failed")
        return True
    pause_subscription(sim, subscription, at=at, reason="trial_end_without_payment_method")
    return True


def end_as_planned(sim: Simulator, subscription: Object, *, at: int) -> None:
    """The planned end: usage up to it is invoiced (unless it was a trial), with what waits; then it is over."""
    start = min(item["current_period_start"] for item in find_items(sim, subscription))
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_cycle", start=start)
    for item in find_items(sim, subscription):
        if is_metered(item) and subscription["status"] not in ("trialing", "paused"):
            put_metered_lines(sim, invoice, item, item["current_period_start"], min(at, item["current_period_end"]))
    take_pending(sim, subscription, invoice)
    start_invoice(sim, subscription, invoice, at=at, at_once=False)
    end_subscription(sim, subscription, at=at, reason="cancellation_requested")
