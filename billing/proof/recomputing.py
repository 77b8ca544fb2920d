"""Proof of an invoice: what it says, made anew from the raw events and the frozen prices, and the first difference.

Of an invoice for a period every line of the plan is counted, rated, discounted and taxed again. What else it bills was
written before by its item: there the item's own arithmetic has to hold, and its tax.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from typing import Any

from django.db.models import Sum

from billing import coupons, plans
from billing.details import Details
from billing.discounts import share_discounts
from billing.documents import DocumentSums, add_up, ask_taxes
from billing.invoicing import UnknownInvoice
from billing.lines import LineFact, describe_line, rate_readings
from billing.models import (
    LINES_OF_PLAN,
    CreditEntry,
    CreditKind,
    Invoice,
    InvoiceItem,
    InvoiceKind,
    InvoiceLine,
    Period,
)
from billing.money import EXACT, round_money
from billing.plans import PlanTerms
from billing.rating import Part, write_steps
from billing.rating.readings import WHOLE
from billing.taxes import TaxTerms
from metering.evidence import Evidence, HistoryPruned, open_evidence
from metering.proving import Recount, recount_events

__all__ = ["Difference", "Proof", "ProofState", "UnknownInvoice", "prove_invoice"]


class ProofState(StrEnum):
    PROVED = "proved"
    DIFFERS = "differs"
    UNPROVABLE = "unprovable"  # what it would take is not there any more, or never was


@dataclass(frozen=True, slots=True)
class Difference:
    """What the invoice says and what was found instead; `position` is that of the line, None of the invoice itself."""

    position: int | None
    field: str
    stated: str
    found: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Amounts are in smallest units; `found_minor` is None where nothing could be recomputed.

    `reason` says why an invoice is unprovable. Left out of the count are `late_count` events that were counted since;
    `corrected_count` are in it although they were corrected since.
    """

    number: str
    state: ProofState
    currency: str
    total_minor: int
    found_minor: int | None
    start: datetime
    end: datetime
    difference: Difference | None = None
    reason: str = ""
    line_count: int = 0
    event_count: int = 0
    late_count: int = 0
    corrected_count: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """An issued invoice with its lines, and what its plan's lines are made of."""

    invoice: Invoice
    rows: tuple[InvoiceLine, ...]
    lines: tuple[LineFact, ...]
    period: Period | None
    terms: PlanTerms | None

    @property
    def metered(self) -> set[int]:
        """The meters of its lines of prices; of an invoice ahead of the period's end there are none to count."""
        if self.terms is None:
            return set()
        return {line.meter_id for line in self.lines if line.kind in LINES_OF_PLAN and line.meter_id is not None}


def prove_invoice(number: str, *, account_id: int | None = None) -> Proof:
    """Recompute an issued invoice. Reads its events one by one, in bounded memory. Raises UnknownInvoice."""
    subject = load_subject(number, account_id=account_id)
    invoice, evidence = subject.invoice, None
    if invoice.kind == InvoiceKind.THRESHOLD:
        reason = (
            "It bills a part of its period ahead; the invoice of the period takes it off again and proves the whole."
        )
        return state_proof(subject, ProofState.UNPROVABLE, reason=reason)
    if subject.metered:
        try:
            evidence = gather_evidence(subject)
        except HistoryPruned as error:
            return state_proof(subject, ProofState.UNPROVABLE, reason=str(error))
    recounts = recount_events(evidence, valued=list_valued(subject)) if evidence else {}
    found = recompute_lines(subject, recounts)
    sums, credited = add_up(found), read_credited(invoice)
    difference = next(compare_invoice(subject, found, sums, credited), None)
    state, reason = ProofState.DIFFERS if difference else ProofState.PROVED, ""
    undigested = [line.position for line in subject.lines if line.meter_id in recounts and line.event_digest is None]
    if undigested and not difference:
        state = ProofState.UNPROVABLE
        reason = f"Which events they are nobody can tell: lines {undigested} were issued without a digest of them."
    return replace(
        state_proof(subject, state, reason=reason),
        found_minor=sums.total_minor,
        difference=difference,
        event_count=sum(recount.event_count for recount in recounts.values()),
        late_count=evidence.late_count if evidence else 0,
        corrected_count=evidence.corrected_count if evidence else 0,
    )


def load_subject(number: str, *, account_id: int | None = None) -> Subject:
    """Raises UnknownInvoice, also for another account's number."""
    invoices = Invoice.objects.select_related("period__subscription").filter(number__isnull=False, number=number)
    if account_id is not None:
        invoices = invoices.filter(account_id=account_id)
    invoice = invoices.first() if "\0" not in number else None
    if invoice is None:
        raise UnknownInvoice(f"There is no invoice {number}.")
    rows = tuple(invoice.lines.select_related("meter").order_by("position"))
    period = invoice.period if invoice.kind == InvoiceKind.PERIOD else None
    terms = plans.read_version(period.version_id) if period else None
    return Subject(invoice, rows, tuple(map(describe_line, rows)), period, terms)


def gather_evidence(subject: Subject) -> Evidence:
    """The events of its metered lines, as they were counted when its period was closed. Raises HistoryPruned."""
    invoice = subject.invoice
    return open_evidence(
        invoice.account_id,
        subject.metered,
        start=invoice.period_start,
        end=invoice.period_end,
        closed_at=(subject.period.closed_at if subject.period else None) or invoice.issued_at or invoice.period_end,
    )


def list_valued(subject: Subject) -> set[int]:
    """The meters of which a price looks at the worth of each event."""
    prices = subject.terms.prices if subject.terms else ()
    keys = {price.meter_key for price in prices if price.needs_transactions}
    return {line.meter_id for line in subject.lines if line.meter_key in keys and line.meter_id is not None}


def recompute_lines(subject: Subject, recounts: dict[int, Recount]) -> tuple[LineFact, ...]:
    """The lines as they come out, by position: those of the plan made anew, the others by their own arithmetic."""
    rated = rate_again(subject, recounts)
    others = [recompute_item(line, subject.invoice.currency) for line in subject.lines[len(rated) :]]
    shares = share_discounts([max(line.amount_minor, 0) for line in rated], read_discounts(subject))
    off = [sum(share[place] for share in shares) for place in range(len(rated))]
    discounted = [replace(line, discount_minor=part) for line, part in zip(rated, off, strict=True)] + others
    stated = {line.position: line for line in subject.lines}
    return tuple(
        ask_taxes(line, list_taxes(stated[line.position])) if line.position in stated else line for line in discounted
    )


def rate_again(subject: Subject, recounts: dict[int, Recount]) -> tuple[LineFact, ...]:
    if subject.terms is None or subject.period is None:
        return ()
    by_key = {recount.terms.key: recount for recount in recounts.values()}
    readings = [recount.state_reading() for recount in recounts.values()]
    prices = [price for price in subject.terms.prices if price.meter_key]
    details = Details(
        parts={
            (price.meter_key or "", price.dimensions): tuple(
                Part(tuple(sorted(part.values.items())), part.quantity)
                for part in by_key[price.meter_key or ""].list_parts(price.dimensions)
            )
            for price in prices
            if price.dimensions
        },
        transactions={
            price.meter_key or "": tuple(by_key[price.meter_key or ""].list_values())
            for price in prices
            if price.needs_transactions
        },
    )
    return rate_readings(subject.terms, readings, details, held=subject.period.held, part=find_part(subject))


def find_part(subject: Subject) -> Fraction:
    """Which part it is of a whole period, as its lines keep it: it depends on what the profile said then."""
    return min((line.usage.part for line in subject.lines if line.usage), default=WHOLE)


def read_discounts(subject: Subject) -> list[Any]:
    """Those that were in effect when the period began: coupons given since begin later."""
    if subject.period is None:
        return []
    given = coupons.read_discounts(
        account_id=subject.invoice.account_id,
        subscription_id=subject.invoice.subscription_id,
        at=subject.period.starts_at,
    )
    return [each.terms for each in given]


def recompute_item(line: LineFact, currency: str) -> LineFact:
    """What it bills by its own steps, each its quantity times its price."""
    with localcontext(EXACT):
        steps = tuple(replace(step, amount=step.quantity * step.unit_amount) for step in line.steps)
        exact = sum((step.amount for step in steps), start=Decimal(0))
    amount = round_money(exact, currency).minor
    return replace(line, steps=steps, amount_exact=exact, amount_minor=amount)


def list_taxes(line: LineFact) -> list[TaxTerms]:
    return [TaxTerms(tax.name, tax.percent, tax.is_inclusive) for tax in line.taxes]


def compare_invoice(
    subject: Subject, found: Sequence[LineFact], sums: DocumentSums, credited: int
) -> Iterator[Difference]:
    """Each difference, line by line, then those of the sums."""
    invoice = subject.invoice
    if len(found) != len(subject.lines):
        yield Difference(None, "number of lines", str(len(subject.lines)), str(len(found)))
        return
    amounts = read_items(invoice)
    for row, stated, line in zip(subject.rows, subject.lines, found, strict=True):
        yield from compare_line(row, stated, line)
        if stated.position in amounts and amounts[stated.position] != stated.amount_minor:
            yield Difference(
                stated.position, "amount of its item", str(stated.amount_minor), str(amounts[stated.position])
            )
    for field, said, is_ in (
        ("discount", invoice.discount_minor, sums.discount_minor),
        ("subtotal", invoice.subtotal_minor, sums.subtotal_minor),
        ("tax", invoice.tax_minor, sums.tax_minor),
        ("total", invoice.total_minor, sums.total_minor),
        ("credit", invoice.credited_minor, credited),
        ("due", invoice.due_minor, sums.total_minor - credited),
    ):
        if said != is_:
            yield Difference(None, field, str(said), str(is_))


def compare_line(row: InvoiceLine, stated: LineFact, found: LineFact) -> Iterator[Difference]:
    fields: Iterable[tuple[str, Any, Any]] = (
        ("position", stated.position, found.position),
        ("kind", stated.kind, found.kind),
        ("meter", stated.meter_key, found.meter_key),
        ("count of events", stated.event_count, found.event_count),
        ("digest of events", stated.event_digest, found.event_digest if stated.event_digest else None),
        ("quantity", stated.quantity, found.quantity),
        ("steps", write_steps(stated.steps), write_steps(found.steps)),
        ("exact amount", stated.amount_exact, found.amount_exact),
        ("amount", stated.amount_minor, found.amount_minor),
        ("discount", stated.discount_minor, found.discount_minor),
        ("taxes", [tax.minor for tax in stated.taxes], [tax.minor for tax in found.taxes]),
        ("subtotal", row.subtotal_minor, found.subtotal_minor),
        ("tax", row.tax_minor, found.tax_minor),
        ("total", row.total_minor, found.total_minor),
    )
    for field, said, is_ in fields:
        if said != is_:
            yield Difference(stated.position, field, write_value(said), write_value(is_))


def write_value(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def read_items(invoice: Invoice) -> dict[int, int]:
    """Position of a line → the amount of the item that it bills. A void invoice gave its items back."""
    billed = InvoiceItem.objects.filter(invoice_line__invoice=invoice)
    return dict(billed.values_list("invoice_line__position", "amount_minor"))


def read_credited(invoice: Invoice) -> int:
    """What the ledger says that credit paid of it; of one that gives credit, below zero, what it comes to."""
    if invoice.total_minor < 0:
        return invoice.total_minor
    burned = CreditEntry.objects.filter(invoice=invoice, kind=CreditKind.BURNED)
    return -int(burned.aggregate(total=Sum("amount_minor", default=0))["total"])


def state_proof(subject: Subject, state: ProofState, *, reason: str) -> Proof:
    invoice = subject.invoice
    return Proof(
        number=invoice.number or "",
        state=state,
        currency=invoice.currency,
        total_minor=invoice.total_minor,
        found_minor=None,
        start=invoice.period_start,
        end=invoice.period_end,
        reason=reason,
        line_count=len(subject.lines),
    )
