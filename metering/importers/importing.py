"""Import a file of usage: every line once, whatever interrupts it.

A batch of lines and the note of how far the file was read are one transaction. The file is known by how it begins, so
one that has grown goes on where it was left, and a new file under an old name is another source.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from django.db import OperationalError, connection, transaction

from metering.importers.batches import Batch, read_batches, sort_fates
from metering.importers.errors import ImportRefused
from metering.importers.files import LogFile, LogNames, find_shift, name_log, open_log
from metering.importers.formats import ColumnReport, Format
from metering.importers.lines import LineReader
from metering.importers.meters import CountedTypes, create_missing_meters
from metering.importers.records import (
    continue_reading,
    find_record,
    finish_record,
    hold_record,
    lock_record,
    move_on,
    open_record,
)
from metering.importers.reports import ImportProgress, ImportReport, RejectedText, Tally
from metering.importers.subjects import SubjectAccounts
from metering.ingest import ingest_events
from metering.models import UsageImport

BATCH_LINES = 1_000
HISTORY = timedelta(days=36_525)  # logs are imported late: nearly any age is welcome
SHOWN_REJECTIONS = 20
SOURCE_MAX = 200  # characters, in the record of an import
ATTEMPTS = 5
DEADLOCK = "40P01"

OnProgress = Callable[[ImportProgress], None]


def import_usage(
    path: Path,
    *,
    format: Format,
    at: datetime,
    source: str | None = None,
    create_accounts: bool = False,
    create_meters: bool = False,
    reject_unknown_types: bool = False,
    shift: timedelta | None = None,
    shift_to: datetime | None = None,
    complete: bool = False,
    batch: int = BATCH_LINES,
    max_age: timedelta = HISTORY,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import what is new in a file, plain or gzip.

    A file is named by its first 1,024 bytes (after the header of a table), or by `source`; that is the source of its
    events, unless the format gives them another. `create_accounts`
    makes each subject an account; without it the events of unknown ones are stored and wait. `create_meters` makes
    meters for the types that none counts; without it such a type stops the import before its first line, unless
    `reject_unknown_types` makes bad lines of them. `shift` is added to the file's times, `shift_to` instead moves its
    newest time there; the first run's choice holds for all later ones. `complete` says that nobody writes the file any
    more, so that a last line without a newline is taken too.

    Killed anywhere and run again, or run twice, it gives the same totals; of two at once the second waits. Raises
    OSError, ImportRefused.
    """
    started = monotonic()
    run = ImportRun(
        path=path,
        format=format,
        at=at,
        complete=complete,
        batch=batch,
        max_age=max_age,
        counted=CountedTypes(create_meters=create_meters, reject_unknown=reject_unknown_types, at=at),
        accounts=SubjectAccounts(at=at) if create_accounts else None,
        on_progress=on_progress,
    )
    if source and len(source) > SOURCE_MAX:
        raise ImportRefused(f"The source has more than {SOURCE_MAX} characters.")
    names = LogNames(new=source, known=[source]) if source else name_log(path, format=format, complete=complete)
    record = find_record(names.known)
    if record is None and names.new is not None:
        if shift_to is not None:
            shift = find_shift(path, format=format, to=shift_to, complete=complete)
        record = open_record(names, file_name=path.name, shift=shift or timedelta(0), at=at)
    if record is None:  # there is no line to read yet
        return run.report(UsageImport(file_name=path.name, started_at=at), seconds=monotonic() - started)
    record = run.read(record.pk)
    return run.report(record, seconds=monotonic() - started)


@dataclass(slots=True)
class ImportRun:
    """One run over one file."""

    path: Path
    format: Format
    at: datetime
    complete: bool
    batch: int
    max_age: timedelta
    counted: CountedTypes
    accounts: SubjectAccounts | None
    on_progress: OnProgress | None
    columns: ColumnReport = field(default_factory=ColumnReport)
    tally: Tally = field(default_factory=Tally)
    rejections: list[RejectedText] = field(default_factory=list)
    bytes_read: int = 0
    is_unfinished: bool = False

    def read(self, record_id: int) -> UsageImport:
        """Read the file from where the record stands to its end, alone."""
        with (
            hold_record(record_id, on_wait=lambda: self.tell(is_waiting=True)) as record,
            open_log(self.path) as log,
        ):
            reader = self.format.open(log.content, complete=self.complete)
            parser = self.format.start(reader)
            if parser is None:
                raise ImportRefused(f"{record.file_name} has no header.")
            self.columns = parser.columns
            source = self.format.name_source(record.source)
            continue_reading(record, reader)
            if self.format.always_has_meters:
                self.counted.made = create_missing_meters(at=self.at)
            if self.accounts is not None and record.unmatched:
                self.create_waiting(self.accounts, end=record.offset)
            batches = read_batches(
                reader,
                parser,
                start=record.offset,
                source=source or "",
                lines=self.batch,
                shift=timedelta(seconds=record.shift_seconds),
            )
            for batch in batches:
                self.counted.meet(batch, batches, parser)
                self.store(batch, reader, record)
                self.tell(log)
            self.is_unfinished = reader.is_unfinished
            self.bytes_read = reader.offset - record.offset
            return finish_record(record_id, is_sole_source=source == record.source, at=self.at)

    def create_waiting(self, accounts: SubjectAccounts, *, end: int) -> None:
        """Accounts for what earlier runs stored without one; that counts it. The file tells who: it is read anew."""
        with open_log(self.path) as log:
            reader = self.format.open(log.content, complete=True)
            if parser := self.format.start(reader):
                for batch in read_batches(reader, parser, start=0, source="", lines=self.batch, shift=timedelta(0)):
                    accounts.create_missing(event.subject for _, _, event in batch.events)
                    if reader.offset >= end:
                        return

    def store(self, batch: Batch, reader: LineReader, record: UsageImport) -> None:
        """Store a batch and the note of it, all or nothing, and again when the database broke a deadlock with it."""
        if self.accounts is not None:
            self.accounts.create_missing(event.subject for _, _, event in batch.events)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                tally, rejections = self.store_once(batch, reader, record)
                break
            except OperationalError as error:
                is_deadlock = getattr(error.__cause__, "sqlstate", None) == DEADLOCK
                if not is_deadlock or connection.in_atomic_block or attempt == ATTEMPTS:
                    raise
        self.tally.add(tally)
        self.rejections = [*self.rejections, *rejections][:SHOWN_REJECTIONS]

    @transaction.atomic
    def store_once(self, batch: Batch, reader: LineReader, record: UsageImport) -> tuple[Tally, list[RejectedText]]:
        locked = lock_record(record.pk, offset=batch.offset)
        fates = ingest_events([event for _, _, event in batch.events], at=self.at, max_age=self.max_age)
        tally, rejections = sort_fates(batch, fates)
        move_on(locked, reader, tally, rejections)
        return tally, rejections

    def tell(self, log: LogFile | None = None, *, is_waiting: bool = False) -> None:
        if self.on_progress is not None:
            done, size = (log.done, log.size) if log else (0, self.path.stat().st_size)
            self.on_progress(ImportProgress(done=done, size=size, lines=self.tally.lines, is_waiting=is_waiting))

    def report(self, record: UsageImport, *, seconds: float) -> ImportReport:
        return ImportReport(
            source=record.source,
            file_name=self.path.name,
            shift=timedelta(seconds=record.shift_seconds),
            lines=self.tally.lines,
            accepted=self.tally.accepted,
            duplicates=self.tally.duplicates,
            rejected=self.tally.rejected,
            unmatched=self.tally.unmatched,
            accounts=self.accounts.created if self.accounts is not None else 0,
            bytes_read=self.bytes_read,
            bytes_served=self.tally.bytes_served,
            seconds=seconds,
            is_unfinished=self.is_unfinished,
            file_lines=record.lines,
            file_accepted=record.accepted,
            file_duplicates=record.duplicates,
            file_rejected=record.rejected,
            file_unmatched=record.unmatched,
            file_unused=record.unused,
            unused=self.tally.unused,
            skipped=self.tally.skipped,
            unmatched_subjects=list(self.tally.subjects),
            columns=self.columns,
            new_meters=self.counted.made,
            rejections=self.rejections,
        )
