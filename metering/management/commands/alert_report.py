"""`manage.py alert_report`: what alerts and forecasts were worth, over limits whose windows are over."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from metering.catalogue import UnknownMeter
from metering.grading.answers import state_plainly
from metering.grading.periods import list_last_days, read_day
from metering.grading.reports import QualityReport, read_report
from metering.grading.tables import draw_table
from metering.grading.wording import (
    list_alert_columns,
    list_bin_columns,
    list_forecast_columns,
    word_advice,
    word_pending,
    word_windows,
    write_alert_row,
    write_bin_row,
    write_forecast_row,
)


class Command(BaseCommand):
    help = (
        "Show what alerts and forecasts were worth: precision, recall and lead of every rule, the calibration of the "
        "chances and their error against run-rate, and the threshold that would have been best."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", type=read_day, dest="start", metavar="DAY", help="windows that ended from this day on, UTC"
        )
        parser.add_argument("--to", type=read_day, dest="end", metavar="DAY", help="and before this one")
        parser.add_argument("--meter", metavar="KEY", help="of one meter alone")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = list_last_days(at=timezone.now())
        start, end = options["start"] or first, options["end"] or last
        if start >= end:
            raise CommandError(f"--from {start:%Y-%m-%d} must be before --to {end:%Y-%m-%d}.")
        try:
            report = read_report(start=start, end=end, meter_key=options["meter"])
        except UnknownMeter as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(state_plainly(report), ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join(tell(report)))


def tell(report: QualityReport) -> Iterator[str]:
    yield f"Windows that ended from {report.start:%Y-%m-%d} to {report.end:%Y-%m-%d}, UTC. {word_windows(report)}"
    if not report.windows:
        yield word_pending(report)
        return
    yield ""
    yield from draw_table(list_alert_columns(), map(write_alert_row, report.rules), texts=2)
    if report.forecasts:
        yield ""
        rows = [write_forecast_row(row.meter, row.score) for row in report.forecasts]
        yield from draw_table(list_forecast_columns(), rows)
        yield ""
        yield from draw_table(list_bin_columns(), map(write_bin_row, report.forecasts[0].score.bins))
    yield ""
    yield from word_advice(report)
