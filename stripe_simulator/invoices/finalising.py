"""A draft becomes an open invoice: usage is read a last time, it adds up, takes its number, and stays as it is."""

from stripe_simulator.addresses import make_address
from stripe_simulator.changes import updating
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.invoices.adding_up import refresh_invoice, set_due
from stripe_simulator.invoices.balance import change_balance
from stripe_simulator.invoices.due_dates import plan_due_date
from stripe_simulator.invoices.hooks import call
from stripe_simulator.invoices.line_store import find_lines
from stripe_simulator.invoices.metering import refresh_usage
from stripe_simulator.payments.currencies import find_minimum_charge
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

DAY = 86_400


def require_draft(invoice: Object) -> None:
    """Only a draft can be edited or finalised."""
    if invoice["status"] != "draft":
        raise refuse(
            f"Invoice {invoice['id']} is {invoice['status']}: only drafts can be changed or finalized.",
            param=None,
            code="invoice_not_editable",
        )


def finalise_invoice(sim: Simulator, invoice: Object, *, at: int) -> None:
    """Freeze a draft and open it. Raises, and leaves the draft with its error, where Stripe Tax finds no place.

    A deleted customer's draft stays one.
    """
    require_draft(invoice)
    sim.store.get("customer", invoice["customer"], param="customer", status=400)
    check_location(sim, invoice)
    refresh_usage(sim, invoice)
    refresh_invoice(sim, invoice)
    apply_credits(sim, invoice, at)
    refresh_invoice(sim, invoice)
    with updating(sim, "invoice.updated", invoice):
        invoice["number"] = invoice["number"] or take_number(sim, invoice)
        invoice["effective_at"] = invoice["effective_at"] or at
        invoice["last_finalization_error"] = None
        invoice["automatically_finalizes_at"] = None
        invoice["status"] = "open"
        invoice["status_transitions"]["finalized_at"] = at
        invoice["hosted_invoice_url"] = show_page(sim, invoice)
        invoice["invoice_pdf"] = f"{show_page(sim, invoice)}/pdf"
        settle_balance(sim, invoice, at)
    sim.emit("invoice.finalized", invoice)
    if invoice["amount_due"] > 0:
        call("prepare_payment", sim, invoice, at)
        plan_due_date(sim, invoice, at)


def apply_credits(sim: Simulator, invoice: Object, at: int) -> None:
    """Billing credits pay metered lines, net of discounts and before taxes."""
    lines = [line for line in find_lines(sim, invoice) if line["_metered_price"]]
    given = call("apply_credits", sim, invoice, lines, at) or {}
    for line in lines:
        line["_credits"] = given.get(line["id"], [])


def check_location(sim: Simulator, invoice: Object) -> None:
    """Automatic tax needs to know where the customer is."""
    if not invoice["automatic_tax"]["enabled"]:
        return
    customer = sim.store.get("customer", invoice["customer"])
    if (customer.get("address") or {}).get("country"):
        invoice["automatic_tax"]["status"] = "complete"
        return
    message = "The customer's location isn't recognized. Set a valid customer address to calculate tax automatically."
    code = "customer_tax_location_invalid"
    with updating(sim, "invoice.updated", invoice):
        invoice["automatic_tax"]["status"] = "requires_location_inputs"
        invoice["last_finalization_error"] = {"code": code, "message": message, "type": "invalid_request_error"}
    sim.emit("invoice.finalization_failed", invoice)
    raise StripeError(400, "invalid_request_error", code, message, keeps=True)


def settle_balance(sim: Simulator, invoice: Object, at: int) -> None:
    """What the customer's balance gives or asks; what is too little to charge waits on the balance.

    The total and the starting balance make the amount due; what is below zero becomes credit, and an amount below the
    currency's least charge becomes a debt that the next invoice asks for.
    """
    start, whole = invoice["starting_balance"], invoice["total"] + invoice["starting_balance"]
    is_too_small = 0 < whole < find_minimum_charge(invoice["currency"])
    end = whole if is_too_small else min(0, whole)
    invoice["ending_balance"] = end
    set_due(invoice, 0 if is_too_small else max(0, whole))
    if end != start:
        kind = "invoice_too_small" if is_too_small else "applied_to_invoice"
        change_balance(
            sim, invoice["customer"], end - start, at=at, kind=kind, invoice=invoice["id"], currency=invoice["currency"]
        )


def show_page(sim: Simulator, invoice: Object) -> str:
    """Where the customer sees and pays the invoice."""
    return make_address(sim, f"/i/{invoice['id']}")


def take_number(sim: Simulator, invoice: Object) -> str:
    """The customer's prefix and their next number."""
    customer = sim.store.get("customer", invoice["customer"])
    sequence = customer.get("next_invoice_sequence") or 1
    customer["next_invoice_sequence"] = sequence + 1
    return f"{customer.get('invoice_prefix') or 'SIM'}-{sequence:04d}"
