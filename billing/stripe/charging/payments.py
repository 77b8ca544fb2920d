"""What became of an invoice at Stripe, told to Palier: paid, failed, void, given up, refunded, disputed, credited.

The object is always read again, whatever an event said, and money and notes are written under Stripe's own ids: once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from billing import credit_notes, moves
from billing.credit_notes import CreditRefused
from billing.models import (
    CreditDestination,
    CreditNote,
    Invoice,
    InvoiceState,
    Payment,
    StripeCreditNote,
    StripeDispute,
    StripeInvoice,
    StripeInvoiceRole,
    StripeInvoiceState,
    StripeInvoiceStep,
)
from billing.moves import MoveRefused, PaidTooMuch, read_standing
from billing.stripe.charging import asking
from billing.stripe.charging.amounts import read_minor, write_money
from billing.stripe.charging.drafts import forget_draft
from billing.stripe.charging.outcomes import FROM_STRIPE, keep_note, tell_state
from billing.stripe.charging.rows import ALIVE, in_language_of, write_told
from billing.stripe.charging.told import Told, read_id
from billing.stripe.customers import read_customer
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.errors import Refused

BALANCE = "stripe balance"  # paid by, or carried to, the customer's balance at Stripe
OUTSIDE = "stripe outside"  # somebody said at Stripe that it was paid

DISPUTES = {"won": StripeDispute.WON, "lost": StripeDispute.LOST, "warning_closed": StripeDispute.WON}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came in for an invoice, in its smallest unit, under Stripe's id of it."""

    key: str
    method: str
    minor: int
    paid_at: datetime


def sync_invoice(row: StripeInvoice, *, at: datetime) -> Told:
    """Read it, and let Palier's invoice follow. One call."""
    try:
        told = asking.read_invoice(row.stripe_id, at=at)
    except Refused as refusal:
        if not asking.is_missing(refusal):
            raise
        forget_draft(row, find_customer(row), at=at)
        raise
    apply_told(row, told, at=at)
    return told


def find_customer(row: StripeInvoice) -> str:
    customer = read_customer(row.account_id)
    return customer.stripe_id if customer else ""


def apply_told(row: StripeInvoice, told: Told, *, at: datetime) -> None:
    """What Stripe told moves the row, and then Palier's invoice; a second time it moves nothing."""
    write_told(row.pk, told, at=at)
    row.refresh_from_db()
    if row.invoice is None:
        return
    record_receipts(row, told, at=at)
    if told.status == StripeInvoiceState.UNCOLLECTIBLE and row.invoice.state == InvoiceState.ISSUED:
        moves.mark_uncollectible(row.invoice.pk, reason=gettext("Given up in Stripe."), at=at)
    elif told.status == StripeInvoiceState.VOID:
        follow_void(row, at=at)


def follow_void(row: StripeInvoice, *, at: datetime) -> None:
    """Void at Stripe is void here, unless money or credit moved, or another one asks a part of it: then a drift."""
    invoice = row.invoice
    if invoice is None or invoice.state == InvoiceState.VOID:
        return
    others = StripeInvoice.objects.filter(ALIVE, invoice=invoice).exclude(pk=row.pk)
    if others.exists() or row.role == StripeInvoiceRole.REST:
        tell_state(row, ours=str(invoice.state), at=at)
        return
    try:
        moves.void_invoice(invoice.pk, reason=gettext("Void in Stripe."), at=at)
    except MoveRefused:
        tell_state(row, ours=str(invoice.state), at=at)


def list_receipts(row: StripeInvoice, told: Told, *, at: datetime) -> list[Receipt]:
    """Each payment; and of a paid invoice what no payment covers: by the customer's balance, or past Stripe."""
    found = [
        Receipt(each.key, FROM_STRIPE, read_minor(each.amount, row.currency), each.paid_at or at)
        for each in told.payments
        if each.status == "paid" and each.amount
    ]
    if told.status == StripeInvoiceState.PAID:
        left = told.total - told.noted_before - told.money
        if left > 0:
            method = BALANCE if told.starting_balance != told.ending_balance else OUTSIDE
            found.append(Receipt(told.stripe_id, method, read_minor(left, row.currency), told.paid_at or at))
    return found


def record_receipts(row: StripeInvoice, told: Told, *, at: datetime) -> None:
    """As far as it is owed. More than that is told as a drift, but for what a note of ours gives back, or what was
    carried over from an invoice too small to be charged.
    """
    assert row.invoice is not None  # noqa: S101 - for the reader and the checker
    excess = 0
    for receipt in list_receipts(row, told, at=at):
        excess += record_receipt(row.invoice, receipt)
    excess -= sum(note.total_minor for note in row.credit_notes.filter(is_correction=True))
    excess -= read_minor(max(0, told.starting_balance), row.currency)
    if excess > 0 and row.step == StripeInvoiceStep.FINALISED:
        tell_excess(row, excess, at=at)
    elif told.status == StripeInvoiceState.PAID:
        close_drift("payment", row.stripe_id, at=at)


def record_receipt(invoice: Invoice, receipt: Receipt) -> int:
    """What of it nothing is owed for. A second call records nothing and tells the same."""
    known = Payment.objects.filter(invoice=invoice, key=receipt.key).first()
    if known is not None:
        return receipt.minor - known.amount_minor
    open_minor = read_standing(invoice).open_minor
    if receipt.method == OUTSIDE and open_minor <= 0:
        return 0  # we said so ourselves
    minor = min(receipt.minor, open_minor)
    if minor <= 0:
        return receipt.minor
    try:
        moves.record_payment(
            invoice.pk,
            amount_minor=minor,
            method=receipt.method,
            key=receipt.key,
            reference=receipt.key,
            at=receipt.paid_at,
        )
    except (MoveRefused, PaidTooMuch):
        return receipt.minor
    return receipt.minor - minor


def tell_excess(row: StripeInvoice, excess: int, *, at: datetime) -> None:
    open_drift(
        "payment",
        row.stripe_id,
        account_id=row.account_id,
        ours=write_money(row.total_minor - excess, row.currency),
        theirs=write_money(row.total_minor, row.currency),
        difference_minor=-excess,
        currency=row.currency,
        cause="Stripe collected more than is owed: it is to be refunded there",
        at=at,
    )


def find_row(stripe_id: str) -> StripeInvoice | None:
    return StripeInvoice.objects.filter(stripe_id=stripe_id).first()


def find_rows_paid_by(payment_intent: str, *, at: datetime) -> list[StripeInvoice]:
    """Ours among the invoices that it pays. One call."""
    found = asking.find_paid_invoices(payment_intent, at=at)
    return list(StripeInvoice.objects.filter(stripe_id__in=found))


def sync_refunds(row: StripeInvoice, payment_intent: str, *, at: datetime) -> None:
    """Refunds that somebody made at Stripe are credit notes here. Those that a note of Stripe's made come with it."""
    sync_invoice(row, at=at)
    refunds = asking.list_refunds(payment_intent, at=at)
    notes = asking.list_credit_notes(row.stripe_id, at=at)
    by_notes = {read_id(each["refund"]) for note in notes for each in note.get("refunds") or ()}
    done = [refund for refund in refunds if refund.get("status") == "succeeded"]
    row.refunded_minor = sum(read_minor(refund["amount"], row.currency) for refund in done)
    row.save(update_fields=["refunded_minor"])
    for refund in refunds:
        if refund["id"] in by_notes or row.invoice is None:
            continue
        key = f"{FROM_STRIPE} {refund['id']}"
        if refund in done:
            amount = read_minor(refund["amount"], row.currency)
            with in_language_of(row):
                why = gettext("Refunded in Stripe.")
            credit(row, amount, CreditDestination.REFUND, key=key, why=why, at=at)
        elif refund.get("status") in ("failed", "canceled") and row.invoice.credit_notes.filter(key=key).exists():
            tell_note(row, key, ours="refunded", theirs=str(refund["status"]), at=at)


def credit(
    row: StripeInvoice, minor: int, destination: CreditDestination, *, key: str, why: str, at: datetime
) -> CreditNote | None:
    """A credit note of Palier's, once for its key; a drift where there is no room for it."""
    if row.invoice is None or minor <= 0:
        return None
    try:
        note = credit_notes.issue_credit_note(
            row.invoice.pk, destination=destination, reason=why, key=key, amount_minor=minor, at=at
        )
    except CreditRefused as refusal:
        tell_note(
            row,
            key,
            ours=write_money(0, row.currency),
            theirs=write_money(minor, row.currency),
            cause=str(refusal),
            minor=minor,
            at=at,
        )
        return None
    close_drift("credit_note", key, at=at)
    return note


def tell_note(
    row: StripeInvoice,
    key: str,
    *,
    ours: str,
    theirs: str,
    at: datetime,
    cause: str = "Stripe took it back, and a credit note stands",
    minor: int | None = None,
) -> None:
    open_drift(
        "credit_note",
        key,
        account_id=row.account_id,
        ours=ours,
        theirs=theirs,
        difference_minor=minor,
        currency=row.currency,
        cause=cause,
        at=at,
    )


def sync_credit_note(stripe_id: str, *, at: datetime) -> StripeInvoice | None:
    """A note made at Stripe is one here: off what is due, or refunded. What it put into the customer's balance there is
    paid back by Stripe as well, with the next invoice. None where it is about none of our invoices.
    """
    body = asking.read_credit_note(stripe_id, at=at)
    row = find_row(read_id(body.get("invoice")))
    if row is None:
        return None
    known = StripeCreditNote.objects.filter(stripe_id=stripe_id).first()
    if known is None and asking.read_key(body):
        return row  # ours: whoever made it stores it
    if body.get("status") == "void":
        take_note_back(row, known, stripe_id, at=at)
        return row
    if known is not None:
        return row
    sync_invoice(row, at=at)
    mirror_their_note(row, body, at=at)
    return row


def mirror_their_note(row: StripeInvoice, body: Mapping[str, Any], *, at: datetime) -> None:
    parts = {
        CreditDestination.DUE: body.get("pre_payment_amount") or 0,
        CreditDestination.REFUND: body.get("post_payment_amount") or 0,
    }
    number, note = body.get("number") or body["id"], None
    with in_language_of(row):
        why = gettext("Credited in Stripe: %(number)s") % {"number": number}
    for destination, amount in parts.items():
        key = f"{FROM_STRIPE} {body['id']} {destination.value}"
        made = credit(row, read_minor(amount, row.currency), destination, key=key, why=why, at=at)
        note = note or made
    keep_note(row, body, note=note, at=at)


def take_note_back(row: StripeInvoice, known: StripeCreditNote | None, stripe_id: str, *, at: datetime) -> None:
    """Ours cannot be taken back: a person decides."""
    if known is None or known.is_void:
        return
    known.is_void = True
    known.save(update_fields=["is_void"])
    if known.note is not None:
        tell_note(
            row, f"{FROM_STRIPE} {stripe_id}", ours=write_money(known.total_minor, row.currency), theirs="void", at=at
        )


def follow_dispute(body: Mapping[str, Any], *, at: datetime) -> list[StripeInvoice]:
    """Shown with the invoice, and told to staff as a drift until it is won; a lost one stays until it is accepted.

    The event's own word is taken, as it only goes one way: what is closed is never opened again.
    """
    rows = find_rows_paid_by(read_id(body.get("payment_intent")), at=at)
    state = DISPUTES.get(str(body.get("status")), StripeDispute.OPEN)
    for row in rows:
        if row.dispute in (StripeDispute.WON, StripeDispute.LOST) and state == StripeDispute.OPEN:
            continue
        row.dispute = state
        row.save(update_fields=["dispute"])
        if state == StripeDispute.WON:
            close_drift("dispute", body["id"], at=at)
        else:
            tell_dispute(row, body, at=at)
    return rows


def tell_dispute(row: StripeInvoice, body: Mapping[str, Any], *, at: datetime) -> None:
    open_drift(
        "dispute",
        body["id"],
        account_id=row.account_id,
        ours=f"{row.invoice} paid",
        theirs=f"{body.get('status')}: {body.get('reason')}",
        difference_minor=read_minor(body["amount"], row.currency),
        currency=row.currency,
        cause="the customer's bank takes the payment back",
        at=at,
    )
