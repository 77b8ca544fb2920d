"""What happens to an invoice by itself while `auto_advance` is true: finalisation, collection, sending.

A draft is finalised an hour after it was made (`settings.grace`, up to 72 hours), but not before the webhooks of its
`invoice.created` are delivered, and at the latest 72 hours after it was made. Source: Stripe's page on subscription
invoices.
"""

from stripe_simulator.clock import due
from stripe_simulator.errors import StripeError
from stripe_simulator.invoices.adding_up import refresh_invoice
from stripe_simulator.invoices.finalising import finalise_invoice
from stripe_simulator.invoices.hooks import call
from stripe_simulator.invoices.metering import refresh_usage
from stripe_simulator.invoices.settling import record_payment
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

HOUR = 3600
LONGEST_WAIT = 72 * HOUR


def announce_draft(sim: Simulator, invoice: Object, *, at: int, finalizes_at: int | None = None) -> None:
    """A new draft is complete: add it up, tell of it, and set the time of its finalisation if it advances by itself."""
    refresh_usage(sim, invoice)
    refresh_invoice(sim, invoice)
    if invoice["auto_advance"]:
        plan_finalisation(sim, invoice, at if finalizes_at is None else finalizes_at)
    invoice["_created_event"] = sim.emit("invoice.created", invoice)["id"]
    note_delivery(sim, invoice, at)


def note_delivery(sim: Simulator, invoice: Object, at: int) -> bool:
    """Whether the webhooks of `invoice.created` have arrived; the first time this is seen is written down."""
    if invoice["webhooks_delivered_at"] is None and sim.was_delivered(invoice["_created_event"]):
        invoice["webhooks_delivered_at"] = at
    return invoice["webhooks_delivered_at"] is not None


def plan_finalisation(sim: Simulator, invoice: Object, finalizes_at: int) -> None:
    invoice["automatically_finalizes_at"] = finalizes_at
    sim.schedule(finalizes_at, "finalize_invoice", {"invoice": invoice["id"]}, customer=invoice["customer"])


@due("finalize_invoice")
def finalise_due(sim: Simulator, at: int, payload: Object) -> None:
    """Finalise a draft whose time has come, unless it is held, was moved, or still waits for its webhooks."""
    if sim.store.peek("invoice", payload["invoice"]) is None:
        return
    invoice = sim.store.get("invoice", payload["invoice"])
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    if invoice["automatically_finalizes_at"] is None or invoice["automatically_finalizes_at"] > at:
        return
    if not note_delivery(sim, invoice, at) and at < (latest := invoice["created"] + LONGEST_WAIT):
        customer = invoice["customer"]
        sim.after_delivery(invoice["_created_event"], "finalize_invoice", payload, customer=customer)
        sim.schedule(latest, "finalize_invoice", payload, customer=customer)
        return
    try:
        finalise_invoice(sim, invoice, at=at)
    except StripeError:
        return  # the draft keeps its last_finalization_error
    advance_invoice(sim, invoice, at=at)


def advance_invoice(sim: Simulator, invoice: Object, *, at: int) -> None:
    """After finalisation: nothing to pay is paid at once; else, where it advances by itself, it is charged or sent."""
    if invoice["amount_due"] == 0:
        record_payment(sim, invoice, 0, at=at)
    elif invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically":
        call("collect_invoice", sim, invoice, at)
    elif invoice["auto_advance"]:
        send_invoice(sim, invoice)


def send_invoice(sim: Simulator, invoice: Object) -> None:
    sim.emit("invoice.sent", invoice)


@due("collect_invoice")
def collect_due(sim: Simulator, at: int, payload: Object) -> None:
    """Charge an open invoice whose turn has come; a later attempt than the one planned is not this one's."""
    invoice = sim.store.get("invoice", payload["invoice"])
    if invoice["status"] != "open" or not invoice["auto_advance"]:
        return
    planned = invoice["next_payment_attempt"]
    if planned is None or planned <= at:
        call("collect_invoice", sim, invoice, at)
