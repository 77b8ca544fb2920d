"""A file of usage on disk, plain or gzip, and the name by which its content is known."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from metering.importers.errors import BadLine, DamagedFile, ImportRefused, NotUsage
from metering.importers.formats import Format

HEAD_BYTES = 1_024
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class LogFile:
    """An open log: `content` reads the log itself, `raw` the file as it lies on disk."""

    content: BinaryIO
    raw: BinaryIO
    size: int

    @property
    def done(self) -> int:
        return self.raw.tell()


@contextmanager
def open_log(path: Path) -> Iterator[LogFile]:
    """Raises OSError, ImportRefused for what is no plain file, DamagedFile when reading it fails on the way."""
    if path.exists() and not path.is_file():
        raise ImportRefused(f"{path} is no file")
    with path.open("rb") as raw:
        is_gzip = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        raw.seek(0)
        content = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_gzip else raw
        try:
            yield LogFile(content=content, raw=raw, size=path.stat().st_size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedFile(f"{path} is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class LogNames:
    """The source of a log. `new` is what it is called from now on, None while there is no line to call it by.

    `known` are all by which it may have been called, the present one first: a log that is shorter than a head is
    called by its whole lines, and keeps that name when it grows.
    """

    new: str | None
    known: list[str]


def name_log(path: Path, *, format: Format, complete: bool) -> LogNames:
    """A table's header is no part of what a name is made from alone: many tables have the same."""
    with open_log(path) as log:
        reader = format.open(log.content, complete=complete)
        if format.start(reader) is None:
            return LogNames(new=None, known=[])
        header_end = reader.offset
        log.content.seek(0)
        head = log.content.read(header_end + HEAD_BYTES)
    is_whole = len(head) == header_end + HEAD_BYTES or complete
    end = len(head) if is_whole else head.rfind(b"\n") + 1
    line_ends = [position for position, byte in enumerate(head, start=1) if byte == ord("\n") and position > header_end]
    earlier = {len(head), *(line_end - cut for line_end in line_ends for cut in (0, 1, 2))}  # \n, none, \r\n
    names = {
        length: name_source(format.name, head[:length])
        for length in [end, *sorted(earlier - {end}, reverse=True)]
        if length > header_end
    }
    return LogNames(new=names.get(end), known=list(names.values()))


def name_source(prefix: str, head: bytes) -> str:
    return f"{prefix}:{hashlib.sha256(head).hexdigest()[:16]}"


def find_shift(path: Path, *, format: Format, to: datetime, complete: bool) -> timedelta:
    """What brings the newest time of the file to `to`, in whole seconds; nothing for one without times.

    A time after `to` is a fault in the file and does not count.
    """
    newest = None
    with open_log(path) as log:
        reader = format.open(log.content, complete=complete)
        parser = format.start(reader)
        for line in reader if parser else ():
            try:
                moment = parser.parse(line, source="").time if parser else None
            except (BadLine, NotUsage):
                continue  # the import itself reports it
            if moment is not None and moment <= to and (newest is None or moment > newest):
                newest = moment
    return timedelta(0) if newest is None else timedelta(seconds=(to - newest) // timedelta(seconds=1))
