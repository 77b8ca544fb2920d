"""What becomes of an issued invoice: one table of moves, and one function for each, which is safe to call twice."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext

from billing.ahead.invoices import take_back_ahead
from billing.closing import bill_again
from billing.credits.spending import refund_burns
from billing.credits.top_ups import follow_invoice
from billing.issuing import name_invoice_key
from billing.items import release_items
from billing.late.settling import take_back
from billing.models import CreditDestination, Invoice, InvoiceKind, InvoiceMove, InvoiceState, Payment, Period, TopUp

MOVES: dict[str, set[str]] = {
    InvoiceState.DRAFT: {InvoiceState.ISSUED, InvoiceState.PAID},  # paid where nothing is due
    InvoiceState.ISSUED: {InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE, InvoiceState.VOID},
    InvoiceState.UNCOLLECTIBLE: {InvoiceState.PAID, InvoiceState.VOID},
    InvoiceState.PAID: {InvoiceState.VOID},  # where it was so without a payment
    InvoiceState.VOID: set(),
}


class MoveRefused(ValueError):
    """The invoice cannot go to that state; the message says why."""


class UnknownInvoice(LookupError):
    """There is no invoice with this id."""


class PaidTooMuch(ValueError):
    """A payment is above zero, and no more than what is still due."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an invoice is paid by money, what credit notes took off it, and what is still due; in smallest units."""

    due_minor: int
    paid_minor: int
    taken_off_minor: int

    @property
    def open_minor(self) -> int:
        return self.due_minor - self.paid_minor - self.taken_off_minor


def lock_invoice(invoice_id: int) -> Invoice:
    """Its row, after that of its period, in the order in which closing takes them. Raises UnknownInvoice."""
    invoice = Invoice.objects.filter(pk=invoice_id).first()
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {invoice_id}.")
    if invoice.period_id is not None:
        Period.objects.select_for_update().get(pk=invoice.period_id)
    return Invoice.objects.select_for_update(of=("self",)).get(pk=invoice_id)


def read_standing(invoice: Invoice) -> Standing:
    paid = invoice.payments.aggregate(total=Sum("amount_minor"))["total"] or 0
    notes = invoice.credit_notes.filter(destination=CreditDestination.DUE)
    return Standing(invoice.due_minor, paid, notes.aggregate(total=Sum("total_minor"))["total"] or 0)


def move(invoice: Invoice, state: str, *, at: datetime, reason: str = "", by: int | None = None) -> None:
    """Write the new state of a locked invoice, and that it was reached. Raises MoveRefused."""
    if state not in MOVES[invoice.state]:
        words = {"invoice": invoice, "state": invoice.get_state_display(), "other": InvoiceState(state).label}
        raise MoveRefused(gettext("Invoice %(invoice)s is %(state)s; it cannot become %(other)s.") % words)
    invoice.state = state
    invoice.save(update_fields=["state"])
    InvoiceMove.objects.create(invoice=invoice, state=state, at=at, reason=reason, made_by_id=by)
    if state in (InvoiceState.PAID, InvoiceState.VOID):
        follow_invoice(invoice, paid_minor=read_standing(invoice).paid_minor, at=at, by=by)


@transaction.atomic
def record_payment(
    invoice_id: int,
    *,
    amount_minor: int,
    method: str,
    key: str,
    at: datetime,
    reference: str = "",
    by: int | None = None,
) -> Payment:
    """Money came in, in smallest units. The invoice is paid once nothing is due. A key counts once: a second call
    returns the first's. Raises UnknownInvoice, MoveRefused, PaidTooMuch.
    """
    invoice = lock_invoice(invoice_id)
    known = invoice.payments.filter(key=key).first()
    if known is not None:
        return known
    if InvoiceState.PAID not in MOVES[invoice.state]:
        words = {"invoice": invoice, "state": invoice.get_state_display()}
        raise MoveRefused(gettext("Invoice %(invoice)s is %(state)s; nothing is paid for it.") % words)
    left = read_standing(invoice).open_minor
    if not 0 < amount_minor <= left:
        raise PaidTooMuch(f"Of invoice {invoice} {left} is due, in the smallest unit; {amount_minor} cannot be paid.")
    payment = Payment.objects.create(
        invoice=invoice,
        amount_minor=amount_minor,
        method=method,
        reference=reference,
        key=key,
        paid_at=at,
        made_by_id=by,
    )
    settle(invoice, at=at, by=by)
    return payment


@transaction.atomic
def mark_paid(invoice_id: int, *, method: str, at: datetime, reference: str = "", by: int | None = None) -> Invoice:
    """All that is still due came in; where nothing is, it is paid without a payment. A second call changes nothing.

    Raises UnknownInvoice, MoveRefused.
    """
    invoice = lock_invoice(invoice_id)
    left = read_standing(invoice).open_minor
    if invoice.state == InvoiceState.PAID:
        return invoice
    if left:
        record_payment(invoice_id, amount_minor=left, method=method, reference=reference, key="rest", at=at, by=by)
        invoice.refresh_from_db()
    else:
        move(invoice, InvoiceState.PAID, at=at, by=by)
    return invoice


def settle(invoice: Invoice, *, at: datetime, by: int | None = None) -> None:
    """A locked invoice of which nothing is due any more is paid."""
    if InvoiceState.PAID in MOVES[invoice.state] and read_standing(invoice).open_minor == 0:
        move(invoice, InvoiceState.PAID, at=at, by=by)


@transaction.atomic
def mark_uncollectible(invoice_id: int, *, at: datetime, reason: str = "", by: int | None = None) -> Invoice:
    """Nobody expects it to be paid any more; it still may be. A second call changes nothing.

    Raises UnknownInvoice, MoveRefused.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.state != InvoiceState.UNCOLLECTIBLE:
        move(invoice, InvoiceState.UNCOLLECTIBLE, at=at, reason=reason, by=by)
    return invoice


def is_moved_for(invoice: Invoice) -> bool:
    """Whether money or credit moved for an issued invoice: came in, was given back, or was given by the invoice."""
    return invoice.credited_minor < 0 or invoice.payments.exists() or invoice.credit_notes.exists()


@transaction.atomic
def void_invoice(
    invoice_id: int, *, reason: str, at: datetime, bills_again: bool = False, by: int | None = None
) -> Invoice | None:
    """It was a mistake, and is owed by nobody: the credit that paid it, also in full, is given back. A second call
    changes nothing.

    With `bills_again` its items wait again, and what its period comes to now is billed at once: that invoice is
    returned; a top-up is asked for again by its rule alone. Of what was paid, credited by a note, or gave credit itself
    a credit note is the correction instead.
    Raises UnknownInvoice, MoveRefused.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.state == InvoiceState.VOID:
        return None
    if is_moved_for(invoice):
        text = gettext("Money or credit moved for invoice %(invoice)s; correct it by a credit note.")
        raise MoveRefused(text % {"invoice": invoice})
    move(invoice, InvoiceState.VOID, at=at, reason=reason, by=by)
    if invoice.kind == InvoiceKind.THRESHOLD:
        take_back_ahead(invoice, at=at)
    take_back(invoice, at=at)
    refund_burns(invoice.account_id, key=name_invoice_key(invoice), at=at, by=by)
    if not bills_again or TopUp.objects.filter(invoice=invoice).exists():
        return None
    release_items(invoice)
    if invoice.kind != InvoiceKind.PERIOD or invoice.period_id is None:
        return None
    return bill_again(Period.objects.select_related("subscription").get(pk=invoice.period_id), at=at)
