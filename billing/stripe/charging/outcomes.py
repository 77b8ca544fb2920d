"""What Palier decides of an invoice after Stripe asks it: void, given up, credited, paid past Stripe. Told to Stripe
once each, by the row that says it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.utils import translation
from django.utils.translation import gettext

from billing import credit_notes
from billing.credit_notes import CreditRefused
from billing.models import (
    CreditDestination,
    CreditNote,
    Invoice,
    InvoiceState,
    Payment,
    StripeCreditNote,
    StripeInvoice,
    StripeInvoiceRole,
    StripeInvoiceState,
    StripeInvoiceStep,
)
from billing.stripe.charging import asking
from billing.stripe.charging.amounts import read_minor, write_minor, write_money
from billing.stripe.charging.drafts import PAUSE, forget_draft
from billing.stripe.charging.rows import ALIVE, in_language_of, reach, write_told
from billing.stripe.charging.told import Told
from billing.stripe.customers import read_customer
from billing.stripe.drifts import open_drift
from billing.stripe.errors import Refused
from jobs.queue import Postponed

FROM_STRIPE = "stripe"  # begins the method of payments that Stripe told of, and the key of notes that mirror its own
OPEN, PAID = StripeInvoiceState.OPEN, StripeInvoiceState.PAID
UNCOLLECTIBLE = StripeInvoiceState.UNCOLLECTIBLE


def follow_invoice(invoice_id: int, *, at: datetime) -> None:
    """Have Stripe's invoices say what Palier's does. A second call changes nothing. Raises Postponed while one of them
    is a draft that is still to be finalised.
    """
    invoice = Invoice.objects.get(pk=invoice_id)
    rows = list(StripeInvoice.objects.filter(ALIVE, invoice=invoice).order_by("pk"))
    if not rows:
        return
    if invoice.state == InvoiceState.VOID:
        for row in rows:
            take_back(row, at=at)
        return
    if any(row.state == StripeInvoiceState.DRAFT for row in rows):
        raise Postponed(at + PAUSE, "Stripe's invoice is still a draft")
    told = {row.pk: refresh(row, at=at) for row in rows}
    for note in list_unmirrored_notes(invoice):
        mirror_note(note, rows, told, at=at)
    mirror_payments(invoice, rows, told, at=at)
    if invoice.state == InvoiceState.UNCOLLECTIBLE:
        for row in rows:
            if row.state == OPEN or asking.is_undecided(asking.GIVE_UP, row.stripe_id):
                write_told(row.pk, asking.give_up(row.stripe_id, at=at), at=at)


def refresh(row: StripeInvoice, *, at: datetime) -> Told:
    told = asking.read_invoice(row.stripe_id, at=at)
    write_told(row.pk, told, at=at)
    row.refresh_from_db()
    return told


def take_back(row: StripeInvoice, *, at: datetime) -> None:
    """Ask nothing any more: a draft of ours is deleted, one of a subscription first finalised, which is then void."""
    try:
        told = refresh(row, at=at)
    except Refused as refusal:
        if not asking.is_missing(refusal):
            raise
        drop_draft(row, is_there=False, at=at)
        return
    if told.is_draft and row.role != StripeInvoiceRole.CYCLE:
        drop_draft(row, is_there=True, at=at)
        return
    if told.is_draft:
        told = asking.finalise(row.stripe_id, is_collected=False, at=at)
    if told.status in (OPEN, UNCOLLECTIBLE) or asking.is_undecided(asking.VOID, row.stripe_id):
        told = asking.void(row.stripe_id, at=at)
    write_told(row.pk, told, at=at)
    row.refresh_from_db()
    if row.step not in (StripeInvoiceStep.FINALISED, StripeInvoiceStep.STOPPED):
        reach(row, StripeInvoiceStep.FINALISED)
    if told.status == PAID and told.total:
        tell_state(row, ours=InvoiceState.VOID.value, at=at)


def drop_draft(row: StripeInvoice, *, is_there: bool, at: datetime) -> None:
    """With its items."""
    if is_there or asking.is_undecided(asking.DELETE, row.stripe_id):
        asking.delete_draft(row.stripe_id, at=at)
    customer = read_customer(row.account_id)
    if customer is not None:
        forget_draft(row, customer.stripe_id, at=at)


def tell_state(row: StripeInvoice, *, ours: str, at: datetime) -> None:
    """A drift: the two are in states that do not go together, and neither can follow the other."""
    open_drift(
        "invoice_state",
        row.stripe_id,
        account_id=row.account_id,
        ours=ours,
        theirs=str(row.state),
        difference_minor=-row.total_minor,
        currency=row.currency,
        cause="money moved, or documents forbid it: a person decides which of both is right",
        at=at,
    )


def list_unmirrored_notes(invoice: Invoice) -> list[CreditNote]:
    notes = invoice.credit_notes.exclude(key__startswith=FROM_STRIPE).filter(stripe_notes__isnull=True)
    return list(notes.order_by("pk"))


def mirror_note(
    note: CreditNote, rows: Iterable[StripeInvoice], told: Mapping[int, Told], *, at: datetime
) -> StripeCreditNote | None:
    """Off what is due: off what Stripe still asks. A refund: of the money that Stripe has, else it went another way. As
    credit: it was given outside of Stripe, whose own balance of the customer would give it a second time. None of what
    credit had paid, which Stripe never asked.
    """
    amount = write_minor(note.total_minor, note.invoice.currency)
    if note.destination == CreditDestination.DUE:
        row = next((row for row in rows if row.state == OPEN and told[row.pk].amount_remaining >= amount), None)
        params = {"amount": amount}
    else:
        paid = [row for row in rows if row.state == PAID]
        row = next((row for row in paid if find_left(told[row.pk]) >= amount), paid[0] if paid else None)
        amount = min(amount, find_left(told[row.pk])) if row else amount
        params = {"amount": amount} | divide(amount, find_refundable(row, told[row.pk], note) if row else 0)
    if row is None:
        tell_unmirrored(note, at=at)
        return None
    if not amount:
        return None
    return send_note(row, f"note {note.pk}", params | {"memo": f"{note.number} {note.reason}"[:500]}, at=at, note=note)


def find_left(told: Told) -> int:
    """What of a paid invoice no note of Stripe's has given back."""
    return told.total - told.noted_before - told.noted_after


def find_refundable(row: StripeInvoice, told: Told, note: CreditNote) -> int:
    if note.destination != CreditDestination.REFUND:
        return 0
    return max(0, told.money - write_minor(row.refunded_minor, row.currency))


def divide(amount: int, refundable: int) -> dict[str, int]:
    """How a note on a paid invoice gives its amount back: by a refund as far as there is money, else outside."""
    refund = min(amount, refundable)
    parts = {"refund_amount": refund, "out_of_band_amount": amount - refund}
    return {name: part for name, part in parts.items() if part}


def tell_unmirrored(note: CreditNote, *, at: datetime) -> None:
    open_drift(
        "credit_note",
        note.number,
        account_id=note.invoice.account_id,
        ours=write_money(note.total_minor, note.invoice.currency),
        theirs=write_money(0, note.invoice.currency),
        difference_minor=-note.total_minor,
        currency=note.invoice.currency,
        cause=f"Stripe's invoice is in no state in which it could be given back as {note.destination}",
        at=at,
    )


def send_note(
    row: StripeInvoice,
    key: str,
    params: Mapping[str, object],
    *,
    at: datetime,
    note: CreditNote | None = None,
    payment: Payment | None = None,
    is_correction: bool = False,
) -> StripeCreditNote:
    body = asking.make_credit_note(key, {"invoice": row.stripe_id, **params}, at=at)
    return keep_note(row, body, at=at, note=note, payment=payment, is_correction=is_correction)


def keep_note(
    row: StripeInvoice,
    body: Mapping[str, object],
    *,
    at: datetime,
    note: CreditNote | None = None,
    payment: Payment | None = None,
    is_correction: bool = False,
) -> StripeCreditNote:
    """Its row; a second call changes nothing but that it became void."""

    def read(name: str) -> int:
        value = body.get(name)
        return read_minor(value, row.currency) if isinstance(value, int) else 0

    refunds = body.get("refunds")
    refunded = sum(each.get("amount_refunded") or 0 for each in refunds) if isinstance(refunds, list) else 0
    kept, _is_new = StripeCreditNote.objects.get_or_create(
        stripe_id=str(body["id"]),
        defaults={
            "stripe_invoice": row,
            "note": note,
            "payment": payment,
            "is_correction": is_correction,
            "number": str(body.get("number") or ""),
            "total_minor": read("total") or read("amount"),
            "due_minor": read("pre_payment_amount"),
            "refund_minor": read_minor(refunded, row.currency),
            "outside_minor": read("out_of_band_amount"),
            "created_at": at,
        },
    )
    if body.get("status") == "void" and not kept.is_void:
        kept.is_void = True
        kept.save(update_fields=["is_void"])
    return kept


def mirror_payments(invoice: Invoice, rows: list[StripeInvoice], told: Mapping[int, Told], *, at: datetime) -> None:
    """Money that came in past Stripe is not asked again: all of it, and Stripe's invoice is paid; a part, and a note
    takes it off what Stripe asks.
    """
    if invoice.state == InvoiceState.PAID:
        for row in rows:
            if row.state in (OPEN, UNCOLLECTIBLE) or asking.is_undecided(asking.PAY_OUTSIDE, row.stripe_id):
                write_told(row.pk, asking.pay_outside(row.stripe_id, at=at), at=at)
        return
    payments = invoice.payments.exclude(method__startswith=FROM_STRIPE).filter(stripe_notes__isnull=True)
    for payment in payments.order_by("pk"):
        amount = write_minor(payment.amount_minor, invoice.currency)
        open_rows = [row for row in rows if row.state == OPEN and told[row.pk].amount_remaining > amount]
        for row in open_rows[:1]:
            with translation.override(invoice.language):
                memo = gettext("Paid otherwise: %(reference)s") % {"reference": payment.reference or payment.method}
            send_note(row, f"payment {payment.pk}", {"amount": amount, "memo": memo}, at=at, payment=payment)


def correct(row: StripeInvoice, told: Told, amount: int, *, at: datetime) -> None:
    """Give back what Stripe's finalised invoice asks too much, in Stripe's units: off what it asks, or as a refund."""
    if StripeCreditNote.objects.filter(stripe_invoice=row, is_correction=True).exists():
        return
    key = f"correction {row.pk}"
    for body in asking.list_credit_notes(row.stripe_id, at=at):
        if asking.read_key(body) == key:  # made under another state of the invoice, and the answer was lost
            keep_note(row, body, at=at, is_correction=True)
            return
    with in_language_of(row):
        params: dict[str, object] = {"amount": amount, "memo": gettext("Asked too much")}
    if told.status == PAID:
        refund = min(amount, told.money)
        rest = {"credit_amount": amount - refund} if amount > refund else {}
        params |= ({"refund_amount": refund} if refund else {}) | rest
    send_note(row, key, params, at=at, is_correction=True)


def write_off_unasked(invoice: Invoice, minor: int, *, at: datetime) -> None:
    """What Stripe cannot ask of a currency, as it is less than its smallest amount: the declared difference."""
    if not minor:
        return
    with translation.override(invoice.language):
        reason = gettext("Below the smallest amount that can be paid.")
    try:
        credit_notes.issue_credit_note(
            invoice.pk,
            destination=CreditDestination.DUE,
            reason=reason,
            key=f"{FROM_STRIPE} unasked",
            amount_minor=minor,
            at=at,
        )
    except CreditRefused as refusal:
        open_drift(
            "invoice_total",
            str(invoice.number),
            account_id=invoice.account_id,
            ours=write_money(invoice.due_minor, invoice.currency),
            theirs=write_money(invoice.due_minor - minor, invoice.currency),
            difference_minor=minor,
            currency=invoice.currency,
            cause=str(refusal),
            at=at,
        )
