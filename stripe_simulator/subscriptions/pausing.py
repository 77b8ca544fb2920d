"""Pause and resume: a paused subscription stands still, makes no invoice, and its usage meanwhile is not charged."""

from stripe_simulator.changes import updating
from stripe_simulator.clock import due
from stripe_simulator.cycles import find_cycle
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.items import make_item
from stripe_simulator.invoices.metering import describe_price
from stripe_simulator.meters.usage import aggregate
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.billing import (
    collect_now,
    find_share,
    open_invoice,
    put_licensed_line,
    take_pending,
)
from stripe_simulator.subscriptions.items import find_item_cycle, find_items, is_metered, show_items
from stripe_simulator.subscriptions.prorating import credit_unused
from stripe_simulator.subscriptions.rolling import plan_roll
from stripe_simulator.subscriptions.statuses import pause_subscription, resume_subscription
from stripe_simulator.tiers import rate_quantity, round_amount

RESUME_WINDOW = 23 * 3600


@route("POST", "/v1/subscriptions/{id}/pause")
def pause(request: Request) -> Object:
    """Pause now. Usage so far and unused time become pending invoice items, or an invoice, as asked."""
    sim, params, at = request.sim, request.params, request.at
    subscription = sim.store.get("subscription", request.id)
    if subscription["status"] not in ("active", "past_due", "trialing"):
        raise refuse(f"A subscription that is {subscription['status']} cannot be paused.")
    if subscription["schedule"]:
        raise refuse("Subscriptions with attached schedules cannot be paused.")
    bill_for = params.get("bill_for") or {}
    for item in find_items(sim, subscription):
        if read_kind(bill_for, "outstanding_usage_through") == "now":
            charge_usage(sim, subscription, item, at)
        credit_from(sim, subscription, item, read_kind(bill_for, "unused_time_from"), at)
    pause_subscription(sim, subscription, at=at, reason="pause_requested")
    plan_roll(sim, subscription)
    if params.get("invoicing_behavior") == "invoice":
        invoice = open_invoice(sim, subscription, at=at, reason="subscription_update")
        take_pending(sim, subscription, invoice)
        collect_now(sim, subscription, invoice, at=at)
    return subscription


def read_kind(bill_for: Object, name: str) -> str:
    return str((bill_for.get(name) or {}).get("type", "now"))


def charge_usage(sim: Simulator, subscription: Object, item: Object, at: int) -> None:
    """What was used of this period so far, as a pending item."""
    if not is_metered(item) or subscription["status"] == "trialing":
        return
    price = item["price"]
    start = item["current_period_start"]
    used = aggregate(sim, price["recurring"]["meter"], subscription["customer"], start, at)
    amount = round_amount(rate_quantity(price, used))
    if amount:
        charge = {
            "amount": amount,
            "description": f"{used:f} × {describe_price(sim, price)}",
            "period": {"start": start, "end": at},
            "subscription": subscription["id"],
        }
        make_item(sim, subscription["customer"], charge, at=at, currency=subscription["currency"])


def credit_from(sim: Simulator, subscription: Object, item: Object, kind: str, at: int) -> None:
    if kind != "none":
        credit_unused(sim, subscription, item, at if kind == "now" else item["current_period_start"])


@route("POST", "/v1/subscriptions/{id}/resume")
def resume(request: Request) -> Object:
    """Begin again: a new cycle from now, or the old cycle's rest. It is active once what that costs is paid."""
    sim, params, at = request.sim, request.params, request.at
    subscription = sim.store.get("subscription", request.id)
    if subscription["status"] != "paused":
        raise refuse("Only a paused subscription can be resumed.")
    if subscription["collection_method"] != "charge_automatically":
        raise refuse("Only a subscription that is charged automatically can be resumed.")
    keeps_anchor = params.get("billing_cycle_anchor", {}).get("type") == "unchanged"
    prorates = params.get("proration_behavior", "create_prorations") != "none"
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_update")
    invoice["_resumes"] = True
    with updating(sim, "customer.subscription.updated", subscription):
        if not keeps_anchor:
            subscription["billing_cycle_anchor"] = at
            subscription["billing_cycle_anchor_config"] = None
        for item in find_items(sim, subscription):
            _, end = find_cycle(find_item_cycle(subscription, item["price"]), at)
            item["current_period_start"], item["current_period_end"] = at, end
            share = find_share(subscription, item, (at, end))
            if not is_metered(item) and (prorates or share == 1):
                put_licensed_line(sim, subscription, invoice, item, (at, end), share=share)
        show_items(sim, subscription)
    made = collect_now(sim, subscription, invoice, at=at)
    if made is None or made["status"] == "paid":
        resume_subscription(sim, subscription)
    else:
        sim.schedule(at + RESUME_WINDOW, "give_up_resuming", {"invoice": made["id"]}, customer=subscription["customer"])
    plan_roll(sim, subscription)
    return subscription


@due("give_up_resuming")
def give_up(sim: Simulator, at: int, payload: Object) -> None:
    """An unpaid resumption is voided after 23 hours; the subscription stays paused."""
    from stripe_simulator.invoices.moves import void_invoice

    invoice = sim.store.get("invoice", payload["invoice"])
    if invoice["status"] == "open":
        void_invoice(sim, invoice, at=at)
