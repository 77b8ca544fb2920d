"""/v1/credit_notes: issued, previewed, voided."""

import copy

from stripe_simulator.changes import matches, updating
from stripe_simulator.contract import template
from stripe_simulator.credit_notes.amounts import add_lines_up, build_lines, check_creditable, split_amount
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.adding_up import set_due
from stripe_simulator.invoices.balance import change_balance
from stripe_simulator.invoices.finalising import show_page
from stripe_simulator.invoices.hooks import call
from stripe_simulator.invoices.settling import record_payment
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported


@route("POST", "/v1/credit_notes")
def create_note(request: Request) -> Object:
    refuse_unsupported(request.params, "shipping_cost")
    return issue_note(request.sim, request.params, request.at)


def issue_note(sim: Simulator, params: Object, at: int) -> Object:
    """Issue a note and carry out what it says: less is due, money or balance is given back."""
    invoice = sim.store.get("invoice", params["invoice"], param="invoice", status=400)
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise refuse("Credit notes are for invoices that are open, paid or uncollectible.", param="invoice")
    lines = build_lines(sim, invoice, params)
    sums = add_lines_up(lines)
    check_creditable(sim, invoice, sums["total"])
    before, after = split_amount(invoice, sums["total"], params)
    note = build_note(sim, invoice, params, lines, at) | sums
    note |= {"pre_payment_amount": before, "post_payment_amount": after, "type": name_type(before, after)}
    sim.store.insert(note)
    take_off(sim, invoice, before, after, at)
    give_back(sim, invoice, note, params, at)
    sim.emit("credit_note.created", note)
    return note


def build_note(sim: Simulator, invoice: Object, params: Object, lines: list[Object], at: int) -> Object:
    count = sum(1 for _ in sim.store.scan("credit_note", invoice=invoice["id"])) + 1
    note = template(
        "credit_note",
        id=sim.new_id("cn"),
        created=at,
        currency=invoice["currency"],
        customer=invoice["customer"],
        effective_at=params.get("effective_at", at),
        invoice=invoice["id"],
        memo=params.get("memo"),
        metadata=dict(params.get("metadata") or {}),
        number=f"{invoice['number']}-CN-{count:02d}",
        out_of_band_amount=params.get("out_of_band_amount"),
        reason=params.get("reason"),
        refunds=[show_refund(each) for each in params.get("refunds") or []],
        status="issued",
        _lines=lines,
    )
    note["pdf"] = f"{show_page(sim, invoice)}/credit_notes/{note['id']}/pdf"
    note["lines"] = {
        "object": "list",
        "data": copy.deepcopy(lines[:10]),
        "has_more": len(lines) > 10,
        "url": f"/v1/credit_notes/{note['id']}/lines",
    }
    return note


def name_type(before: int, after: int) -> str:
    if before and after:
        return "mixed"
    return "post_payment" if after else "pre_payment"


def show_refund(given: Object) -> Object:
    refund = given.get("refund")
    return {
        "amount_refunded": given.get("amount_refunded") or 0,
        "payment_record_refund": given.get("payment_record_refund"),
        "refund": refund,
        "type": given.get("type") or "refund",
    }


def take_off(sim: Simulator, invoice: Object, before: int, after: int, at: int) -> None:
    with updating(sim, "invoice.updated", invoice):
        invoice["pre_payment_credit_notes_amount"] += before
        invoice["post_payment_credit_notes_amount"] += after
        if before:
            set_due(invoice, invoice["amount_due"] - before)
    if before and invoice["amount_remaining"] == 0:
        record_payment(sim, invoice, 0, at=at)


def give_back(sim: Simulator, invoice: Object, note: Object, params: Object, at: int) -> None:
    """Credit the customer's balance, and refund the payment, as the request says."""
    if params.get("credit_amount"):
        transaction = change_balance(
            sim,
            invoice["customer"],
            -params["credit_amount"],
            at=at,
            kind="credit_note",
            currency=invoice["currency"],
            credit_note=note["id"],
            invoice=invoice["id"],
        )
        note["customer_balance_transaction"] = transaction["id"]
    if params.get("refund_amount"):
        refund = call("refund_credit_note", sim, invoice, params["refund_amount"], at)
        note["refunds"].append(show_refund({"amount_refunded": params["refund_amount"], "refund": refund}))


@route("GET", "/v1/credit_notes/preview")
def preview_note(request: Request) -> Object:
    """The note that would be issued. It is issued in a sandbox."""
    with request.sim.store.sandbox():
        return copy.deepcopy(issue_note(request.sim, request.params, request.at))


@route("GET", "/v1/credit_notes/preview/lines")
def preview_lines(request: Request) -> Object:
    with request.sim.store.sandbox():
        lines = copy.deepcopy(issue_note(request.sim, request.params, request.at)["_lines"])
    return answer_list(request, lines, oldest_first=True)


@route("GET", "/v1/credit_notes/{id}")
def read_note(request: Request) -> Object:
    return request.sim.store.get("credit_note", request.id)


@route("GET", "/v1/credit_notes/{id}/lines")
def list_note_lines(request: Request) -> Object:
    return answer_list(request, request.sim.store.get("credit_note", request.id)["_lines"], oldest_first=True)


@route("POST", "/v1/credit_notes/{id}")
def update_note(request: Request) -> Object:
    note = request.sim.store.get("credit_note", request.id)
    with updating(request.sim, "credit_note.updated", note):
        update(note, request.params, "memo", "metadata")
    return note


@route("POST", "/v1/credit_notes/{id}/void")
def void_note(request: Request) -> Object:
    """Take a note back: its invoice must still be open, for what was paid out cannot be taken back."""
    sim = request.sim
    note = sim.store.get("credit_note", request.id)
    invoice = sim.store.get("invoice", note["invoice"])
    if note["status"] == "void":
        raise refuse("The credit note is void already.")
    if invoice["status"] != "open" or note["post_payment_amount"]:
        raise refuse("Only credit notes of open invoices can be voided.")
    note |= {"status": "void", "voided_at": request.at}
    with updating(sim, "invoice.updated", invoice):
        invoice["pre_payment_credit_notes_amount"] -= note["pre_payment_amount"]
        set_due(invoice, invoice["amount_due"] + note["pre_payment_amount"])
    sim.emit("credit_note.voided", note)
    return note


@route("GET", "/v1/credit_notes")
def list_notes(request: Request) -> Object:
    found = [each for each in request.sim.store.scan("credit_note") if matches(request, each, "customer", "invoice")]
    return answer_list(request, found)
