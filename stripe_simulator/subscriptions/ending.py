"""DELETE /v1/subscriptions/{id}: a subscription ends now.

Usage that is on no invoice yet is charged only with `invoice_now`; unused time is given back only with `prorate`. With
neither, pending prorations go away with the subscription.
"""

from stripe_simulator.errors import refuse
from stripe_simulator.invoices.items import find_owner
from stripe_simulator.invoices.metering import put_metered_lines
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.billing import collect_now, open_invoice, take_pending
from stripe_simulator.subscriptions.items import find_items, is_metered
from stripe_simulator.subscriptions.prorating import credit_unused
from stripe_simulator.subscriptions.statuses import end_subscription


@route("DELETE", "/v1/subscriptions/{id}")
def cancel(request: Request) -> Object:
    sim, params = request.sim, request.params
    subscription = sim.store.get("subscription", request.id)
    if subscription["ended_at"] is not None:
        raise refuse(f"No such subscription: '{subscription['id']}'", param="id", code="resource_missing")
    update(
        subscription["cancellation_details"],
        params.get("cancellation_details") or {},
        "comment",
        "feedback",
        "feedback_option",
    )
    cancel_now(
        sim,
        subscription,
        at=request.at,
        invoices=params.get("invoice_now", False),
        prorates=params.get("prorate", False),
    )
    return subscription


def cancel_now(sim: Simulator, subscription: Object, *, at: int, invoices: bool, prorates: bool) -> None:
    if prorates:
        for item in find_items(sim, subscription):
            credit_unused(sim, subscription, item, at)
    if invoices:
        invoice_the_rest(sim, subscription, at)
    elif not prorates:
        drop_prorations(sim, subscription)
    sim.unschedule("roll_subscription", subscription=subscription["id"])
    end_subscription(sim, subscription, at=at, reason="cancellation_requested")


def invoice_the_rest(sim: Simulator, subscription: Object, at: int) -> None:
    """A last invoice: usage up to now, and what waits for the subscription."""
    items = find_items(sim, subscription)
    start = min(item["current_period_start"] for item in items)
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_update", start=start)
    for item in items:
        if is_metered(item) and subscription["status"] not in ("trialing", "paused"):
            put_metered_lines(sim, invoice, item, item["current_period_start"], at)
    take_pending(sim, subscription, invoice)
    collect_now(sim, subscription, invoice, at=at)


def drop_prorations(sim: Simulator, subscription: Object) -> None:
    for item in sim.store.find("invoiceitem", customer=subscription["customer"], invoice=None, proration=True):
        if find_owner(item) == subscription["id"]:
            sim.emit("invoiceitem.deleted", item)
            sim.store.delete(item)
