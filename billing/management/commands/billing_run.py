"""`manage.py billing_run`: bill what is due, or first see what it would come to; and decide of a run by its number."""

import time
from argparse import ArgumentParser
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.models import RUN_MOVING, BillingRun, EntryState, RunState
from billing.runs import reports
from billing.runs.moves import RunRefused, UnknownRun, approve_run, cancel_run, read_run, read_seen, retry_entries
from billing.runs.opening import BILL_PART, PREVIEW_PART, NothingDue, list_parts, open_run
from billing.runs.reports import LEAST_CHANGE, Choice
from billing.wording import display_money
from jobs import queue

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Take what is due into a billing run. Without an option it is previewed and awaits approval; what is due is in "
        "no other run meanwhile. The work is done here, and by workers that run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--run", type=int, metavar="N", help="a run that is there, instead of a new one")
        deeds = parser.add_mutually_exclusive_group()
        deeds.add_argument("--dry-run", action="store_true", help="show what it would come to, and bill nothing")
        deeds.add_argument("--approve", action="store_true", help="issue the invoices; a new run is not previewed")
        deeds.add_argument("--retry", action="store_true", help="try again what failed; with --run")
        deeds.add_argument("--cancel", action="store_true", help="bill nothing more of it; with --run")
        parser.add_argument(
            "--change", type=Decimal, default=LEAST_CHANGE, metavar="PERCENT", help="what counts as changed (20)"
        )
        parser.add_argument("--wait", type=int, default=600, metavar="SECONDS", help="for other workers (600)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["run"] is None and (options["retry"] or options["cancel"]):
            raise CommandError("Say which run: --run N.")
        if options["run"] is not None and options["dry_run"]:
            raise CommandError("A dry run is a new one; leave --run out.")
        try:
            run = self.decide(options, at=timezone.now())
        except NothingDue as nothing:
            self.stdout.write(str(nothing))
            return
        except (UnknownRun, RunRefused) as error:
            raise CommandError(str(error)) from error
        run = self.see_through(run, seconds=options["wait"])
        self.tell(run, options["change"])
        if options["dry_run"]:
            cancel_run(run.pk, at=timezone.now())
            self.stdout.write("This was a dry run: nothing is billed, and all of it is due as before.")
        elif run.state == RunState.AWAITING:
            self.stdout.write(f"Approve it in the back-office, or by: manage.py billing_run --run {run.pk} --approve")
        elif run.state == RunState.ISSUING:
            raise CommandError("It is not done yet; workers go on with it.")
        if failed := run.entries.filter(state=EntryState.FAILED).count():
            raise CommandError(f"{failed} failed. Mend the cause, then: manage.py billing_run --run {run.pk} --retry")

    def decide(self, options: dict[str, Any], *, at: datetime) -> BillingRun:
        if options["run"] is None:
            return open_run(at=at, is_approved=options["approve"])
        run = read_run(options["run"])
        if options["approve"]:
            approve_run(run.pk, seen=str(read_seen(run)), at=at)
        elif options["cancel"]:
            cancel_run(run.pk, at=at)
        elif options["retry"]:
            retry_entries(run.pk, at=at)
        return read_run(run.pk)

    def see_through(self, run: BillingRun, *, seconds: int) -> BillingRun:
        """Do each part that no worker has; then wait for those that one has."""
        kind = PREVIEW_PART if run.state == RunState.PREVIEWING else BILL_PART
        for part in list_parts(run) if run.state in RUN_MOVING else []:
            queue.do_now(kind, part, clock=timezone.now)
        deadline = time.monotonic() + seconds
        run = read_run(run.pk)
        while run.state in RUN_MOVING and time.monotonic() < deadline:
            time.sleep(0.5)
            run = read_run(run.pk)
        return run

    def tell(self, run: BillingRun, least_change: Decimal) -> None:
        progress = reports.read_progress(run)
        self.stdout.write(f"Run {run.pk}: {run.get_state_display()}, {progress.done} of {progress.total} periods.")
        for sums in reports.sum_entries(run):
            last, previewed, billed, change = (
                display_money(minor, sums.currency)
                for minor in (sums.last_minor, sums.previewed_minor, sums.billed_minor, sums.change_minor)
            )
            figures = f"{billed} billed" if run.approved_at else f"{previewed} previewed"
            self.stdout.write(f"{sums.currency}: {figures}, {last} before, a change of {change}.")
        entries = reports.list_entries(run, least_change=least_change)
        counts = reports.count_choices(entries)
        self.stdout.write(
            f"{counts[Choice.NEW]} new, {counts[Choice.GONE]} gone, {counts[Choice.CHANGED]} changed by "
            f"{least_change:f} % or more, {counts[Choice.UNCHANGED]} unchanged, {counts[Choice.FAILED]} failed."
        )
        for choice in (Choice.FAILED, Choice.NEW, Choice.GONE, Choice.CHANGED):
            for entry in reports.with_names(reports.sort(reports.choose(entries, choice), "-change"))[:SHOWN]:
                row = dict(zip(reports.COLUMNS, reports.state_entry(entry), strict=True))
                figures = f"{row['last'] or '–'} → {row['billed'] or row['previewed'] or '–'} {row['currency']}"
                self.stdout.write(f"  {choice.value} {row['account']}: {row['reason'] or figures}")
