"""Credit notes: the one way to take back what an issued invoice asks, in full, in part or by line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext

from billing.credits.grants import grant_credit, take_from
from billing.credits.top_ups import lock_grant
from billing.lines import LineTax, read_taxes, write_taxes
from billing.models import (
    CreditDestination,
    CreditGrant,
    CreditNote,
    CreditNoteLine,
    CreditSource,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
)
from billing.money import allocate
from billing.moves import lock_invoice, read_standing, settle
from billing.numbers import CREDIT_NOTES, take_number
from billing.taxes import TaxedLine, TaxTerms, tax_line

CREDITABLE = [InvoiceState.ISSUED, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE]


class CreditRefused(ValueError):
    """More than was billed, or than there is to give back, or of an invoice that asks nothing."""


@dataclass(frozen=True, slots=True)
class LineLeft:
    """What of a line no note has given back yet, in smallest units: net, and each of its taxes."""

    line_id: int
    position: int
    net_minor: int
    taxes: tuple[LineTax, ...]

    @property
    def parts(self) -> tuple[int, ...]:
        return (self.net_minor, *(tax.minor for tax in self.taxes))

    @property
    def total_minor(self) -> int:
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class CreditNoteFact:
    """An issued note over `total_minor` smallest units of its invoice's currency, tax included."""

    number: str
    issued_at: datetime
    destination: str
    reason: str
    total_minor: int


def list_credit_notes(invoice_id: int) -> list[CreditNoteFact]:
    """What of an invoice was given back, oldest first. One query."""
    notes = CreditNote.objects.filter(invoice_id=invoice_id).order_by("pk")
    return [
        CreditNoteFact(note.number, note.issued_at, note.destination, note.reason, note.total_minor) for note in notes
    ]


@transaction.atomic
def issue_credit_note(
    invoice_id: int,
    *,
    destination: str,
    reason: str,
    key: str,
    at: datetime,
    amount_minor: int | None = None,
    lines: Mapping[int, int] | None = None,
    by: int | None = None,
) -> CreditNote:
    """Give back, tax included and in smallest units, `lines` (position → amount), an amount shared between the lines in
    proportion, or all that is left. A second call with its key returns the first's.

    `destination` says how: taken off what is still due, granted as credit, or refunded (which is noted here and paid
    elsewhere). What was not paid, by money or credit, cannot come back as either. Raises CreditRefused, UnknownInvoice.
    """
    invoice = lock_invoice(invoice_id)
    known = invoice.credit_notes.filter(key=key).first()
    if known is not None:
        return known
    if invoice.kind == InvoiceKind.THRESHOLD:
        text = gettext("What invoice %(invoice)s billed ahead is credited by its period's own invoice.")
        raise CreditRefused(text % {"invoice": invoice})
    if invoice.state not in CREDITABLE:
        words = {"invoice": invoice, "state": invoice.get_state_display()}
        raise CreditRefused(gettext("Invoice %(invoice)s is %(state)s; nothing is credited of it.") % words)
    left = list_left(invoice)
    shares = {line: share for line, share in share_credit(invoice, left, amount_minor, lines) if share}
    total = sum(shares.values())
    bought = lock_grant(invoice)
    require_room(invoice, total, destination)
    note = write_note(invoice, shares, destination=destination, reason=reason, key=key, at=at, by=by)
    if destination == CreditDestination.BALANCE:
        grant_credit(
            account_id=invoice.account_id,
            currency=invoice.currency,
            amount_minor=total,
            source=CreditSource.CREDIT_NOTE,
            key=f"credit note {note.number}",
            at=at,
            by=by,
        )
    elif destination == CreditDestination.REFUND and bought is not None:
        take_from(bought, total, key=f"credit note {note.number}", at=at, by=by)
    settle(invoice, at=at, by=by)
    return note


def preview_credit_note(
    invoice_id: int, *, destination: str, amount_minor: int | None = None, lines: Mapping[int, int] | None = None
) -> list[CreditNoteLine]:
    """The lines that issue_credit_note would write, unsaved. Raises what that raises, but for races."""
    invoice = Invoice.objects.get(pk=invoice_id)
    shares = [(line, share) for line, share in share_credit(invoice, list_left(invoice), amount_minor, lines) if share]
    require_room(invoice, sum(share for _line, share in shares), destination)
    return [make_line(line, share) for line, share in shares]


def read_left(invoice: Invoice) -> int:
    """What of the invoice's total neither a credit note nor a settlement of late usage has given back."""
    noted = invoice.credit_notes.aggregate(total=Sum("total_minor"))["total"] or 0
    return min(invoice.total_minor - noted, sum(line.total_minor for line in list_left(invoice)))


def list_left(invoice: Invoice) -> list[LineLeft]:
    """Lines of which there is something to give back; one below zero has nothing."""
    found = []
    for line in invoice.lines.prefetch_related("credited", "settlements").order_by("position"):
        left = describe_left(line)
        if left.total_minor > 0:
            found.append(left)
    return found


def describe_left(line: InvoiceLine) -> LineLeft:
    given, late = list(line.credited.all()), tax_late_credit(line)
    taxes = []
    for place, tax in enumerate(read_taxes(line)):
        gone = late.taxes[place].minor + sum(each.taxes[place]["minor"] for each in given)
        taxes.append(replace(tax, minor=max(0, tax.minor - gone)))
    net = line.subtotal_minor - late.net_minor - sum(each.subtotal_minor for each in given)
    return LineLeft(line.pk, line.position, max(0, net) if late.net_minor else net, tuple(taxes))


def tax_late_credit(line: InvoiceLine) -> TaxedLine:
    """What a later invoice gave back of the line because less was counted, with the taxes that the line bore."""
    asked = sum(each.amount_minor - each.discount_minor + each.noted_minor for each in line.settlements.all())
    return tax_line(max(0, -asked), [TaxTerms(tax.name, tax.percent, tax.is_inclusive) for tax in read_taxes(line)])


def share_credit(
    invoice: Invoice, left: list[LineLeft], amount_minor: int | None, lines: Mapping[int, int] | None
) -> Iterable[tuple[LineLeft, int]]:
    """How much of each line. Raises CreditRefused."""
    if lines is not None:
        by_position = {line.position: line for line in left}
        for position, asked in lines.items():
            line = by_position.get(position)
            if line is None or not 0 < asked <= line.total_minor:
                raise CreditRefused(f"Of line {position} of invoice {invoice} there is no {asked} to give back.")
        return [(by_position[position], asked) for position, asked in lines.items()]
    asked = read_left(invoice) if amount_minor is None else amount_minor
    if not 0 < asked <= sum(line.total_minor for line in left):
        raise CreditRefused(f"Of invoice {invoice} there is no {asked} to give back.")
    return zip(left, allocate(asked, [line.total_minor for line in left]), strict=True)


def require_room(invoice: Invoice, total_minor: int, destination: str) -> None:
    """No more than was billed; off what is due no more than is; and back no more than was paid."""
    room = find_room(invoice, destination)
    if total_minor > room:
        raise CreditRefused(f"Of invoice {invoice} {room} can be given back so, not {total_minor}.")


def find_room(invoice: Invoice, destination: str) -> int:
    """How much can be given back in that way, in smallest units.

    What credit paid comes back as credit: refunds are no more than the money that came in. Of credit that was bought as
    much can be refunded as is left, which is taken out of the wallet.
    """
    standing = read_standing(invoice)
    if destination == CreditDestination.DUE:
        room = standing.open_minor
    else:
        back = sum_notes(invoice, ~Q(destination=CreditDestination.DUE))
        room = standing.paid_minor + invoice.credited_minor - back
        if destination == CreditDestination.REFUND:
            room = min(room, standing.paid_minor - sum_notes(invoice, Q(destination=CreditDestination.REFUND)))
        bought = CreditGrant.objects.filter(top_up__invoice=invoice).first()
        if bought is not None:
            room = min(room, bought.balance_minor) if destination == CreditDestination.REFUND else 0
    return min(read_left(invoice), room)


def sum_notes(invoice: Invoice, condition: Q) -> int:
    total: int | None = invoice.credit_notes.filter(condition).aggregate(total=Sum("total_minor"))["total"]
    return total or 0


def write_note(
    invoice: Invoice,
    shares: Mapping[LineLeft, int],
    *,
    destination: str,
    reason: str,
    key: str,
    at: datetime,
    by: int | None,
) -> CreditNote:
    lines = [make_line(line, share) for line, share in shares.items()]
    taken = take_number(at, CREDIT_NOTES)
    note = CreditNote.objects.create(
        invoice=invoice,
        series_id=taken.series_id,
        sequence=taken.sequence,
        number=taken.number,
        destination=destination,
        reason=reason,
        subtotal_minor=sum(line.subtotal_minor for line in lines),
        tax_minor=sum(line.tax_minor for line in lines),
        total_minor=sum(line.total_minor for line in lines),
        key=key,
        issued_at=at,
        made_by_id=by,
    )
    for line in lines:
        line.note = note
    CreditNoteLine.objects.bulk_create(lines)
    return note


def make_line(left: LineLeft, total_minor: int) -> CreditNoteLine:
    """Net and taxes in proportion to what is left of them: notes over the whole line give back each exactly."""
    net, *parts = allocate(total_minor, left.parts)
    taxes = [
        LineTax(tax.name, tax.percent, tax.is_inclusive, part) for tax, part in zip(left.taxes, parts, strict=True)
    ]
    return CreditNoteLine(
        invoice_line_id=left.line_id,
        subtotal_minor=net,
        taxes=write_taxes(taxes),
        tax_minor=sum(parts),
        total_minor=total_minor,
    )
