"""Palier's issued invoices and their payments ↔ what Stripe asks for them and was paid, as it last told us.

Nothing is asked of Stripe; whether what it told is still so `theirs` looks. All of it is in English, for staff.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from billing.models import (
    CreditDestination,
    Invoice,
    InvoiceState,
    StripeCreditNote,
    StripeCustomer,
    StripeInvoice,
    StripeInvoiceState,
    StripeInvoiceStep,
)
from billing.stripe.charging.amounts import find_askable, write_money
from billing.stripe.reconciling.findings import Finding, Looked, Scope

MISSING, TOTAL, STATE, PAYMENT, LINE = "invoice_missing", "invoice_total", "invoice_state", "payment", "metered_line"
PATIENCE = timedelta(hours=2)  # from one side's move until the other has followed
CHUNK = 500
PAID, VOID, UNCOLLECTIBLE = InvoiceState.PAID, InvoiceState.VOID, InvoiceState.UNCOLLECTIBLE


def look_at_charges(scope: Scope) -> Looked:
    looked = Looked()
    for invoice in select_invoices(scope).iterator(chunk_size=CHUNK):
        compare(invoice, looked, scope)
    return looked


def select_invoices(scope: Scope) -> "QuerySet[Invoice]":
    """Those issued since then to whom is charged through Stripe, or known to differ; five queries for each chunk."""
    numbers = [key.partition(" ")[0] for key in scope.list_open(MISSING, PAYMENT, LINE)]
    rows = StripeInvoice.objects.filter(stripe_id__in=scope.list_open(TOTAL, STATE))
    is_known = Q(number__in=numbers) | Q(pk__in=rows.values("invoice"))
    is_connected = Exists(
        StripeCustomer.objects.filter(account_id=OuterRef("account_id"), asked_at__lte=OuterRef("issued_at"))
    )
    invoices = Invoice.objects.exclude(state=InvoiceState.DRAFT).filter(
        Q(issued_at__gte=scope.since, issued_at__lt=scope.at) & is_connected | is_known
    )
    if scope.account_id is not None:
        invoices = invoices.filter(account_id=scope.account_id)
    asked = StripeInvoice.objects.exclude(state=StripeInvoiceState.DELETED).order_by("pk")
    return invoices.order_by("pk").prefetch_related(
        Prefetch("stripe_invoices", asked.prefetch_related("credit_notes")), "payments", "credit_notes", "moves"
    )


def compare(invoice: Invoice, looked: Looked, scope: Scope) -> None:
    """What differs is named as `charging` does where it finds it first: there is one drift about one thing."""
    rows = list(read_rows(invoice))
    final = [row for row in rows if row.step == StripeInvoiceStep.FINALISED]
    looked.check(str(invoice.number), MISSING)
    if not final:
        looked.findings += find_missing(invoice, rows, scope)
        return
    looked.check(str(invoice.number), PAYMENT)
    looked.check_all([row.stripe_id for row in final], TOTAL, STATE)
    found = list(find_total(invoice, final))
    if not found:
        prefix = f"{invoice.number} "
        looked.check_all([key for key in scope.list_open(LINE) if key.startswith(prefix)], LINE)
    moved = list(find_state(invoice, final, scope)) or list(find_refunds(invoice, final, scope))
    looked.findings += [*found, *moved]


def read_rows(invoice: Invoice) -> Iterable[StripeInvoice]:
    """What was prefetched: the name is that of the other side's key."""
    found: Iterable[StripeInvoice] = invoice.stripe_invoices.all()
    return found


def find_missing(invoice: Invoice, rows: Sequence[StripeInvoice], scope: Scope) -> Iterator[Finding]:
    """What is due and was not asked by Stripe, though it had the time; a void or paid one needs it no more."""
    asked = find_askable(invoice.due_minor, invoice.currency)
    if asked <= 0 or invoice.state != InvoiceState.ISSUED or is_fresh(invoice, InvoiceState.ISSUED, scope):
        return
    if any(row.error_code in {TOTAL, LINE} for row in rows):
        return  # it stopped since they differ, and that has a drift of its own
    stopped = next((row for row in rows if row.error_message), None)
    cause = f"Stripe says: {stopped.error_message}" if stopped else "It was not charged."
    theirs = ", ".join(f"{row.get_state_display()} {row.stripe_id}" for row in rows) or "no invoice"
    yield make_finding(
        MISSING, str(invoice.number), invoice, write_money(asked, invoice.currency), theirs, cause, asked
    )


def list_corrections(final: Sequence[StripeInvoice]) -> list[StripeCreditNote]:
    """What Stripe gave back since it had asked too much."""
    return [note for row in final for note in row.credit_notes.all() if note.is_correction and not note.is_void]


def find_total(invoice: Invoice, final: Sequence[StripeInvoice]) -> Iterator[Finding]:
    """All that Stripe asks for it, less what it took back since it had asked too much."""
    ours = find_askable(invoice.due_minor, invoice.currency)
    theirs = sum(row.total_minor for row in final) - sum(note.total_minor for note in list_corrections(final))
    if ours != theirs and not all(row.state == StripeInvoiceState.VOID for row in final):
        names = " and ".join(row.stripe_id for row in final)
        currency = invoice.currency
        cause = f"{names} does not ask what is due."
        yield make_finding(
            TOTAL,
            final[0].stripe_id,
            invoice,
            write_money(ours, currency),
            write_money(theirs, currency),
            cause,
            ours - theirs,
        )


def find_state(invoice: Invoice, final: Sequence[StripeInvoice], scope: Scope) -> Iterator[Finding]:
    states = {row.state for row in final}
    is_paid_there = states <= {StripeInvoiceState.PAID}
    ours, theirs = InvoiceState(invoice.state), ", ".join(sorted(states))
    if is_fresh(invoice, ours, scope) or any(row.read_at > scope.at - PATIENCE for row in final):
        return
    if (ours == PAID) != is_paid_there and (PAID in {ours} or is_paid_there):
        amount = sum(row.total_minor - row.paid_minor for row in final) if ours == PAID else -count_open(invoice)
        yield make_finding(
            PAYMENT,
            str(invoice.number),
            invoice,
            ours.value,
            theirs,
            "One of the two was paid and the other not.",
            amount,
        )
    elif ours in {VOID, UNCOLLECTIBLE} and states != {ours.value}:
        yield make_finding(
            STATE, final[0].stripe_id, invoice, ours.value, theirs, "Stripe goes on with what Palier has given up."
        )
    elif ours == InvoiceState.ISSUED and states & {StripeInvoiceState.VOID, StripeInvoiceState.UNCOLLECTIBLE}:
        yield make_finding(
            STATE, final[0].stripe_id, invoice, ours.value, theirs, "Stripe has given up what Palier goes on with."
        )


def find_refunds(invoice: Invoice, final: Sequence[StripeInvoice], scope: Scope) -> Iterator[Finding]:
    """Money that went back there and not here, or was promised here and did not go.

    What Stripe had asked too much and gave back is no part of it: Palier never asked that.
    """
    notes = [note for note in invoice.credit_notes.all() if note.destination == CreditDestination.REFUND]
    ours = sum(note.total_minor for note in notes)
    theirs = sum(row.refunded_minor for row in final) - sum(note.refund_minor for note in list_corrections(final))
    is_new = any(note.issued_at > scope.at - PATIENCE for note in notes)
    if ours != theirs and not is_new and all(row.read_at <= scope.at - PATIENCE for row in final):
        currency = invoice.currency
        yield make_finding(
            PAYMENT,
            str(invoice.number),
            invoice,
            f"{write_money(ours, currency)} refunded",
            f"{write_money(theirs, currency)} refunded",
            "What was given back is not the same.",
            theirs - ours,
        )


def is_fresh(invoice: Invoice, state: str, scope: Scope) -> bool:
    """Whether it came to this state so lately that Stripe may not have followed."""
    return any(move.state == state and move.at > scope.at - PATIENCE for move in invoice.moves.all())


def count_open(invoice: Invoice) -> int:
    """What Palier waits for."""
    paid = sum(payment.amount_minor for payment in invoice.payments.all())
    notes = [note for note in invoice.credit_notes.all() if note.destination == CreditDestination.DUE]
    return invoice.due_minor - paid - sum(note.total_minor for note in notes)


def make_finding(
    kind: str, key: str, invoice: Invoice, ours: str, theirs: str, cause: str, difference_minor: int | None = None
) -> Finding:
    about = f"Invoice {invoice.number}: {cause}"
    currency = invoice.currency if difference_minor is not None else ""
    return Finding(kind, key, invoice.account_id, ours, theirs, about, difference_minor, currency)
