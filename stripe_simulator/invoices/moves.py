"""What a caller does to an invoice as a whole: finalise, pay, send, void, give up."""

import copy

from stripe_simulator.changes import updating
from stripe_simulator.errors import refuse
from stripe_simulator.expanding import expand, strip
from stripe_simulator.invoices.advancing import advance_invoice, send_invoice
from stripe_simulator.invoices.balance import change_balance
from stripe_simulator.invoices.finalising import finalise_invoice
from stripe_simulator.invoices.hooks import call
from stripe_simulator.invoices.settling import record_payment
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.statuses import note_paid_invoice, note_voided_invoice


def require_status(invoice: Object, *allowed: str) -> None:
    if invoice["status"] not in allowed:
        code = "invoice_already_paid" if invoice["status"] == "paid" else "invoice_not_editable"
        raise refuse(
            f"Invoice {invoice['id']} is {invoice['status']}; this needs one that is {' or '.join(allowed)}.", code=code
        )


@route("POST", "/v1/invoices/{id}/finalize")
def finalize(request: Request) -> Object:
    """Open a draft. Without `auto_advance` the draft's own setting stays.

    Where it advances it is charged after the answer, which shows it open; nothing to pay is paid within the answer.
    """
    sim, params, at = request.sim, request.params, request.at
    invoice = sim.store.get("invoice", request.id)
    require_status(invoice, "draft")
    if "auto_advance" in params:
        invoice["auto_advance"] = params["auto_advance"]
    finalise_invoice(sim, invoice, at=at)
    opened = expand(sim, strip(copy.deepcopy(invoice)), params.get("expand", []))  # payments too are as they were
    advance_invoice(sim, invoice, at=at)
    return opened if invoice["amount_due"] else invoice


@route("POST", "/v1/invoices/{id}/pay")
def pay(request: Request) -> Object:
    """Pay an invoice now; a draft is finalised first. Raises the card's error, 402, if it is declined."""
    sim, params, at = request.sim, request.params, request.at
    invoice = sim.store.get("invoice", request.id)
    require_status(invoice, "draft", "open", "uncollectible")
    if invoice["status"] == "draft":
        finalise_invoice(sim, invoice, at=at)
    if params.get("paid_out_of_band") or invoice["amount_due"] == 0:
        record_payment(sim, invoice, invoice["amount_remaining"], at=at, is_off_stripe=invoice["amount_due"] > 0)
    else:
        call("pay_invoice", sim, invoice, params, at)
    return invoice


@route("POST", "/v1/invoices/{id}/send")
def send(request: Request) -> Object:
    """Send an invoice by hand; a draft is finalised first. No e-mail leaves a simulator."""
    sim = request.sim
    invoice = sim.store.get("invoice", request.id)
    require_status(invoice, "draft", "open", "paid", "uncollectible")
    if invoice["collection_method"] != "send_invoice":
        raise refuse("You can only manually send an invoice if its collection method is 'send_invoice'.")
    if invoice["status"] == "draft":
        finalise_invoice(sim, invoice, at=request.at)
        if invoice["amount_due"] == 0:
            record_payment(sim, invoice, 0, at=request.at)
    send_invoice(sim, invoice)
    return invoice


@route("POST", "/v1/invoices/{id}/void")
def void(request: Request) -> Object:
    invoice = request.sim.store.get("invoice", request.id)
    require_status(invoice, "open", "uncollectible")
    void_invoice(request.sim, invoice, at=request.at)
    return invoice


def void_invoice(sim: Simulator, invoice: Object, *, at: int) -> None:
    """Void a final invoice: what balance and credits gave to it goes back, and its payment is cancelled."""
    if invoice["amount_paid"]:
        raise refuse("An invoice with a payment cannot be voided.")
    with updating(sim, "invoice.updated", invoice):
        invoice["status"] = "void"
        invoice["status_transitions"]["voided_at"] = at
        invoice["next_payment_attempt"] = None
        invoice["auto_advance"] = False
    return_balance(sim, invoice, at)
    call("release_invoice", sim, invoice, at)
    sim.emit("invoice.voided", invoice)
    note_voided_invoice(sim, invoice, at=at)


def return_balance(sim: Simulator, invoice: Object, at: int) -> None:
    moved = (invoice["ending_balance"] or 0) - invoice["starting_balance"]
    if moved:
        change_balance(
            sim,
            invoice["customer"],
            -moved,
            at=at,
            kind="unapplied_from_invoice",
            currency=invoice["currency"],
            invoice=invoice["id"],
        )


@route("POST", "/v1/invoices/{id}/mark_uncollectible")
def mark_uncollectible(request: Request) -> Object:
    invoice = request.sim.store.get("invoice", request.id)
    require_status(invoice, "open")
    write_off(request.sim, invoice, at=request.at, reason="user_forgiven")
    return invoice


def write_off(sim: Simulator, invoice: Object, *, at: int, reason: str) -> None:
    with updating(sim, "invoice.updated", invoice):
        invoice["status"] = "uncollectible"
        invoice["status_details"] = {"uncollectible": {"reason": reason}}
        invoice["status_transitions"]["marked_uncollectible_at"] = at
        invoice["next_payment_attempt"] = None
        invoice["auto_advance"] = False
    sim.emit("invoice.marked_uncollectible", invoice)
    note_paid_invoice(sim, invoice, at=at)
