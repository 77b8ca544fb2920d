"""How payments move a subscription's status. Invoices call this; this calls no invoice's code.

incomplete → active once its first invoice is paid, incomplete_expired after 23 hours without; active → past_due when
an invoice fails; past_due → active when it is paid; after the last retry canceled, unpaid or past_due, by the setting.
"""

from stripe_simulator.changes import updating
from stripe_simulator.clock import due
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

HOUR = 3600
FIRST_PAYMENT_WINDOW = 23 * HOUR


def find_subscription(sim: Simulator, invoice: Object) -> Object | None:
    """The subscription of an invoice, if it has one and it has not ended."""
    details = (invoice["parent"] or {}).get("subscription_details")
    if not details:
        return None
    subscription = sim.store.get("subscription", details["subscription"])
    return None if subscription["ended_at"] else subscription


def change_status(sim: Simulator, subscription: Object, status: str) -> None:
    if subscription["status"] != status:
        with updating(sim, "customer.subscription.updated", subscription):
            subscription["status"] = status


def note_paid_invoice(sim: Simulator, invoice: Object, *, at: int) -> None:
    """The money came (or was forgiven): the subscription is good again, if this was its latest invoice."""
    subscription = find_subscription(sim, invoice)
    if subscription is None:
        return
    if (
        subscription["status"] in ("incomplete", "past_due", "unpaid")
        and subscription["latest_invoice"] == invoice["id"]
    ):
        change_status(sim, subscription, "active")
    elif subscription["status"] == "paused" and invoice.get("_resumes"):
        resume_subscription(sim, subscription)


def note_failed_invoice(sim: Simulator, invoice: Object, *, at: int) -> None:
    subscription = find_subscription(sim, invoice)
    if subscription and subscription["status"] == "active":
        change_status(sim, subscription, "past_due")


def note_voided_invoice(sim: Simulator, invoice: Object, *, at: int) -> None:
    """Voiding the latest invoice takes the reason to be past due away."""
    subscription = find_subscription(sim, invoice)
    is_latest = subscription and subscription["latest_invoice"] == invoice["id"]
    if subscription and is_latest and subscription["status"] in ("past_due", "unpaid"):
        change_status(sim, subscription, "active")
    elif subscription and is_latest and subscription["status"] == "incomplete":
        expire(sim, subscription, at)


def end_for_want_of_payment(sim: Simulator, invoice: Object, *, at: int) -> None:
    subscription = find_subscription(sim, invoice)
    if subscription is None or subscription["status"] != "past_due":
        return
    if sim.settings.get("after_retries", "cancel") == "unpaid":
        change_status(sim, subscription, "unpaid")
    elif sim.settings.get("after_retries", "cancel") == "cancel":
        end_subscription(sim, subscription, at=at, reason="payment_failed")


def end_subscription(sim: Simulator, subscription: Object, *, at: int, reason: str, status: str = "canceled") -> None:
    """The subscription ends now. Its open invoices are not collected by themselves any more."""
    subscription["status"] = status
    subscription["ended_at"] = at
    subscription["canceled_at"] = subscription["canceled_at"] or at
    subscription["cancellation_details"]["reason"] = subscription["cancellation_details"]["reason"] or reason
    for invoice in sim.store.find("invoice", customer=subscription["customer"], status="open", auto_advance=True):
        if (invoice["parent"] or {}).get("subscription_details", {}).get("subscription") == subscription["id"]:
            with updating(sim, "invoice.updated", invoice):
                invoice["auto_advance"] = False
                invoice["next_payment_attempt"] = None
    sim.emit("customer.subscription.deleted", subscription)
    end_schedule(sim, subscription, at=at, reason=reason)


def end_schedule(sim: Simulator, subscription: Object, *, at: int, reason: str) -> None:
    """A schedule ends with its subscription: aborted where nobody paid, canceled where somebody wanted it."""
    schedule = sim.store.peek("subscription_schedule", subscription["schedule"] or "")
    if schedule is None or schedule["status"] not in ("active", "not_started"):
        return
    held = sim.store.get("subscription_schedule", schedule["id"])
    held |= {"status": "canceled", "canceled_at": at, "current_phase": None}
    word = "aborted" if reason == "payment_failed" else "canceled"
    sim.emit(f"subscription_schedule.{word}", held)


def pause_subscription(sim: Simulator, subscription: Object, *, at: int, reason: str) -> None:
    """The subscription stands still from now on."""
    with updating(sim, "customer.subscription.updated", subscription):
        subscription["status"] = "paused"
        subscription["status_details"] = {
            "paused": {"subscription": {"type": reason}, "transitioned_at": at, "type": "subscription"}
        }
    sim.emit("customer.subscription.paused", subscription)


def resume_subscription(sim: Simulator, subscription: Object) -> None:
    """The subscription goes on. Calling it twice tells it once."""
    if subscription["status"] == "paused":
        with updating(sim, "customer.subscription.updated", subscription):
            subscription["status"] = "active"
            subscription.pop("status_details", None)
        sim.emit("customer.subscription.resumed", subscription)


def plan_expiry(sim: Simulator, subscription: Object, at: int) -> None:
    sim.schedule(
        at + FIRST_PAYMENT_WINDOW,
        "expire_subscription",
        {"subscription": subscription["id"]},
        customer=subscription["customer"],
    )


@due("expire_subscription")
def expire_due(sim: Simulator, at: int, payload: Object) -> None:
    """A first invoice unpaid for 23 hours is voided, and its subscription is over."""
    subscription = sim.store.get("subscription", payload["subscription"])
    if subscription["status"] != "incomplete":
        return
    from stripe_simulator.invoices.moves import void_invoice

    expire(sim, subscription, at)
    invoice = sim.store.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        void_invoice(sim, invoice, at=at)


def expire(sim: Simulator, subscription: Object, at: int) -> None:
    with updating(sim, "customer.subscription.updated", subscription):
        subscription["status"] = "incomplete_expired"
        subscription["ended_at"] = at
