"""Changes of a running subscription: its items, anchor, trial, end, and the fields that change nothing else."""

from stripe_simulator.catalogue.discounts import make_discounts
from stripe_simulator.catalogue.tax_rates import find_rates
from stripe_simulator.changes import updating
from stripe_simulator.clock import due
from stripe_simulator.cycles import find_cycle
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.metering import put_metered_lines
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.billing import (
    collect_now,
    open_invoice,
    put_licensed_line,
    take_pending,
)
from stripe_simulator.subscriptions.creating import check_collection, read_thresholds, show_payment_settings
from stripe_simulator.subscriptions.item_changes import change_items
from stripe_simulator.subscriptions.items import find_item_cycle, find_items, is_metered, show_items
from stripe_simulator.subscriptions.prorating import credit_unused
from stripe_simulator.subscriptions.rolling import ends_without_method, plan_roll
from stripe_simulator.subscriptions.timing import read_cancel_at
from stripe_simulator.unsupported import refuse_unsupported

PLAIN = ("collection_method", "days_until_due", "default_payment_method", "default_source", "description", "metadata")
UNSUPPORTED = (
    "application_fee_percent", "billing_schedules", "invoice_settings", "on_behalf_of", "pending_invoice_item_interval",
    "transfer_data", "trial_from_plan",
)  # fmt: skip
ENDED = ("metadata", "cancellation_details", "expand")
INCOMPLETE = (*ENDED, "default_source", "default_payment_method", "items")


def require_changeable(subscription: Object, params: Object) -> None:
    """An ended subscription keeps all but its metadata; one that was never paid waits for its payment."""
    if subscription["ended_at"] is not None and not set(params) <= set(ENDED):
        raise refuse("A canceled subscription can only update its cancellation_details and metadata.")
    if subscription["status"] == "incomplete" and not set(params) <= set(INCOMPLETE):
        raise refuse("An incomplete subscription can only update its metadata and payment method.")


def change_subscription(sim: Simulator, subscription: Object, params: Object, *, at: int) -> None:
    """Carry out an update. Emits one `customer.subscription.updated`, and invoices at once what asks for it."""
    refuse_unsupported(params, *UNSUPPORTED)
    require_changeable(subscription, params)
    if ends_trial_without_method(sim, subscription, params, at):
        return
    behavior = params.get("proration_behavior", "create_prorations")
    moment = params.get("proration_date", at)
    with updating(sim, "customer.subscription.updated", subscription):
        change_fields(sim, subscription, params, at)
        resets = change_items(sim, subscription, params.get("items") or [], behavior=behavior, at=at, moment=moment)
        resets = change_trial(subscription, params, at) or resets
        resets = params.get("billing_cycle_anchor", {}).get("type") == "now" or resets
        change_end(sim, subscription, params, at)
        invoice = reset_anchor(sim, subscription, behavior, at) if resets else None
        show_items(sim, subscription)
    add_invoice_items_now(sim, subscription, params, at)
    if invoice is not None:
        take_pending(sim, subscription, invoice)
        collect_now(sim, subscription, invoice, at=at)
    elif behavior == "always_invoice":
        invoice_changes(sim, subscription, at)
    if subscription["ended_at"] is None:
        plan_roll(sim, subscription)


def ends_trial_without_method(sim: Simulator, subscription: Object, params: Object, at: int) -> bool:
    """A trial ended by hand, before anybody gave a card, ends as its end behaviour says; nothing else is changed."""
    if params.get("trial_end") != "now" or subscription["status"] != "trialing":
        return False
    subscription["trial_end"] = at
    return ends_without_method(sim, subscription, at)


def change_fields(sim: Simulator, subscription: Object, params: Object, at: int) -> None:
    update(subscription, params, *PLAIN)
    if {"collection_method", "days_until_due"} & set(params):
        if subscription["collection_method"] == "charge_automatically" and "days_until_due" not in params:
            subscription["days_until_due"] = None
        check_collection(subscription["collection_method"], subscription)
    if "default_tax_rates" in params:
        subscription["default_tax_rates"] = find_rates(sim, params["default_tax_rates"], "default_tax_rates")
    if "discounts" in params:
        subscription["discounts"] = make_discounts(
            sim, params["discounts"], at=at, customer=subscription["customer"], subscription=subscription["id"]
        )
    if "automatic_tax" in params:
        enabled = params["automatic_tax"]["enabled"]
        subscription["automatic_tax"] |= {"enabled": enabled, "liability": {"type": "self"} if enabled else None}
    if "billing_thresholds" in params:
        subscription["billing_thresholds"] = read_thresholds(params["billing_thresholds"])
    if "payment_settings" in params:
        subscription["payment_settings"] = show_payment_settings(params["payment_settings"])
    if "pause_collection" in params:
        given = params["pause_collection"]
        subscription["pause_collection"] = {"resumes_at": None} | given if given else None
        plan_collection(sim, subscription)
    if "trial_settings" in params:
        subscription["trial_settings"]["end_behavior"] |= params["trial_settings"]["end_behavior"]
    if "cancellation_details" in params:
        update(
            subscription["cancellation_details"],
            params["cancellation_details"],
            "comment",
            "feedback",
            "feedback_option",
        )


def plan_collection(sim: Simulator, subscription: Object) -> None:
    """Collection that is paused until a moment goes on from then by itself."""
    sim.unschedule("resume_collection", subscription=subscription["id"])
    resumes_at = (subscription["pause_collection"] or {}).get("resumes_at")
    if resumes_at is not None:
        payload = {"subscription": subscription["id"]}
        sim.schedule(resumes_at, "resume_collection", payload, customer=subscription["customer"])


@due("resume_collection")
def resume_collection(sim: Simulator, at: int, payload: Object) -> None:
    subscription = sim.store.get("subscription", payload["subscription"])
    with updating(sim, "customer.subscription.updated", subscription):
        subscription["pause_collection"] = None


def change_trial(subscription: Object, params: Object, at: int) -> bool:
    """A new end of the trial is the new anchor. Whether the trial ends right now."""
    if "trial_end" not in params:
        return False
    if params["trial_end"] == "now":
        was_trial = subscription["status"] == "trialing"
        subscription["status"] = "active" if was_trial else subscription["status"]
        subscription["trial_end"] = at if was_trial else subscription["trial_end"]
        return bool(was_trial)
    if params["trial_end"] <= at:
        raise refuse("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    subscription |= {
        "billing_cycle_anchor": params["trial_end"],
        "status": "trialing",
        "trial_end": params["trial_end"],
        "trial_start": subscription["trial_start"] or at,
        "_trial_moved": True,
    }
    return False


def change_end(sim: Simulator, subscription: Object, params: Object, at: int) -> None:
    """When the subscription is to end: at the period's end, at a moment, or not."""
    if subscription.pop("_trial_moved", False):
        for item in find_items(sim, subscription):
            item["current_period_end"] = subscription["trial_end"]
    if "cancel_at" not in params and "cancel_at_period_end" not in params:
        return
    subscription["cancel_at_period_end"] = params.get("cancel_at_period_end", False)
    subscription["cancel_at"] = read_cancel_at(sim, subscription, params, at)
    is_planned = subscription["cancel_at"] is not None
    subscription["canceled_at"] = at if is_planned else None
    subscription["cancellation_details"]["reason"] = "cancellation_requested" if is_planned else None


def reset_anchor(sim: Simulator, subscription: Object, behavior: str, at: int) -> Object:
    """The periods begin anew now: usage so far and the new period's licences are invoiced at once."""
    subscription["billing_cycle_anchor"] = at
    subscription["billing_cycle_anchor_config"] = None
    items = find_items(sim, subscription)
    was_trial = subscription["trial_end"] == at
    start = min(item["current_period_start"] for item in items)
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_update", start=start)
    for item in items:
        if item.pop("_is_charged", True) and behavior != "none" and not was_trial:
            credit_unused(sim, subscription, item, at)
        if is_metered(item) and not was_trial and item["current_period_start"] < at:
            put_metered_lines(sim, invoice, item, item["current_period_start"], at)
        _, end = find_cycle(find_item_cycle(subscription, item["price"]), at)
        item["current_period_start"], item["current_period_end"] = at, end
        if not is_metered(item):
            put_licensed_line(sim, subscription, invoice, item, (at, end))
    return invoice


def add_invoice_items_now(sim: Simulator, subscription: Object, params: Object, at: int) -> None:
    from stripe_simulator.invoices.items import make_item

    for given in params.get("add_invoice_items") or []:
        charge = {**given, "subscription": subscription["id"]}
        if "price" in given:
            charge["pricing"] = {"price": charge.pop("price")}
        make_item(sim, subscription["customer"], charge, at=at, currency=subscription["currency"])


def invoice_changes(sim: Simulator, subscription: Object, at: int) -> None:
    """Invoice pending prorations now, if there are any."""
    start = min(item["current_period_start"] for item in find_items(sim, subscription))
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_update", start=start)
    take_pending(sim, subscription, invoice)
    collect_now(sim, subscription, invoice, at=at)
