"""Opening a run: every period that is due becomes an entry, and each part of them a job."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery

from billing import grace
from billing.models import ENTRY_OPEN, BillingRun, BillingRunEntry, EntryState, Period, RunState
from billing.runs.gone import find_gone, select_invoices
from billing.runs.parts import PART, cut_parts, name_part
from jobs import queue

BILL_PART, PREVIEW_PART = "billing.bill_part", "billing.preview_part"
BATCH = 1_000
MICROSECOND = timedelta(microseconds=1)


class NothingDue(LookupError):
    """No period is due that is not in a run already."""


@transaction.atomic
def open_run(
    *, at: datetime, by: int | None = None, is_automatic: bool = False, is_approved: bool = False
) -> BillingRun:
    """Take all that is due into a run, and promise its preview; or, where it is approved already, its invoices.

    Two at once share nothing: what one takes the other leaves. Raises NothingDue.
    """
    run = BillingRun.objects.create(at=at, opened_by_id=by, is_automatic=is_automatic)
    add_entries(run)
    taken = run.entries.filter(state=EntryState.PENDING)
    run.entry_count = taken.count()
    if not run.entry_count:
        raise NothingDue("Nothing is due: every period that is over is billed, or in a run that is under way.")
    add_gone(run)
    if is_approved:
        run.state, run.approved_at, run.approved_by_id = RunState.ISSUING, at, by
        run.approved_count = taken.filter(is_free=False).count()
    run.save()
    promise_parts(run, BILL_PART if is_approved else PREVIEW_PART, at=at)
    return run


def select_due(at: datetime) -> QuerySet[Period]:
    """Periods whose grace is over, that are not closed and in no run."""
    taken = BillingRunEntry.objects.filter(period=OuterRef("pk"), state__in=ENTRY_OPEN)
    return grace.select_due(at).exclude(Exists(taken))


def list_due(at: datetime) -> Iterator[tuple[int, Period]]:
    """Each with its account. In this order runs meet, and wait for one another instead of each for the other."""
    last = select_invoices(OuterRef("subscription"), before=OuterRef("starts_at")).values("pk")[:1]
    due = select_due(at).select_related("subscription", "version").annotate(last_invoice_id=Subquery(last))
    ordered = due.order_by("subscription__account_id", "subscription_id", "ends_at", "pk")
    for period in ordered.iterator(chunk_size=BATCH):
        yield period.subscription.account_id, period


def add_entries(run: BillingRun) -> None:
    """What another run takes at the same time is left to it, by the constraint: its insertion waits for that one."""
    entries = make_entries(run)
    while batch := list(islice(entries, BATCH)):
        BillingRunEntry.objects.bulk_create(batch, ignore_conflicts=True)


def make_entries(run: BillingRun) -> Iterator[BillingRunEntry]:
    for number, part in enumerate(cut_parts(list_due(run.at), size=PART), start=1):
        for period in part:
            yield BillingRunEntry(
                run=run,
                account_id=period.subscription.account_id,
                subscription_id=period.subscription_id,
                period=period,
                starts_at=period.starts_at,
                ends_at=period.ends_at,
                is_free=period.is_free,
                currency=period.version.currency,
                part=name_part(run.pk, number),
                last_invoice_id=getattr(period, "last_invoice_id", None),
            )


def add_gone(run: BillingRun) -> None:
    """Since the run before; the first one looks as far back as its own periods ended."""
    delay = settings.BILLING_CLOSE_DELAY
    before = BillingRun.objects.filter(at__lt=run.at).exclude(state=RunState.CANCELLED).order_by("-at").first()
    first_end = run.entries.aggregate(first=Min("ends_at"))["first"]
    since = before.at - delay if before else first_end - MICROSECOND
    BillingRunEntry.objects.bulk_create(
        BillingRunEntry(
            run=run,
            account_id=gone.account_id,
            subscription_id=gone.subscription_id,
            starts_at=gone.starts_at,
            ends_at=gone.ends_at,
            currency=gone.currency,
            part=name_part(run.pk, 0),
            state=EntryState.GONE,
            last_invoice_id=gone.last_invoice_id,
        )
        for gone in find_gone(since=since, until=run.at - delay)
    )


def promise_parts(run: BillingRun, kind: str, *, at: datetime) -> None:
    """A job for each part in which something is to be billed."""
    for part in list_parts(run):
        queue.enqueue(kind, part, {"run": run.pk}, at=at)


def list_parts(run: BillingRun) -> list[str]:
    waiting = run.entries.filter(state=EntryState.PENDING)
    first = waiting.order_by().values("part").annotate(first=Min("pk")).order_by("first")
    return [part for part, _first in first.values_list("part", "first")]
