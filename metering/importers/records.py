"""The durable record of an import: how far a file was read. It moves on in the transaction that stores the events."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction

from metering.importers.errors import ImportMovedOn, ImportRefused
from metering.importers.files import LogNames
from metering.importers.lines import LineReader
from metering.importers.reports import RejectedText, Tally
from metering.models import Event, RejectedLine, UsageImport

RECORDS_LOCK = 7_241_001  # while a record is looked up and made
IMPORT_LOCK = 7_241_002  # with the record's key: while its file is read


def find_record(sources: Sequence[str]) -> UsageImport | None:
    """The record of the first of these sources that has one."""
    found = {record.source: record for record in UsageImport.objects.filter(source__in=sources)}
    return next((found[source] for source in sources if source in found), None)


@transaction.atomic
def open_record(names: LogNames, *, file_name: str, shift: timedelta, at: datetime) -> UsageImport:
    """The record of the file, made when it has none. Two that come at once get the same one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RECORDS_LOCK])
    return find_record(names.known) or UsageImport.objects.create(
        source=names.new or names.known[0],
        file_name=file_name[-400:],
        shift_seconds=shift // timedelta(seconds=1),
        started_at=at,
    )


@contextmanager
def hold_record(record_id: int, *, on_wait: Callable[[], None]) -> Iterator[UsageImport]:
    """Read a file alone: a second import of it waits here. The lock ends with the connection, however that ends."""
    key = [IMPORT_LOCK, record_id % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        if cursor.fetchone() != (True,):
            on_wait()
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", key)
    try:
        yield UsageImport.objects.get(pk=record_id)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def continue_reading(record: UsageImport, reader: LineReader) -> None:
    """Bring the reader to where the record stands. Raises ImportRefused when what lies before is not what was read."""
    is_there = reader.skip_to(record.offset)
    if record.offset and not (is_there and reader.digest.hexdigest() == record.digest):
        found = "have changed" if is_there else "are no longer all there"
        raise ImportRefused(
            f"The first {record.offset} bytes of {record.file_name} were imported and {found}. Nothing was added. "
            "If it is another file, give it a name of its own with --source."
        )


def lock_record(record_id: int, *, offset: int) -> UsageImport:
    """Lock the record for one batch that was read from `offset` on. Raises ImportMovedOn when it is elsewhere."""
    record = UsageImport.objects.select_for_update(of=("self",)).get(pk=record_id)
    if record.offset != offset:
        raise ImportMovedOn(f"another import of {record.file_name} went on in the meantime")
    return record


def move_on(record: UsageImport, reader: LineReader, tally: Tally, rejections: Sequence[RejectedText]) -> None:
    """Note that everything up to the reader's offset is stored."""
    RejectedLine.objects.bulk_create(
        RejectedLine(usage_import=record, line_number=bad.line_number, reason=bad.reason, text=bad.text)
        for bad in rejections
    )
    record.offset, record.digest = reader.offset, reader.digest.hexdigest()
    record.lines += tally.lines
    record.accepted += tally.accepted
    record.duplicates += tally.duplicates
    record.rejected += tally.rejected
    record.unmatched += tally.unmatched
    record.unused += tally.unused.total()
    record.save()


@transaction.atomic
def finish_record(record_id: int, *, is_sole_source: bool, at: datetime) -> UsageImport:
    """Note that the file was read to its end, and how many of its events still wait for their account.

    That can be told again only of a file that is the sole one of its events' source.
    """
    record = UsageImport.objects.select_for_update(of=("self",)).get(pk=record_id)
    if record.unmatched and is_sole_source:
        waiting = Event.objects.filter(source=record.source, account=None).count()
        record.accepted, record.unmatched = record.accepted + record.unmatched - waiting, waiting
    record.finished_at = at
    record.save()
    return record
