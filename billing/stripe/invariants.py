"""What must be true of what Stripe was told and asks, at any moment: where the two differ there is a drift."""

from collections.abc import Iterable, Iterator

from django.db.models import Q

from billing.models import DriftState, Invoice, StripeDrift, StripeInvoiceStep, StripeTally
from billing.stripe.reconciling.charges import find_total, read_rows
from billing.stripe.reconciling.findings import Finding
from billing.stripe.reconciling.usage import CHUNK, FAILED, UNSENT, Sent, find_difference, read_billed, read_sent
from jobs.invariants import Violation

KNOWN = [DriftState.OPEN, DriftState.ACCEPTED]


def check_stripe() -> Iterator[Violation]:
    yield from check_asked()
    yield from check_told()


def check_asked() -> Iterator[Violation]:
    """Final invoices of Stripe's ask what is due, all together, or somebody knows that they do not."""
    asked = Invoice.objects.filter(stripe_invoices__step=StripeInvoiceStep.FINALISED).distinct().order_by("pk")
    for invoice in asked.prefetch_related("stripe_invoices__credit_notes").iterator(chunk_size=CHUNK):
        final = [
            row for row in read_rows(invoice) if row.step == StripeInvoiceStep.FINALISED and row.state != "deleted"
        ]
        for finding in find_unknown(find_total(invoice, final)):
            detail = f"{finding.ours} is due, Stripe asks {finding.theirs}"
            yield Violation("Stripe asks what is due", f"invoice {invoice.number}", detail)


def check_told() -> Iterator[Violation]:
    """What Stripe accepted of a period that is all told is what its invoice bills of the meter."""
    closed = StripeTally.objects.filter(closed_at__isnull=False).select_related("period", "meter").order_by("pk")
    chunk: list[StripeTally] = []
    for tally in closed.iterator(chunk_size=CHUNK):
        chunk.append(tally)
        if len(chunk) == CHUNK:
            yield from compare_told(chunk)
            chunk = []
    yield from compare_told(chunk)


def compare_told(tallies: list[StripeTally]) -> Iterator[Violation]:
    if not tallies:
        return
    sent, billed = read_sent(tallies), read_billed(tallies)
    for tally in tallies:
        key = tally.period_id, tally.meter_id
        found = find_difference(tally, sent.get(key, Sent()), billed.get(key), is_over=True)
        for finding in find_unknown(found, FAILED, UNSENT):
            detail = f"{finding.ours} is billed, Stripe was told {finding.theirs}"
            yield Violation("Stripe's meters were told what is billed", f"period {finding.key}", detail)


def find_unknown(findings: Iterable[Finding], *kinds: str) -> Iterator[Finding]:
    """Those without a drift that is open, or was accepted."""
    for finding in findings:
        about = Q(kind__in=kinds or [finding.kind], key=finding.key, state__in=KNOWN)
        if not StripeDrift.objects.filter(about).exists():
            yield finding
