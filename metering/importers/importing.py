"""Import a web server's log: every line once, whatever interrupts it.

A batch of lines and the note of how far the file was read are one transaction. The file is known by how it begins, so
a log that has grown goes on where it was left, and a new file under an old name is another source.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from django.db import OperationalError, connection, transaction

from metering.events import EventFate, Fate
from metering.importers.batches import EVENT_TYPE, Batch, read_batches
from metering.importers.clients import ClientAccounts
from metering.importers.errors import ImportRefused
from metering.importers.files import LogFile, LogNames, find_shift, name_log, open_log
from metering.importers.lines import LineReader
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
from metering.ingest import ingest_events
from metering.meters import UnknownMeter, create_meter, find_meter
from metering.models import UsageImport

BATCH_LINES = 1_000
HISTORY = timedelta(days=36_525)  # logs are imported late: nearly any age is welcome
SHOWN_REJECTIONS = 20
ATTEMPTS = 5
DEADLOCK = "40P01"

OnProgress = Callable[[ImportProgress], None]


def import_access_log(
    path: Path,
    *,
    at: datetime,
    source: str | None = None,
    create_accounts: bool = False,
    shift: timedelta | None = None,
    shift_to: datetime | None = None,
    complete: bool = False,
    batch: int = BATCH_LINES,
    max_age: timedelta = HISTORY,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Import what is new in a log in combined or common format, plain or gzip, as events of type `http.request`.

    An event's id is its line number; its source names the file by its first 1,024 bytes, or is `source`. The meters
    `requests` and `bandwidth` are made when there are none. `create_accounts` makes each client an account; without
    it the requests of unknown clients are stored and wait. `shift` is added to the log's times, `shift_to` instead
    moves its newest time there; the first run's choice holds for all later ones. `complete` says that nobody writes
    the file any more, so that a last line without a newline is taken too.

    Killed anywhere and run again, or run twice, it gives the same totals; of two at once the second waits. Raises
    OSError, ImportRefused.
    """
    started = monotonic()
    run = ImportRun(path=path, at=at, complete=complete, batch=batch, max_age=max_age, on_progress=on_progress)
    if create_accounts:
        run.clients = ClientAccounts(at=at)
    names = LogNames(new=source, known=[source]) if source else name_log(path, complete=complete)
    record = find_record(names.known)
    if record is None and names.new is not None:
        if shift_to is not None:
            shift = find_shift(path, to=shift_to, complete=complete)
        record = open_record(names, file_name=path.name, shift=shift or timedelta(0), at=at)
    if record is None:  # there is no line to read yet
        return run.report(UsageImport(file_name=path.name, started_at=at), seconds=monotonic() - started)
    record = run.read(record.pk)
    return run.report(record, seconds=monotonic() - started)


@dataclass(slots=True)
class ImportRun:
    """One run over one file."""

    path: Path
    at: datetime
    complete: bool
    batch: int
    max_age: timedelta
    on_progress: OnProgress | None
    clients: ClientAccounts | None = None
    tally: Tally = field(default_factory=Tally)
    rejections: list[RejectedText] = field(default_factory=list)
    new_meters: list[str] = field(default_factory=list)
    bytes_read: int = 0
    is_unfinished: bool = False

    def read(self, record_id: int) -> UsageImport:
        """Read the file from where the record stands to its end, alone."""
        with (
            hold_record(record_id, on_wait=lambda: self.tell(is_waiting=True)) as record,
            open_log(self.path) as log,
        ):
            reader = LineReader(log.content, complete=self.complete)
            continue_reading(record, reader)
            self.new_meters = create_missing_meters(at=self.at)
            if self.clients is not None:
                self.clients.create_waiting(record.source)
            for batch in read_batches(reader, lines=self.batch, shift=timedelta(seconds=record.shift_seconds)):
                self.store(batch, reader, record)
                self.tell(log)
            self.is_unfinished = reader.is_unfinished
            self.bytes_read = reader.offset - record.offset
            return finish_record(record_id, at=self.at)

    def store(self, batch: Batch, reader: LineReader, record: UsageImport) -> None:
        """Store a batch and the note of it, all or nothing, and again when the database broke a deadlock with it."""
        if self.clients is not None:
            self.clients.create_missing(request.client for _, _, request in batch.requests)
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
        fates = ingest_events(batch.events(record.source), at=self.at, max_age=self.max_age)
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
            accounts=self.clients.created if self.clients is not None else 0,
            bytes_read=self.bytes_read,
            bytes_served=self.tally.bytes_served,
            seconds=seconds,
            is_unfinished=self.is_unfinished,
            file_lines=record.lines,
            file_accepted=record.accepted,
            file_duplicates=record.duplicates,
            file_rejected=record.rejected,
            file_unmatched=record.unmatched,
            new_meters=self.new_meters,
            rejections=self.rejections,
        )


def create_missing_meters(*, at: datetime) -> list[str]:
    """Make the meters that a log is counted by; returns the keys of those that were not there.

    Raises ImportRefused when one of their keys is that of a meter of other events.
    """
    wanted = [("requests", "Requests", "count", "", "request"), ("bandwidth", "Bandwidth", "sum", "bytes", "byte")]
    made = []
    for key, name, aggregation, value, unit in wanted:
        try:
            meter = find_meter(key)
        except UnknownMeter:
            meter = create_meter(
                key=key,
                name=name,
                event_type=EVENT_TYPE,
                aggregation=aggregation,
                value=value,
                unit=unit,
                at=at,
            )
            made.append(key)
        if meter.event_type != EVENT_TYPE:
            raise ImportRefused(f"The meter {key} counts events of type {meter.event_type}, not {EVENT_TYPE}.")
    return made


def sort_fates(batch: Batch, fates: Sequence[EventFate]) -> tuple[Tally, list[RejectedText]]:
    """Every line of the batch by its fate; what ingestion refused joins the bad lines."""
    tally, rejections = Tally(lines=len(batch)), list(batch.rejections)
    for (number, text, request), fate in zip(batch.requests, fates, strict=True):
        match fate.fate:
            case Fate.ACCEPTED | Fate.LATE:
                tally.accepted += 1
            case Fate.UNMATCHED:
                tally.unmatched += 1
            case Fate.DUPLICATE:
                tally.duplicates += 1
            case _:
                rejections.append(RejectedText(line_number=number, reason=show_reason(fate), text=text))
        if fate.fate in (Fate.ACCEPTED, Fate.LATE, Fate.UNMATCHED):
            tally.bytes_served += request.size
    tally.rejected = len(rejections)
    return tally, sorted(rejections, key=lambda bad: bad.line_number)


def show_reason(fate: EventFate) -> str:
    return f"{fate.code}: {fate.message}"[:200]
