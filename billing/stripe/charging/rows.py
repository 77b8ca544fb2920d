"""The rows behind Stripe's invoices: what Stripe told last, and how far we are. No network here."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import translation

from billing.models import Invoice, StripeInvoice, StripeInvoiceRole, StripeInvoiceState, StripeInvoiceStep
from billing.stripe.charging.amounts import read_minor
from billing.stripe.charging.told import RANK, Told

MAIN = [StripeInvoiceRole.CYCLE, StripeInvoiceRole.OWN]
ENDED = [StripeInvoiceStep.FINALISED, StripeInvoiceStep.STOPPED]
ALIVE = ~Q(state=StripeInvoiceState.DELETED)


@transaction.atomic
def keep_row(told: Told, *, at: datetime, **fields: object) -> StripeInvoice:
    """The row of an invoice that Stripe told of; written with these fields where it is new."""
    begun = {"currency": told.currency, "created_at": told.created_at or at, "read_at": at}
    row, _is_new = StripeInvoice.objects.get_or_create(stripe_id=told.stripe_id, defaults=begun | fields)
    return write_told(row.pk, told, at=at)


@transaction.atomic
def write_told(row_id: int, told: Told, *, at: datetime) -> StripeInvoice:
    """Bring a row up to date. What was read before something that is stored already changes nothing."""
    row = StripeInvoice.objects.select_for_update(of=("self",)).get(pk=row_id)
    is_older = (RANK.get(told.status, -1), told.attempt_count) < (RANK[row.state], row.attempt_count)
    if is_older or RANK.get(told.status) is None:
        return row
    currency = row.currency
    row.state, row.number = told.status, told.number
    row.total_minor, row.paid_minor = read_minor(told.total, currency), read_minor(told.amount_paid, currency)
    row.hosted_invoice_url, row.attempt_count = told.hosted_invoice_url, told.attempt_count
    row.next_attempt_at = told.next_attempt_at
    row.finalised_at, row.paid_at, row.read_at = told.finalised_at, told.paid_at, at
    row.needs_action = told.status == StripeInvoiceState.OPEN and any(each.needs_action for each in told.payments)
    if row.step != StripeInvoiceStep.STOPPED or told.status == StripeInvoiceState.PAID:
        row.error_code, row.error_message = find_error(told)
    row.save()
    return row


def find_error(told: Told) -> tuple[str, str]:
    """Why it could not be finalised, or why the last attempt to collect it failed. Empty once it is paid."""
    if told.error_message:
        return told.error_code, told.error_message
    if told.status != StripeInvoiceState.PAID:
        for payment in reversed(told.payments):
            if payment.error_message:
                return payment.error_code, payment.error_message
    return "", ""


def in_language_of(row: StripeInvoice) -> translation.override:
    """For what its customer reads, whoever writes it: in the language of the invoice that it asks."""
    return translation.override(row.invoice.language if row.invoice else None)


def find_main(invoice: Invoice) -> StripeInvoice | None:
    """The one that asks it, or asks most of it."""
    return StripeInvoice.objects.filter(ALIVE, invoice=invoice, role__in=MAIN).first()


def find_rest(invoice: Invoice) -> StripeInvoice | None:
    return StripeInvoice.objects.filter(ALIVE, invoice=invoice, role=StripeInvoiceRole.REST).first()


@transaction.atomic
def link_cycle(period_id: int, invoice: Invoice) -> StripeInvoice | None:
    """What Stripe drew for the period, which from now on asks this invoice; None where there is none, or it asked
    another one before.
    """
    rows = StripeInvoice.objects.select_for_update(of=("self",)).filter(ALIVE, period_id=period_id)
    row = rows.filter(role=StripeInvoiceRole.CYCLE).first()
    if row is None or row.invoice_id not in (None, invoice.pk):
        return None
    if row.invoice_id is None:
        row.invoice = invoice
        row.save(update_fields=["invoice"])
    return row


def reach(row: StripeInvoice, step: StripeInvoiceStep) -> None:
    """Store that a step is done at Stripe."""
    row.step, row.waiting_since = step, None
    row.save(update_fields=["step", "waiting_since"])


def stop(row: StripeInvoice, *, code: str, message: str) -> None:
    """Nothing more is done with it until somebody says so."""
    row.step, row.error_code, row.error_message = StripeInvoiceStep.STOPPED, code[:100], message
    row.save(update_fields=["step", "error_code", "error_message"])


def count_rounds(invoice_id: int) -> str:
    """Names the job that charges an invoice: another one after its draft is gone or somebody tries again."""
    rows = list(
        StripeInvoice.objects.filter(invoice_id=invoice_id, role__in=MAIN).values_list("state", "refused_count")
    )
    gone = sum(state == StripeInvoiceState.DELETED for state, _count in rows)
    return f"{invoice_id}:{gone}:{sum(count for _state, count in rows)}"
