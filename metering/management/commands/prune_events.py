"""`manage.py prune_events --months N`: drop the raw events of months that are long over."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from metering.retention import EventsBusy, RetentionTooShort, list_prunable, prune_events


class Command(BaseCommand):
    help = (
        "Drop raw events by the month in which they were received. Rollups, limits, invoices and the ids that events "
        "have taken stay; hours of dropped events can no longer be corrected or counted for a new meter."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--months", type=int, required=True, metavar="N", help="drop months that ended N months ago, 2 at least"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be dropped")
        parser.add_argument("--no-input", action="store_true", help="ask nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        try:
            found = list_prunable(months=options["months"], at=at)
        except RetentionTooShort as error:
            raise CommandError(str(error)) from error
        for month in found:
            self.stdout.write(
                f"{month.month:%Y-%m}  {month.event_count:>14,} events, {month.unmatched_count:,} of them unmatched"
            )
        if not found:
            self.stdout.write("No month is old enough.")
        elif options["dry_run"]:
            self.stdout.write("Nothing was dropped: this was a dry run.")
        elif options["no_input"] or self.ask():
            self.prune(options["months"])
        else:
            self.stdout.write("Nothing was dropped.")

    def ask(self) -> bool:
        return input("Drop these events for ever? Type yes: ").strip() == "yes"

    def prune(self, months: int) -> None:
        try:
            dropped = prune_events(months=months, at=timezone.now())
        except EventsBusy as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Dropped {sum(month.event_count for month in dropped):,} events.")
