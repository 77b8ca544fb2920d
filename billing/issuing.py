"""Issuing: a draft is paid by what credit there is, gets its number, and never changes again."""

from datetime import datetime

from django.db import transaction

from billing.credits.grants import grant_credit
from billing.credits.spending import BillLine, burn_credits, name_price
from billing.drafting import UnknownDraft, find_last_moment
from billing.lines import describe_line
from billing.models import CreditSource, Invoice, InvoiceState
from billing.money import allocate
from billing.numbers import take_number


def name_invoice_key(invoice: Invoice) -> str:
    """What the ledger of credit calls an invoice."""
    return f"invoice {invoice.pk}"


@transaction.atomic
def issue_one_off(invoice_id: int, *, at: datetime) -> Invoice:
    """Issue a draft of items. A second call, also at the same time, changes nothing. Raises UnknownDraft."""
    invoice = Invoice.objects.select_for_update(of=("self",)).filter(pk=invoice_id, period=None).first()
    if invoice is None:
        raise UnknownDraft(f"There is no draft {invoice_id} of items.")
    if invoice.state == InvoiceState.DRAFT:
        issue_invoice(invoice, at=at)
    return invoice


def issue_invoice(invoice: Invoice, *, at: datetime) -> None:
    """Give a draft, whose row the caller has locked or made, its number; from here on the database refuses any change.

    Credit pays what it can; a document that comes to less than zero gives credit instead. The number is taken last:
    others wait for it until the transaction ends.
    """
    if invoice.total_minor > 0:
        invoice.credited_minor = burn_for(invoice, at=at)
    elif invoice.total_minor < 0:
        invoice.credited_minor = invoice.total_minor
        give_back(invoice, at=at)
    invoice.due_minor = invoice.total_minor - invoice.credited_minor
    taken = take_number(at)
    invoice.state, invoice.issued_at = InvoiceState.ISSUED, at
    invoice.series_id, invoice.sequence, invoice.number = taken.series_id, taken.sequence, taken.number
    invoice.save(update_fields=["state", "issued_at", "series", "sequence", "number", "credited_minor", "due_minor"])


def burn_for(invoice: Invoice, *, at: datetime) -> int:
    """What credit pays. Lines below zero are first set off against the others, in proportion."""
    asked = [describe_line(line) for line in invoice.lines.select_related("meter") if line.total_minor > 0]
    amounts = allocate(invoice.total_minor, [line.total_minor for line in asked])
    applied = burn_credits(
        invoice.account_id,
        [
            BillLine(line.position, amount, name_price(line))
            for line, amount in zip(asked, amounts, strict=True)
            if amount
        ],
        currency=invoice.currency,
        key=name_invoice_key(invoice),
        moment=find_last_moment(invoice, at=at),
        at=at,
        invoice_id=invoice.pk,
    )
    return sum(each.amount_minor for each in applied)


def give_back(invoice: Invoice, *, at: datetime) -> None:
    grant_credit(
        account_id=invoice.account_id,
        currency=invoice.currency,
        amount_minor=-invoice.total_minor,
        source=CreditSource.CREDIT_NOTE,
        key=name_invoice_key(invoice),
        at=at,
    )
