"""The jobs of a run: a part is previewed, or billed, in one transaction with the mark that the job is done."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import QuerySet

from billing.closing import Closed, close_periods, compose_periods
from billing.models import BillingRun, BillingRunEntry, EntryState, Period, RunState, SkipReason
from jobs.queue import JobContext

FIRST_PAUSE, PAUSES = timedelta(minutes=10), 4  # 10 minutes, 40, 2:40 and 10:40 hours; then it waits for a person
ERROR_LENGTH = 1_000  # characters that are kept of a reason

# Django's bulk_update makes a CASE for each value, and takes nearly as long as issuing the invoices.
WRITE_PREVIEWS = """
    UPDATE billing_billingrunentry entry SET previewed_at = %s, previewed_minor = new.minor, error = new.error
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS new(id, minor, error) WHERE entry.id = new.id
"""
WRITE_OUTCOMES = """
    UPDATE billing_billingrunentry entry SET
        state = new.state, reason = new.reason, error = new.error, attempts = new.attempts, retry_at = new.retry_at,
        invoice_id = new.invoice_id, billed_minor = new.minor
    FROM unnest(
        %s::bigint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::bigint[], %s::bigint[]
    ) AS new(id, state, reason, error, attempts, retry_at, invoice_id, minor)
    WHERE entry.id = new.id
"""


def preview_part(job: JobContext) -> None:
    """Say of each entry what its invoice would ask, or why it cannot be told. A second run finds none to look at."""
    entries = list(lock_part(job.key).filter(previewed_at__isnull=True))
    composed = {each.period_id: each for each in compose_periods([find_period_id(each) for each in entries], at=job.at)}
    found = [composed[find_period_id(entry)] for entry in entries]
    totals = [None if each.error else each.sums.total_minor for each in found]
    errors = [cut_error(each.error or "") for each in found]
    with connection.cursor() as cursor:
        cursor.execute(WRITE_PREVIEWS, [job.at, [entry.pk for entry in entries], totals, errors])
    settle_run(job.payload["run"], at=job.at)


def bill_part(job: JobContext) -> None:
    """Issue the invoice of each entry that is still to be billed. A second run finds none and changes nothing.

    A period that is no longer what the run was opened over is left out: whoever approved it saw something else.
    """
    entries = list(lock_part(job.key))
    periods = {period.pk: period for period in lock_periods(entries)}
    wanted = [entry for entry in entries if not leave_out(entry, periods.get(find_period_id(entry)))]
    closed = {each.period_id: each for each in close_periods([find_period_id(each) for each in wanted], at=job.at)}
    for entry in wanted:
        note_outcome(entry, closed[find_period_id(entry)], at=job.at)
    write_outcomes(entries)
    settle_run(job.payload["run"], at=job.at)


def lock_part(part: str) -> QuerySet[BillingRunEntry]:
    """What of it is still to be billed; another worker, and who cancels the run, wait for us."""
    waiting = BillingRunEntry.objects.filter(part=part, state=EntryState.PENDING)
    return waiting.select_for_update().order_by("account_id", "ends_at", "pk")


def lock_periods(entries: Iterable[BillingRunEntry]) -> QuerySet[Period]:
    return Period.objects.select_for_update().filter(pk__in=[entry.period_id for entry in entries]).order_by("pk")


def find_period_id(entry: BillingRunEntry) -> int:
    """0, which is no period, where it was taken back."""
    return entry.period_id or 0


def leave_out(entry: BillingRunEntry, period: Period | None) -> bool:
    """Mark it where its period, which is locked, was billed or changed meanwhile. Whether it was."""
    if period is not None and period.closed_at is not None:
        entry.state, entry.reason, entry.error = EntryState.SKIPPED, SkipReason.CLOSED, ""
    elif period is None or (period.starts_at, period.ends_at) != (entry.starts_at, entry.ends_at):
        entry.state, entry.reason, entry.error = EntryState.SKIPPED, SkipReason.CHANGED, ""
    return entry.state == EntryState.SKIPPED


def note_outcome(entry: BillingRunEntry, closed: Closed, *, at: datetime) -> None:
    if closed.error is not None:
        note_failure(entry, closed.error, at=at)
        return
    entry.state, entry.error = EntryState.DONE, ""
    entry.invoice_id, entry.billed_minor = closed.invoice_id, closed.total_minor


def write_outcomes(entries: Iterable[BillingRunEntry]) -> None:
    rows = [
        (each.pk, each.state, each.reason, each.error, each.attempts, each.retry_at, each.invoice_id, each.billed_minor)
        for each in entries
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(WRITE_OUTCOMES, [list(column) for column in zip(*rows, strict=True)])


def cut_error(error: str) -> str:
    return error[:ERROR_LENGTH]


def note_failure(entry: BillingRunEntry, error: str, *, at: datetime) -> None:
    """It is tried again by itself after a pause that grows, a few times."""
    entry.state, entry.error, entry.attempts = EntryState.FAILED, cut_error(error), entry.attempts + 1
    has_pause = entry.attempts <= PAUSES
    entry.retry_at = at + FIRST_PAUSE * 4 ** (entry.attempts - 1) if has_pause else None


def settle_run(run_id: int, *, at: datetime) -> None:
    """What follows where this was the last part. The run's row is locked first: of two last parts the second sees both.

    It is locked last of all, after entries and periods, and after the series of numbers.
    """
    run = lock_run(run_id)
    waiting = run.entries.filter(state=EntryState.PENDING)
    if run.state == RunState.PREVIEWING and not waiting.filter(previewed_at__isnull=True).exists():
        run.state = RunState.AWAITING
    elif run.state == RunState.ISSUING and not waiting.exists():
        run.state, run.finished_at = RunState.DONE, at
    else:
        return
    run.save(update_fields=["state", "finished_at"])


def lock_run(run_id: int) -> BillingRun:
    return BillingRun.objects.select_for_update(of=("self",)).get(pk=run_id)
