"""Invoices that are sent have a due date: it is told ahead (`settings.will_be_due_days`, 3), and when it has passed."""

from stripe_simulator.clock import due
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.statuses import note_failed_invoice

DAY = 86_400


def plan_due_date(sim: Simulator, invoice: Object, at: int) -> None:
    if invoice["due_date"] is None or invoice["collection_method"] != "send_invoice":
        return
    payload = {"invoice": invoice["id"]}
    ahead = invoice["due_date"] - sim.settings.get("will_be_due_days", 3) * DAY
    if ahead > at:
        sim.schedule(ahead, "tell_due_date", payload, customer=invoice["customer"])
    sim.schedule(max(at, invoice["due_date"]), "note_overdue", payload, customer=invoice["customer"])


@due("tell_due_date")
def tell_due_date(sim: Simulator, at: int, payload: Object) -> None:
    invoice = sim.store.get("invoice", payload["invoice"])
    if invoice["status"] == "open":
        sim.emit("invoice.will_be_due", invoice)


@due("note_overdue")
def note_overdue(sim: Simulator, at: int, payload: Object) -> None:
    """An invoice that is still open makes its subscription past due."""
    invoice = sim.store.get("invoice", payload["invoice"])
    if invoice["status"] == "open":
        sim.emit("invoice.overdue", invoice)
        note_failed_invoice(sim, invoice, at=at)
