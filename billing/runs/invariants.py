"""What must be true of billing runs at any moment, beside what constraints keep."""

from collections.abc import Iterator

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.models import BillingRun, BillingRunEntry, EntryState, InvoiceKind, RunState
from jobs.invariants import Violation


def check_runs() -> Iterator[Violation]:
    yield from check_entries()
    yield from check_ends()
    yield from check_run_sums()


def check_entries() -> Iterator[Violation]:
    """What is billed has its period closed; its invoice, if it is not free, is that period's and asks what it says."""
    done = BillingRunEntry.objects.filter(state=EntryState.DONE)
    for entry in done.filter(Q(period=None) | Q(period__closed_at=None)).order_by("pk"):
        yield Violation("what a run billed is closed", name_entry(entry), "its period is open")
    agrees = Q(
        invoice__kind=InvoiceKind.PERIOD,
        invoice__period_id=F("period_id"),
        invoice__account_id=F("account_id"),
        invoice__subscription_id=F("subscription_id"),
        invoice__currency=F("currency"),
        invoice__total_minor=F("billed_minor"),
    )
    for entry in done.filter(is_free=False).exclude(agrees).order_by("pk"):
        yield Violation("what a run billed is on its invoice", name_entry(entry), "the invoice says something else")
    twice = done.filter(invoice__isnull=False).values("invoice").annotate(entries=Count("pk")).filter(entries__gt=1)
    for row in twice.order_by("invoice"):
        yield Violation("an invoice is of one run", f"invoice {row['invoice']}", f"{row['entries']} entries name it")


def check_ends() -> Iterator[Violation]:
    """A run has not ended while something of it is to be billed, and has once nothing is."""
    waiting = BillingRunEntry.objects.filter(run=OuterRef("pk"), state=EntryState.PENDING)
    runs = BillingRun.objects.order_by("pk")
    for run in runs.filter(Exists(waiting), state__in=[RunState.DONE, RunState.CANCELLED]):
        yield Violation(
            "a run that has ended bills no more", f"billing run {run.pk}", "something of it is to be billed"
        )
    for run in runs.exclude(Exists(waiting)).filter(state__in=[RunState.PREVIEWING, RunState.ISSUING]):
        yield Violation("a run ends with its last part", f"billing run {run.pk}", f"it is {run.state}")


def check_run_sums() -> Iterator[Violation]:
    """Each run comes to the sum of its invoices, in each currency."""
    entries: QuerySet[BillingRunEntry] = BillingRunEntry.objects.filter(state=EntryState.DONE)
    sums = entries.values("run", "currency").annotate(
        billed=Sum("billed_minor"), asked=Coalesce(Sum("invoice__total_minor"), 0)
    )
    for row in sums.exclude(billed=F("asked")).order_by("run", "currency"):
        detail = f"{row['billed']} is billed in {row['currency']}, its invoices ask {row['asked']}"
        yield Violation("a run is the sum of its invoices", f"billing run {row['run']}", detail)


def name_entry(entry: BillingRunEntry) -> str:
    return f"entry {entry.pk} of billing run {entry.run_id}"
