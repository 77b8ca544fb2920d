"""The paper of a credit note, which names the invoice it takes back from and speaks its language."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db.models import Prefetch
from django.utils import translation
from django.utils.translation import gettext as _

from billing.lines import LineTax, read_taxes
from billing.models import CreditDestination, CreditNote, CreditNoteLine
from billing.papers.copies import copy_credit_note
from billing.papers.invoices import describe_tax, display_issue
from billing.papers.paper import Attachment, Column, Field, Group, Paper, Row, Section, Sum
from billing.papers.wording import (
    describe_customer,
    describe_seller,
    display_day,
    name_tax,
    one_line,
    write_foot,
    write_page_words,
)
from billing.sellers import read_seller
from billing.wording import display_money


class UnknownCreditNote(LookupError):
    """The account has no credit note with this number."""


def read_credit_note_paper(number: str, *, account_id: int | None = None) -> Paper:
    """The paper of a credit note, of this account alone where one is named. Two queries. Raises UnknownCreditNote."""
    lines = CreditNoteLine.objects.select_related("invoice_line").order_by("invoice_line__position")
    found = (
        CreditNote.objects.filter(number=number).select_related("invoice").prefetch_related(Prefetch("lines", lines))
    )
    if account_id is not None:
        found = found.filter(invoice__account_id=account_id)
    note = found.first()
    if note is None:
        raise UnknownCreditNote(f"There is no credit note {number}.")
    return make_credit_note_paper(note)


def make_credit_note_paper(note: CreditNote) -> Paper:
    invoice = note.invoice
    seller = read_seller(invoice.seller)
    with translation.override(invoice.language):
        title = _("Credit note %(number)s") % {"number": note.number}
        return Paper(
            heading=_("Credit note"),
            title=title,
            name=f"credit-note-{note.number}",
            language=invoice.language,
            dated_at=note.issued_at,
            seller=describe_seller(seller),
            for_words=_("Credited to"),
            customer=describe_customer(
                invoice.customer_name,
                address=invoice.customer_address,
                country=invoice.customer_country,
                tax_number=invoice.customer_tax_number,
            ),
            headline=Field(describe_destination(note.destination), display_money(note.total_minor, invoice.currency)),
            facts=(
                Field(_("Number"), note.number),
                Field(_("Issued"), display_day(note.issued_at, invoice.time_zone)),
                Field(_("Invoice"), invoice.number or ""),
                Field(_("Invoice issued"), display_issue(invoice)),
            ),
            sections=(make_section(note, list(note.lines.all())),),
            notes=(
                Field(_("Reason"), one_line(note.reason)),
                Field(_("Proof"), _("Attached to the PDF is the same credit note as JSON.")),
            ),
            foot=write_foot(seller, title),
            page_words=write_page_words(),
            attachment=Attachment(
                name=f"credit-note-{note.number}.json",
                description=_("The same credit note for programs"),
                text=copy_credit_note(note),
            ),
        )


def describe_destination(destination: str) -> str:
    match destination:
        case CreditDestination.DUE:
            return _("Taken off what is due")
        case CreditDestination.BALANCE:
            return _("Given as credit")
        case _other:
            return _("To be refunded")


def make_section(note: CreditNote, lines: Sequence[CreditNoteLine]) -> Section:
    currency = note.invoice.currency
    has_tax = any(line.taxes for line in lines)
    columns = [Column(_("Line")), Column(_("Description"))]
    if has_tax:
        columns += [Column(_("Tax"), is_number=True), Column(_("Without tax"), is_number=True)]
    columns.append(Column(_("Amount"), is_number=True))
    return Section(
        title="",
        columns=tuple(columns),
        groups=(Group(tuple(make_row(line, currency, has_tax=has_tax) for line in lines)),),
        sums=tuple(list_sums(note, lines)),
        summary=_("Each line of the invoice with what of it is given back"),
    )


def make_row(line: CreditNoteLine, currency: str, *, has_tax: bool) -> Row:
    cells = [str(line.invoice_line.position), one_line(line.invoice_line.description)]
    if has_tax:
        cells.append("\n".join(name_tax(tax) for tax in read_taxes(line)) or "–")
        cells.append(display_money(line.subtotal_minor, currency))
    cells.append(display_money(line.total_minor, currency))
    return Row(tuple(cells))


def list_sums(note: CreditNote, lines: Sequence[CreditNoteLine]) -> Iterator[Sum]:
    currency = note.invoice.currency
    sums: dict[LineTax, list[int]] = defaultdict(lambda: [0, 0])
    for line in lines:
        for tax in read_taxes(line):
            of_tax = sums[LineTax(tax.name, tax.percent, tax.is_inclusive, 0)]
            of_tax[0] += line.subtotal_minor
            of_tax[1] += tax.minor
    if sums:
        yield Sum(_("Without tax"), display_money(note.subtotal_minor, currency))
    for tax, (net_minor, tax_minor) in sums.items():
        yield Sum(describe_tax(tax, display_money(net_minor, currency)), display_money(tax_minor, currency))
    yield Sum(_("Total"), display_money(note.total_minor, currency), is_strong=True)
