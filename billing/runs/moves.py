"""What people and the clock do with a run: approve, cancel, retry. Each is safe to call twice."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext

from billing.models import (
    ENTRY_OPEN,
    RUN_UNDER_WAY,
    BillingRun,
    BillingRunEntry,
    EntryState,
    RunState,
    SkipReason,
)
from billing.runs.opening import BILL_PART, PREVIEW_PART, NothingDue, open_run, promise_parts
from billing.runs.parts import name_retry
from billing.runs.work import lock_run, note_failure, settle_run
from jobs import queue


class UnknownRun(LookupError):
    """There is no run with this number."""


class RunRefused(ValueError):
    """The run's state does not allow that."""


class OtherThanSeen(RunRefused):
    """What would be approved is not what was looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an approval is about: how many invoices, and what those that could be previewed come to by currency.

    `unknown` is how many of them could not be previewed. Amounts are in smallest units.
    """

    count: int
    totals: dict[str, int]
    unknown: int = 0

    def __str__(self) -> str:
        return "; ".join([str(self.count), str(self.unknown), *(f"{key} {self.totals[key]}" for key in self.totals)])


def read_run(run_id: int) -> BillingRun:
    """Raises UnknownRun."""
    run = BillingRun.objects.select_related("opened_by", "approved_by", "cancelled_by").filter(pk=run_id).first()
    if run is None:
        raise UnknownRun(f"There is no billing run {run_id}.")
    return run


def read_seen(run: BillingRun) -> Seen:
    asked = run.entries.filter(state=EntryState.PENDING, is_free=False).order_by("currency").values("currency")
    known = list(asked.annotate(count=Count("pk"), previewed=Count("previewed_minor"), total=Sum("previewed_minor")))
    return Seen(
        count=sum(row["count"] for row in known),
        totals={row["currency"]: int(row["total"] or 0) for row in known},
        unknown=sum(row["count"] - row["previewed"] for row in known),
    )


@transaction.atomic
def approve_run(run_id: int, *, seen: str, at: datetime, by: int | None = None) -> None:
    """Let the invoices be issued that were previewed. `seen` is str(read_seen(…)) of when somebody looked.

    Usage that came since the preview is billed: what is approved are these periods, and that they look right. Raises
    UnknownRun, OtherThanSeen, RunRefused.
    """
    read_run(run_id)
    run = lock_run(run_id)
    if run.state in (RunState.ISSUING, RunState.DONE):
        return
    if run.state != RunState.AWAITING:
        words = {"number": run.pk, "state": run.get_state_display()}
        raise RunRefused(gettext("Run %(number)s is %(state)s; it cannot be approved.") % words)
    found = read_seen(run)
    if str(found) != seen:
        text = gettext("Run %(number)s is no longer what you looked at; please look again.")
        raise OtherThanSeen(text % {"number": run.pk})
    run.state, run.approved_at, run.approved_by_id = RunState.ISSUING, at, by
    run.approved_count, run.approved_totals = found.count, found.totals
    run.save()
    promise_parts(run, BILL_PART, at=at)


@transaction.atomic
def cancel_run(run_id: int, *, at: datetime, by: int | None = None) -> None:
    """Bill nothing more of it; what is issued stays. Waits for the parts that are being done. Quiet where it is so.

    What was not billed is due, and in the next run. Raises UnknownRun, RunRefused.
    """
    read_run(run_id)
    # Entries before the run, in the order in which its jobs take them.
    waiting = BillingRunEntry.objects.filter(run=run_id, state__in=ENTRY_OPEN).select_for_update()
    left = list(waiting.order_by("account_id", "ends_at", "pk").values_list("pk", flat=True))
    run = lock_run(run_id)
    if run.state == RunState.CANCELLED:
        return
    if run.state == RunState.DONE:
        raise RunRefused(gettext("Run %(number)s is done; there is nothing to cancel.") % {"number": run.pk})
    BillingRunEntry.objects.filter(pk__in=left).update(
        state=EntryState.SKIPPED, reason=SkipReason.CANCELLED, retry_at=None
    )
    run.state, run.finished_at, run.cancelled_by_id = RunState.CANCELLED, at, by
    run.save()


@transaction.atomic
def retry_entries(run_id: int, *, at: datetime, entry_ids: Collection[int] | None = None) -> int:
    """Try again what failed, or those alone, each account by a job of its own. Returns how many there are.

    A second call finds none that failed. Raises UnknownRun.
    """
    read_run(run_id)
    failed = BillingRunEntry.objects.filter(run=run_id, state=EntryState.FAILED).select_for_update()
    if entry_ids is not None:
        failed = failed.filter(pk__in=entry_ids)
    entries = list(failed.order_by("account_id", "ends_at", "pk"))
    if not entries:
        return 0
    run = lock_run(run_id)
    run.state, run.finished_at, run.retries = RunState.ISSUING, None, run.retries + 1
    run.save()
    for account_id, group in groupby(entries, key=lambda entry: entry.account_id):
        part = name_retry(run.pk, run.retries, account_id)
        for entry in group:
            entry.state, entry.error, entry.retry_at, entry.part = EntryState.PENDING, "", None, part
        queue.enqueue(BILL_PART, part, {"run": run.pk}, at=at)
    BillingRunEntry.objects.bulk_update(entries, ["state", "error", "retry_at", "part"], batch_size=500)
    return len(entries)


def keep_going(at: datetime) -> None:
    """What the clock does: note what died, try again what failed a while ago, and take what is due into a run.

    With settings.BILLING_RUN_NEEDS_APPROVAL that run waits for a person, and no other is opened until one has decided.
    Any number of clocks come to the same.
    """
    note_dead_parts(at=at)
    due = BillingRunEntry.objects.filter(retry_at__lte=at).order_by("run_id", "pk").values_list("run_id", "pk")
    for run_id, rows in groupby(list(due), key=lambda row: row[0]):
        retry_entries(run_id, at=at, entry_ids=[entry_id for _run_id, entry_id in rows])
    needs_approval = settings.BILLING_RUN_NEEDS_APPROVAL
    undecided = BillingRun.objects.filter(is_automatic=True, state__in=[RunState.PREVIEWING, RunState.AWAITING])
    if needs_approval and undecided.exists():
        return
    try:
        open_run(at=at, is_automatic=True, is_approved=not needs_approval)
    except NothingDue:
        return


def note_dead_parts(*, at: datetime) -> None:
    """A job that has no attempt left leaves its entries as failed, with its reason, or not previewed: others go on."""
    for run in BillingRun.objects.filter(state__in=[RunState.PREVIEWING, RunState.ISSUING]).order_by("pk"):
        waiting = run.entries.filter(state=EntryState.PENDING)
        parts = waiting.order_by().values_list("part", flat=True).distinct()
        kind = PREVIEW_PART if run.state == RunState.PREVIEWING else BILL_PART
        for part, error in sorted(queue.read_dead(kind, list(parts)).items()):
            note_dead_part(run, part, error.strip().rpartition("\n")[2] or error, at=at)


@transaction.atomic
def note_dead_part(run: BillingRun, part: str, error: str, *, at: datetime) -> None:
    entries = list(
        BillingRunEntry.objects.filter(part=part, state=EntryState.PENDING)
        .select_for_update()
        .order_by("account_id", "ends_at", "pk")
    )
    for entry in entries:
        if run.state == RunState.PREVIEWING:
            entry.previewed_at, entry.error = entry.previewed_at or at, error
        else:
            note_failure(entry, error, at=at)
    BillingRunEntry.objects.bulk_update(entries, ["state", "error", "attempts", "retry_at", "previewed_at"])
    settle_run(run.pk, at=at)


def list_under_way() -> list[BillingRun]:
    return list(BillingRun.objects.filter(state__in=RUN_UNDER_WAY).order_by("pk"))
