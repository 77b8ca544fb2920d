"""Issuing: a draft is paid by what credit there is, gets its number, and never changes again.

It is issued; where nothing is due, it is paid at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext

from billing.credits.grants import grant_credit
from billing.credits.spending import Bill, BillLine, burn_bills, name_price
from billing.drafting import Draft, UnknownDraft, find_last_moment
from billing.lines import LineFact, describe_line
from billing.models import CreditSource, Invoice, InvoiceMove, InvoiceState, ItemKind
from billing.money import allocate
from billing.numbers import take_numbers
from billing.rows import insert_rows

ISSUE = """
    UPDATE billing_invoice SET state = taken.state, issued_at = %s, series_id = taken.series_id,
        sequence = taken.sequence, number = taken.number, credited_minor = taken.credited_minor,
        due_minor = total_minor - taken.credited_minor
    FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::bigint[], %s::text[])
        AS taken (id, series_id, sequence, number, credited_minor, state)
    WHERE billing_invoice.id = taken.id
"""


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
    """One that was stored before; see issue_invoices."""
    issue_invoices([Draft(invoice, tuple(map(describe_line, invoice.lines.select_related("meter"))))], at=at)


def issue_invoices(drafts: Sequence[Draft], *, at: datetime) -> None:
    """Give drafts, whose rows the caller has locked or made, their numbers; from here on no change is let through.

    Credit pays what it can; a document that comes to less than zero gives credit instead. Where nothing is due then,
    the invoice is paid at once, without a payment. The numbers are taken last: others wait for them until the
    transaction ends.
    """
    if not drafts:
        return
    credited = burn_for([draft for draft in drafts if draft.invoice.total_minor > 0 and not sells_credit(draft)], at=at)
    for draft in drafts:
        if draft.invoice.total_minor < 0:
            credited[draft.invoice.pk] = give_back(draft.invoice, at=at)
    invoices = [draft.invoice for draft in drafts]
    for invoice in invoices:
        invoice.credited_minor = credited.get(invoice.pk, 0)
        invoice.due_minor = invoice.total_minor - invoice.credited_minor
        invoice.state, invoice.issued_at = InvoiceState.ISSUED if invoice.due_minor else InvoiceState.PAID, at
    insert_rows(InvoiceMove, list_first_moves(invoices, at=at))
    for invoice, taken in zip(invoices, take_numbers(len(invoices), at), strict=True):
        invoice.series_id, invoice.sequence, invoice.number = taken.series_id, taken.sequence, taken.number
    write_issued(invoices, at=at)


def list_first_moves(invoices: Iterable[Invoice], *, at: datetime) -> Iterable[Mapping[str, Any]]:
    for invoice in invoices:
        yield {"invoice_id": invoice.pk, "state": InvoiceState.ISSUED, "at": at}
        if invoice.state == InvoiceState.PAID:
            reason = gettext("Nothing is due.")
            yield {"invoice_id": invoice.pk, "state": InvoiceState.PAID, "at": at, "reason": reason}


def write_issued(invoices: Sequence[Invoice], *, at: datetime) -> None:
    rows = [
        (each.pk, each.series_id, each.sequence, each.number, each.credited_minor, str(each.state)) for each in invoices
    ]
    with connection.cursor() as cursor:
        cursor.execute(ISSUE, [at, *(list(column) for column in zip(*rows, strict=True))])


def sells_credit(draft: Draft) -> bool:
    """Credit never pays for credit."""
    return any(line.kind == ItemKind.TOP_UP for line in draft.lines)


def burn_for(drafts: Sequence[Draft], *, at: datetime) -> dict[int, int]:
    """invoice id → what credit pays of it."""
    bills = {draft.invoice.pk: make_bill(draft, at=at) for draft in drafts}
    applied = burn_bills(list(bills.values()), at=at) if bills else {}
    return {pk: sum(each.amount_minor for each in applied[bill.key]) for pk, bill in bills.items()}


def make_bill(draft: Draft, *, at: datetime) -> Bill:
    invoice = draft.invoice
    return Bill(
        key=name_invoice_key(invoice),
        account_id=invoice.account_id,
        currency=invoice.currency,
        lines=list_bill_lines(draft.lines, invoice.total_minor),
        moment=find_last_moment(invoice, at=at),
        invoice_id=invoice.pk,
    )


def list_bill_lines(lines: Sequence[LineFact], total_minor: int) -> tuple[BillLine, ...]:
    """What credit may pay of each. Lines below zero are first set off against the others, in proportion."""
    asked = [line for line in lines if line.total_minor > 0]
    amounts: Sequence[int] = [line.total_minor for line in asked]
    if sum(amounts) != total_minor:
        amounts = allocate(max(total_minor, 0), amounts)
    return tuple(
        BillLine(line.position, amount, name_price(line)) for line, amount in zip(asked, amounts, strict=True) if amount
    )


def give_back(invoice: Invoice, *, at: datetime) -> int:
    """Returns what it gave, below zero."""
    grant_credit(
        account_id=invoice.account_id,
        currency=invoice.currency,
        amount_minor=-invoice.total_minor,
        source=CreditSource.CREDIT_NOTE,
        key=name_invoice_key(invoice),
        at=at,
    )
    return invoice.total_minor
