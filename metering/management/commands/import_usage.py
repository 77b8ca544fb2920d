"""`manage.py import_usage FORMAT FILE`: a log or an export as usage, every line once."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from metering.importers import (
    AccessLog,
    ColumnReport,
    Focus,
    Format,
    ImportProgress,
    ImportRefused,
    ImportReport,
    MappedCsv,
    Ndjson,
    SnowflakeQueries,
    SnowflakeWarehouses,
    import_usage,
    read_mapping,
)
from metering.importers.batches import show_text
from metering.importers.importing import BATCH_LINES, HISTORY, OnProgress

FORMATS = {
    "access-log": "combined or common log format",
    "csv": "delimited text, with --mapping",
    "ndjson": "one CloudEvent a line",
    "focus": "FOCUS 1.0 to 1.3 cost and usage",
    "snowflake-queries": "ACCOUNT_USAGE.QUERY_HISTORY as CSV",
    "snowflake-warehouses": "ACCOUNT_USAGE.WAREHOUSE_METERING_HISTORY as CSV",
}
OPTIONS_OF = {  # the formats that have an option; for all others it is refused
    "mapping": {"csv"},
    "subject_column": {"focus", "snowflake-queries", "snowflake-warehouses"},
    "zone": {"snowflake-queries", "snowflake-warehouses"},
    "origin": {"snowflake-queries", "snowflake-warehouses"},
}
SHOWN_COLUMNS = 60
PLAIN_SECONDS = 5  # between two plain lines of progress
WAITING = "Another import of this file is running. This one waits for it."


class Command(BaseCommand):
    help = (
        "Import usage from a file, each line once. Interrupted, it goes on where it was when it is run again; run once "
        "more over a file that has grown, it imports what is new. Bad lines are stored, counted and shown."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        known = "; ".join(f"{name}: {what}" for name, what in FORMATS.items())
        parser.add_argument("format", choices=list(FORMATS), help=f"plain or gzip. {known}")
        parser.add_argument("file", type=Path)
        parser.add_argument("--mapping", type=Path, metavar="FILE.json", help="csv: which column is what")
        parser.add_argument("--subject-column", metavar="COLUMN", help="focus, snowflake-*: the customer; or tag:KEY")
        parser.add_argument("--zone", help="snowflake-*: where times without an offset were taken, as Europe/Paris")
        parser.add_argument("--origin", help="snowflake-*: the events' source, one for each Snowflake account")
        parser.add_argument("--source", help="a name for the file, in place of one that is made from its beginning")
        parser.add_argument("--create-accounts", action="store_true", help="make each subject an account")
        types = parser.add_mutually_exclusive_group()
        types.add_argument("--create-meters", action="store_true", help="make meters for types that none counts")
        types.add_argument("--reject-unknown-types", action="store_true", help="such lines are bad lines, and no halt")
        shift = parser.add_mutually_exclusive_group()
        shift.add_argument("--shift-to-now", action="store_true", help="move the times so that the newest is now")
        shift.add_argument("--shift-seconds", type=read_seconds, metavar="N", help="move the times by so many seconds")
        parser.add_argument("--batch", type=read_count, default=BATCH_LINES, metavar="N", help="lines per transaction")
        parser.add_argument(
            "--max-age-days", type=read_count, default=HISTORY.days, metavar="N", help="refuse older lines"
        )
        parser.add_argument(
            "--complete",
            action="store_true",
            help="nobody writes the file any more: take a last line without a newline, too",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        at = timezone.now()
        seconds = options["shift_seconds"]
        try:
            format = choose_format(options)
            with show_progress(options["file"]) as on_progress:
                report = import_usage(
                    options["file"],
                    format=format,
                    at=at,
                    source=options["source"],
                    create_accounts=options["create_accounts"],
                    create_meters=options["create_meters"],
                    reject_unknown_types=options["reject_unknown_types"],
                    shift=None if seconds is None else timedelta(seconds=seconds),
                    shift_to=at if options["shift_to_now"] else None,
                    complete=options["complete"],
                    batch=options["batch"],
                    max_age=timedelta(days=options["max_age_days"]),
                    on_progress=on_progress,
                )
        except ImportRefused as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted. Run it again to go on from here.", returncode=130) from error
        except OSError as error:
            path = error.filename or options["file"]
            raise CommandError(f"{path} cannot be read: {error.strerror or error}") from error
        self.stdout.write("\n".join(describe(report)))
        if seconds is not None and report.shift != timedelta(seconds=seconds):
            self.stdout.write(f"The shift is that of the first run, {show_shift(report.shift)}, not {seconds} s.")


def choose_format(options: dict[str, Any]) -> Format:
    """Raises CommandError for an option of another format, OSError, ImportRefused."""
    name = options["format"]
    for option, formats in OPTIONS_OF.items():
        if options[option] and name not in formats:
            raise CommandError(f"--{option.replace('_', '-')} is for {', '.join(sorted(formats))} only.")
    match name:
        case "csv":
            if options["mapping"] is None:
                raise CommandError("csv needs --mapping FILE.json, which says what column is what.")
            return MappedCsv(read_mapping(options["mapping"]))
        case "ndjson":
            return Ndjson()
        case "focus":
            return Focus(options["subject_column"] or "")
        case "snowflake-queries" | "snowflake-warehouses":
            view = SnowflakeQueries if name == SnowflakeQueries.name else SnowflakeWarehouses
            return view(
                subject_column=options["subject_column"] or "",
                zone=options["zone"] or "",
                origin=options["origin"] or "",
            )
    return AccessLog()


def read_count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 to 1,000,000")
    return int(text)


def read_seconds(text: str) -> int:
    century = 36_525 * 86_400
    try:
        seconds = int(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no whole number of seconds") from error
    if abs(seconds) > century:
        raise ArgumentTypeError("a shift may be a hundred years at most")
    return seconds


@contextmanager
def show_progress(path: Path) -> Iterator[OnProgress]:
    """A bar on a terminal; elsewhere a plain line every few seconds."""
    if sys.stderr.isatty():
        with tqdm(desc=path.name, unit="B", unit_scale=True, unit_divisor=1_000) as bar:

            def move_bar(progress: ImportProgress) -> None:
                if progress.is_waiting:
                    bar.write(WAITING)
                bar.total = progress.size
                bar.update(progress.done - bar.n)

            yield move_bar
        return
    last = monotonic()

    def write_line(progress: ImportProgress) -> None:
        nonlocal last
        if progress.is_waiting:
            print(WAITING, file=sys.stderr, flush=True)
        elif monotonic() - last >= PLAIN_SECONDS:
            last = monotonic()
            percent = 100 * progress.done // max(progress.size, 1)
            print(f"{path.name}: {percent} %, {progress.lines:,} lines", file=sys.stderr, flush=True)

    yield write_line


def describe(report: ImportReport) -> Iterator[str]:
    """The whole report, line by line."""
    yield f"{report.file_name} as {report.source or 'nothing yet'}, times shifted by {show_shift(report.shift)}"
    if report.new_meters:
        yield f"Made the meters it is counted by: {', '.join(report.new_meters)}."
    yield from describe_columns(report.columns)
    for bad in report.rejections:
        yield f"Line {bad.line_number} {bad.reason}: {bad.text}"
    if report.rejected > len(report.rejections):
        yield f"… and {report.rejected - len(report.rejections):,} more bad lines, all stored as rejected lines."
    yield f"{'':<12}{'this run':>16}{'file so far':>16}"
    for name, this_run, so_far in list_counts(report):
        yield f"{name:<12}{this_run:>16}{so_far:>16}".rstrip()
    for kind, count in sorted(report.unused.items()):
        yield f"Not used, {show_text(kind)}: {count:,}"
    for meter, count in sorted(report.skipped.items()):
        yield f"Kept, but without a value that {meter} could use: {count:,}"
    if report.unmatched_subjects:
        yield f"No account is called {show_names(report.unmatched_subjects)}."
    if report.file_unmatched:
        yield "Unmatched lines count as soon as their subject is an account; --create-accounts makes them all."
    if report.is_unfinished:
        yield "The last line has no newline yet and waits for the next run, or for --complete."


def describe_columns(columns: ColumnReport) -> Iterator[str]:
    if columns.used:
        yield f"Columns used: {show_names(columns.used)}."
    if columns.ignored:
        yield f"Columns not used: {show_names(columns.ignored)}."
    if columns.absent:
        stood_in = [f"{name} ({instead})" for name, instead in columns.absent.items()]
        yield f"Columns absent (what stood in): {', '.join(stood_in)}."


def show_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(show_text(name) for name in names[:SHOWN_COLUMNS]) + more


def list_counts(report: ImportReport) -> Iterator[tuple[str, str, str]]:
    yield "lines", f"{report.lines:,}", f"{report.file_lines:,}"
    yield "accepted", f"{report.accepted:,}", f"{report.file_accepted:,}"
    yield "duplicates", f"{report.duplicates:,}", f"{report.file_duplicates:,}"
    yield "rejected", f"{report.rejected:,}", f"{report.file_rejected:,}"
    yield "unmatched", f"{report.unmatched:,}", f"{report.file_unmatched:,}"
    if report.file_unused:
        yield "not used", f"{sum(report.unused.values()):,}", f"{report.file_unused:,}"
    yield "accounts", f"{report.accounts:,}", ""
    if report.bytes_served:
        yield "bytes served", f"{report.bytes_served:,}", ""
    yield "seconds", f"{report.seconds:.1f}", ""


def show_shift(shift: timedelta) -> str:
    return f"{shift // timedelta(seconds=1)} s" if shift else "nothing"
