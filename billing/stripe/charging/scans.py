"""Which invoices are to be charged, and which moved since: found by looking, promised as jobs."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.query import QuerySet

from billing.models import (
    CreditNote,
    Invoice,
    InvoiceKind,
    InvoiceState,
    Payment,
    StripeCustomer,
    StripeInvoice,
    StripeInvoiceRole,
    StripeInvoiceState,
    StripeInvoiceStep,
)
from billing.stripe.charging.outcomes import FROM_STRIPE
from billing.stripe.charging.rows import ALIVE, ENDED, MAIN, count_rounds
from billing.stripe.client import is_on
from jobs import queue

CHARGE, FOLLOW = "stripe.charge", "stripe.follow"
LATE = timedelta(days=30)  # how long a note is looked for that Stripe does not hold; after that reconciliation finds it
OURS_MOVED = {
    StripeInvoiceState.DRAFT: [InvoiceState.VOID],
    StripeInvoiceState.OPEN: [InvoiceState.VOID, InvoiceState.UNCOLLECTIBLE, InvoiceState.PAID],
    StripeInvoiceState.UNCOLLECTIBLE: [InvoiceState.VOID, InvoiceState.PAID],
}


def promise_charges(at: datetime) -> int:
    """A job for each issued invoice that Stripe does not ask yet. How many are new."""
    if not is_on():
        return 0
    ids = find_uncharged().values_list("pk", flat=True)
    return sum(queue.enqueue(CHARGE, count_rounds(pk), {"invoice": pk}, at=at) for pk in ids)


def find_uncharged() -> "QuerySet[Invoice]":
    """Issued since their accounts are charged through Stripe, and not asked there; and those of which nothing is due,
    where Stripe drew an invoice of its own.
    """
    connected = StripeCustomer.objects.filter(account_id=OuterRef("account_id"), asked_at__lte=OuterRef("issued_at"))
    done = StripeInvoice.objects.filter(ALIVE, invoice=OuterRef("pk"), role__in=MAIN, step__in=ENDED)
    is_due = Q(state=InvoiceState.ISSUED, due_minor__gt=0)
    drawn = StripeInvoice.objects.filter(
        ALIVE, role=StripeInvoiceRole.CYCLE, step=StripeInvoiceStep.HELD, invoice=None
    ).values("period_id")
    begun = StripeInvoice.objects.filter(ALIVE, ~Q(step__in=ENDED), invoice__isnull=False).values("invoice_id")
    is_nothing = Q(state=InvoiceState.PAID) & (Q(kind=InvoiceKind.PERIOD, period__in=drawn) | Q(pk__in=begun))
    return Invoice.objects.filter(is_due | is_nothing).filter(Exists(connected), ~Exists(done)).order_by("pk")


def promise_follows(at: datetime) -> int:
    """A job for each invoice of which Palier says something that Stripe does not know yet. How many are new."""
    if not is_on():
        return 0
    take_orphans()
    return sum(
        queue.enqueue(FOLLOW, name_moves(pk), {"invoice": pk}, at=at)
        for pk in sorted({*find_moved(), *find_credited(at), *find_paid_in_part()})
    )


def name_moves(invoice_id: int) -> str:
    """By all that moved of it so far, of which nothing is ever taken away: what moves later is another job."""
    invoice = Invoice.objects.get(pk=invoice_id)
    counts = [invoice.moves.count(), invoice.credit_notes.count(), invoice.payments.count()]
    return " ".join(map(str, [invoice_id, *counts]))


def find_moved() -> "QuerySet[StripeInvoice, int]":
    condition = Q()
    for theirs, ours in OURS_MOVED.items():
        condition |= Q(state=theirs, invoice__state__in=ours)
    is_other = ~Q(state=F("invoice__state"))
    rows = StripeInvoice.objects.filter(condition, is_other)
    # What nothing is due of is paid here from the start, and is charged as others are.
    return rows.exclude(state=StripeInvoiceState.DRAFT, invoice__state=InvoiceState.PAID).values_list(
        "invoice_id", flat=True
    )


def find_credited(at: datetime) -> "QuerySet[CreditNote, int]":
    asked = StripeInvoice.objects.filter(ALIVE, invoice=OuterRef("invoice"))
    notes = CreditNote.objects.filter(issued_at__gte=at - LATE, stripe_notes__isnull=True)
    return notes.exclude(key__startswith=FROM_STRIPE).filter(Exists(asked)).values_list("invoice_id", flat=True)


def find_paid_in_part() -> "QuerySet[Payment, int]":
    asked = StripeInvoice.objects.filter(invoice=OuterRef("invoice"), state=StripeInvoiceState.OPEN)
    payments = Payment.objects.filter(invoice__state=InvoiceState.ISSUED, stripe_notes__isnull=True)
    return payments.exclude(method__startswith=FROM_STRIPE).filter(Exists(asked)).values_list("invoice_id", flat=True)


def take_orphans() -> None:
    """What Stripe drew for a period whose invoice became void before it was asked is void with it."""
    live = Invoice.objects.filter(period=OuterRef("period"), kind=InvoiceKind.PERIOD).exclude(state=InvoiceState.VOID)
    rows = StripeInvoice.objects.filter(
        ALIVE, step=StripeInvoiceStep.HELD, invoice=None, period__closed_at__isnull=False
    )
    for row in rows.filter(~Exists(live)):
        void = Invoice.objects.filter(period=row.period, kind=InvoiceKind.PERIOD, state=InvoiceState.VOID)
        void = void.filter(stripe_invoices=None).order_by("-pk")[:1]
        StripeInvoice.objects.filter(pk=row.pk, invoice=None).update(invoice=void.values("pk"))


@transaction.atomic
def try_again(row_id: int, *, at: datetime) -> bool:
    """Ask once more what stopped. False where it did not stop."""
    row = StripeInvoice.objects.select_for_update(of=("self",)).get(pk=row_id)
    if row.step != StripeInvoiceStep.STOPPED or row.invoice_id is None:
        return False
    row.step, row.refused_count, row.waiting_since = StripeInvoiceStep.HELD, row.refused_count + 1, None
    row.error_code, row.error_message = "", ""
    row.save()
    if row.role == StripeInvoiceRole.REST:
        main = StripeInvoice.objects.filter(ALIVE, invoice_id=row.invoice_id, role__in=MAIN)
        main.update(step=StripeInvoiceStep.COMPARED, refused_count=F("refused_count") + 1)
    queue.enqueue(CHARGE, count_rounds(row.invoice_id), {"invoice": row.invoice_id}, at=at)
    return True
