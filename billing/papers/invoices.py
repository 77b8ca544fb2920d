"""The paper of an issued invoice, from its frozen rows alone: what is paid or given back later moves nothing of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from django.db.models import Prefetch
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from billing.invoicing import UnknownInvoice
from billing.lines import LineFact, LineTax, describe_line
from billing.models import Invoice, InvoiceKind, InvoiceLine
from billing.models.invoices import LINES_OF_PLAN
from billing.papers.copies import copy_invoice
from billing.papers.paper import Attachment, Column, Field, Group, Paper, Row, Section, Sum
from billing.papers.wording import (
    describe_customer,
    describe_seller,
    display_day,
    display_days,
    display_moment,
    name_tax,
    one_line,
    write_foot,
    write_page_words,
)
from billing.sellers import SellerFact, read_seller
from billing.wording import display_money, explain_line
from metering.quantities import format_exact


def read_invoice_paper(number: str, *, account_id: int | None = None) -> Paper:
    """The paper of an issued invoice, of this account alone where one is named. Two queries. Raises UnknownInvoice."""
    lines = Prefetch("lines", InvoiceLine.objects.select_related("meter").order_by("position"))
    found = Invoice.objects.filter(number=number).prefetch_related(lines)
    if account_id is not None:
        found = found.filter(account_id=account_id)
    invoice = found.first()
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {number}.")
    return make_invoice_paper(invoice)


def make_invoice_paper(invoice: Invoice) -> Paper:
    """In the language that was frozen with it. Raises UnknownInvoice for a draft, which is no document yet."""
    if invoice.number is None or invoice.issued_at is None:
        raise UnknownInvoice("A draft is not yet an invoice.")
    seller = read_seller(invoice.seller)
    lines = [describe_line(line) for line in invoice.lines.all()]
    with translation.override(invoice.language):
        title = _("Invoice %(number)s") % {"number": invoice.number}
        return Paper(
            heading=_("Invoice"),
            title=title,
            name=f"invoice-{invoice.number}",
            language=invoice.language,
            dated_at=invoice.issued_at,
            seller=describe_seller(seller),
            for_words=_("Billed to"),
            customer=describe_customer(
                invoice.customer_name,
                address=invoice.customer_address,
                country=invoice.customer_country,
                tax_number=invoice.customer_tax_number,
            ),
            headline=write_headline(invoice, seller),
            facts=tuple(list_facts(invoice, seller)),
            sections=(make_section(invoice, lines),),
            notes=tuple(list_notes(invoice, seller)),
            foot=write_foot(seller, title),
            page_words=write_page_words(),
            attachment=Attachment(
                name=f"invoice-{invoice.number}.json",
                description=_("The same invoice for programs, with every step of each amount"),
                text=copy_invoice(invoice),
            ),
        )


def write_headline(invoice: Invoice, seller: SellerFact) -> Field:
    """What is asked, and by when."""
    amount = display_money(invoice.due_minor, invoice.currency)
    if invoice.due_minor > 0:
        return Field(_("To be paid by %(day)s") % {"day": display_due(invoice, seller)}, amount)
    if invoice.credited_minor < 0:
        return Field(_("Given as credit"), display_money(-invoice.credited_minor, invoice.currency))
    return Field(_("Nothing to pay"), amount)


def list_facts(invoice: Invoice, seller: SellerFact) -> Iterator[Field]:
    yield Field(_("Number"), invoice.number or "")
    yield Field(_("Issued"), display_issue(invoice))
    if invoice.due_minor > 0:
        yield Field(pgettext("day by which an invoice is paid", "Due"), display_due(invoice, seller))
    yield Field(_("Period"), display_days(invoice.period_start, invoice.period_end, invoice.time_zone))
    if invoice.plan_name:
        yield Field(_("Plan"), one_line(invoice.plan_name))


def display_issue(invoice: Invoice) -> str:
    return display_day(invoice.issued_at, invoice.time_zone) if invoice.issued_at else ""


def display_due(invoice: Invoice, seller: SellerFact) -> str:
    if invoice.issued_at is None:
        return ""
    return display_day(invoice.issued_at + timedelta(days=seller.payment_days), invoice.time_zone)


def make_section(invoice: Invoice, lines: Sequence[LineFact]) -> Section:
    has_tax = any(line.taxes for line in lines)
    columns = [
        Column(pgettext("number of a line", "No.")),
        Column(_("Description")),
        Column(_("Quantity"), is_number=True),
    ]
    if has_tax:
        columns.append(Column(_("Tax"), is_number=True))
    columns.append(Column(_("Amount"), is_number=True))
    return Section(
        title="",
        columns=tuple(columns),
        groups=tuple(group_lines(invoice, lines, has_tax=has_tax)),
        sums=tuple(list_sums(invoice, lines)),
        summary=_("Each line with what was used and what it comes to"),
    )


def group_lines(invoice: Invoice, lines: Sequence[LineFact], *, has_tax: bool) -> Iterator[Group]:
    """Fees, usage, and what was billed beside the plan, each in the order of the lines."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        groups[name_group(line)].append(make_row(invoice, line, has_tax=has_tax))
    for title in (_("Fees"), _("Usage"), _("Other items")):
        if title in groups:
            yield Group(tuple(groups[title]), title if len(groups) > 1 else "")


def name_group(line: LineFact) -> str:
    if line.kind not in LINES_OF_PLAN:
        return _("Other items")
    return _("Fees") if line.meter_id is None else _("Usage")


def make_row(invoice: Invoice, line: LineFact, *, has_tax: bool) -> Row:
    cells = [str(line.position), one_line(line.description), format_exact(line.quantity, line.unit)]
    if has_tax:
        cells.append("\n".join(name_tax(tax) for tax in line.taxes) or "–")
    cells.append(display_money(line.amount_minor, invoice.currency))
    return Row(tuple(cells), tuple(list_line_notes(invoice, line)))


def list_line_notes(invoice: Invoice, line: LineFact) -> Iterator[str]:
    """When it was, how many events it prices, why it comes to its amount, what was taken off."""
    if line.period is not None:
        yield display_days(*line.period, invoice.time_zone)
    if line.event_count is not None:
        yield ngettext("%(number)s event", "%(number)s events", line.event_count) % {
            "number": format_exact(Decimal(line.event_count))
        }
    yield from map(one_line, explain_line(line, invoice.currency))
    if line.discount_minor:
        yield _("Discount: %(amount)s") % {"amount": display_money(-line.discount_minor, invoice.currency)}


def list_sums(invoice: Invoice, lines: Sequence[LineFact]) -> Iterator[Sum]:
    """From the amounts of the lines to what is due, so that everything on the paper adds up."""

    def ask(label: str, minor: int, *, is_strong: bool = False) -> Sum:
        return Sum(label, display_money(minor, invoice.currency), is_strong)

    amount_minor = sum(line.amount_minor for line in lines)
    if amount_minor != invoice.subtotal_minor:
        yield ask(_("Sum of the lines"), amount_minor)
    if invoice.discount_minor:
        yield ask(_("Discounts"), -invoice.discount_minor)
    taxes = add_taxes(lines)
    if taxes:
        yield ask(_("Without tax"), invoice.subtotal_minor)
    for tax, (net_minor, tax_minor) in taxes.items():
        yield ask(describe_tax(tax, display_money(net_minor, invoice.currency)), tax_minor)
    yield ask(_("Total"), invoice.total_minor, is_strong=True)
    if invoice.credited_minor > 0:
        yield ask(_("Paid by credit"), -invoice.credited_minor)
        yield ask(_("To be paid"), invoice.due_minor, is_strong=True)
    elif invoice.credited_minor < 0:
        yield ask(_("Given as credit"), -invoice.credited_minor, is_strong=True)


def add_taxes(lines: Iterable[LineFact]) -> dict[LineTax, tuple[int, int]]:
    """tax, as if of nothing → the net it is asked of and what it comes to, over all lines, in the lines' order."""
    sums: dict[LineTax, tuple[int, int]] = {}
    for line in lines:
        for tax in line.taxes:
            key = LineTax(tax.name, tax.percent, tax.is_inclusive, 0)
            net, asked = sums.get(key, (0, 0))
            sums[key] = (net + line.subtotal_minor, asked + tax.minor)
    return sums


def describe_tax(tax: LineTax, net: str) -> str:
    values = {"tax": name_tax(tax), "net": net}
    if tax.is_inclusive:
        return _("%(tax)s on %(net)s, within the prices") % values
    return _("%(tax)s on %(net)s") % values


def list_notes(invoice: Invoice, seller: SellerFact) -> Iterator[Field]:
    if invoice.due_minor > 0:
        terms = ngettext("Within %(days)s day of the issue.", "Within %(days)s days of the issue.", seller.payment_days)
        text = terms % {"days": seller.payment_days} if seller.payment_days else _("At once.")
        yield Field(_("Payment"), "\n".join(filter(None, [text, seller.payment])))
    if invoice.kind == InvoiceKind.THRESHOLD:
        ahead = _("Its usage passed a threshold before the period ended; the period's own invoice takes this off.")
        yield Field(_("Billed ahead"), ahead)
    yield Field(_("What was counted"), describe_window(invoice))
    yield Field(_("Proof"), _("Attached to the PDF is the same invoice as JSON, with every step of each amount."))


def describe_window(invoice: Invoice) -> str:
    values = {
        "start": display_moment(invoice.period_start, invoice.time_zone),
        "end": display_moment(invoice.period_end, invoice.time_zone),
        "zone": invoice.time_zone,
    }
    return _("From %(start)s up to, but not including, %(end)s, on the clocks of %(zone)s.") % values
