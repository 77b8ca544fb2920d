"""What payments do to invoices: paid, failed, in need of the customer. Payments call this; this calls no payment."""

from stripe_simulator.changes import updating
from stripe_simulator.invoices.adding_up import set_due
from stripe_simulator.invoices.hooks import call
from stripe_simulator.invoices.retries import find_next_attempt, give_up
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.statuses import note_failed_invoice, note_paid_invoice


def record_payment(sim: Simulator, invoice: Object, amount: int, *, at: int, is_off_stripe: bool = False) -> None:
    """Money arrived. It pays the invoice once nothing remains; what is too much goes to the customer's balance."""
    with updating(sim, "invoice.updated", invoice):
        invoice["amount_paid"] += amount
        invoice["attempted"] = True
        if is_off_stripe:
            invoice["amount_paid_off_stripe"] = invoice.get("amount_paid_off_stripe", 0) + amount
        set_due(invoice, invoice["amount_due"])
        if invoice["amount_paid"] >= invoice["amount_due"]:
            invoice["status"] = "paid"
            invoice["status_transitions"]["paid_at"] = at
            invoice["next_payment_attempt"] = None
    if invoice["status"] == "paid":
        call("close_payment", sim, invoice, at)
        sim.emit("invoice.paid", invoice)
        if not is_off_stripe:  # no attempt of Stripe's succeeded
            sim.emit("invoice.payment_succeeded", invoice)
        note_paid_invoice(sim, invoice, at=at)


def record_failure(
    sim: Simulator, invoice: Object, *, at: int, needs_action: bool = False, is_automatic: bool = True
) -> None:
    """A payment attempt failed. The first attempt and automatic retries count; the last one gives up."""
    with updating(sim, "invoice.updated", invoice):
        is_counted = is_automatic or not invoice["attempted"]
        invoice["attempted"] = True
        if is_counted:
            invoice["attempt_count"] += 1
            invoice["next_payment_attempt"] = find_next_attempt(invoice, at) if invoice["auto_advance"] else None
    sim.emit("invoice.payment_failed", invoice)
    if needs_action:
        sim.emit("invoice.payment_action_required", invoice)
    note_failed_invoice(sim, invoice, at=at)
    if not is_counted or not invoice["auto_advance"]:
        return
    if invoice["next_payment_attempt"] is None:
        give_up(sim, invoice, at)
    else:
        sim.schedule(
            invoice["next_payment_attempt"], "collect_invoice", {"invoice": invoice["id"]}, customer=invoice["customer"]
        )
