"""A log file on disk, plain or gzip, and the name by which its content is known."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from metering.importers.access_log import BadLine, parse_line
from metering.importers.errors import DamagedFile, ImportRefused
from metering.importers.lines import LineReader

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


def read_head(path: Path, *, complete: bool) -> bytes:
    """The first 1,024 bytes of the log; of a shorter one its whole lines, which growing does not change."""
    with open_log(path) as log:
        head = log.content.read(HEAD_BYTES)
    return head if len(head) == HEAD_BYTES or complete else head[: head.rfind(b"\n") + 1]


def name_sources(head: bytes) -> list[str]:
    """The source of this content first, then those it had when it was shorter than a head and ended with a line."""
    ends = [end for end, byte in enumerate(head, start=1) if byte == ord("\n")]
    shorter = sorted({end - cut for end in ends for cut in (0, 1, 2)} - {len(head)}, reverse=True)
    return [name_source(head[:end]) for end in [len(head), *shorter] if end > 0]


def name_source(head: bytes) -> str:
    return f"access-log:{hashlib.sha256(head).hexdigest()[:16]}"


def find_shift(path: Path, *, to: datetime, complete: bool) -> timedelta:
    """What brings the newest time of the log to `to`, in whole seconds; nothing for a log without times.

    A time after `to` is a fault in the log and does not count.
    """
    newest = None
    with open_log(path) as log:
        for line in LineReader(log.content, complete=complete):
            try:
                moment = parse_line(line.text).time
            except BadLine:
                continue  # the import itself reports it
            if moment <= to and (newest is None or moment > newest):
                newest = moment
    return timedelta(0) if newest is None else timedelta(seconds=(to - newest) // timedelta(seconds=1))
