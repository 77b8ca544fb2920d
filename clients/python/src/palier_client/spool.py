"""What waits to be sent, in files: what was put survives the death of the process. Needs POSIX, and a local disk.

put() hands the row to the kernel by write() before it returns, so a kill of the process loses nothing. A loss of power
may lose what the kernel had not written yet, unless `fsync`.

Every process has a name of its own in the folder, `NAME.lock`, held by flock as long as it lives, and its rows lie in
`NAME-0000000001.rows` and so on. One such file is one batch: it is removed when the server has acknowledged it. A kill
between the two sends it again; the server knows the ids. A lock that is free has no process any more, and whoever
comes next takes its files over.
"""

import fcntl
import os
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import uuid4

from palier_client.backlog import BATCH_MAX_BYTES, Backlog, Batch

CHECKSUM_BYTES = 9  # eight hexadecimal digits of CRC-32 and a space


@dataclass(slots=True, eq=False)
class Segment:
    """A file of rows, each after its checksum."""

    path: Path
    rows: int = 0
    size: int = 0

    def read(self) -> tuple[list[bytes], int]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:  # somebody emptied the folder
            return [], self.rows
        rows = [line[CHECKSUM_BYTES:] for line in content.split(b"\n") if is_intact(line)]
        return rows, count_rows(content) - len(rows)


class Spool(Backlog):
    """Files in a folder that several processes may share."""

    def __init__(self, folder: Path, *, max_bytes: int, batch_rows: int, fsync: bool) -> None:
        self.folder, self.max_bytes, self.batch_rows, self.fsync = folder, max_bytes, batch_rows, fsync
        self.name = ""
        self.lock = self.file = -1
        self.numbers = count(1)  # two threads may ask
        self.bytes = self.rows = 0
        self.open_segment: Segment | None = None
        self.sealed: deque[Segment] = deque()

    @property
    def waiting(self) -> int:
        return self.rows

    def open(self) -> None:
        """Take a name of our own, once."""
        while self.lock < 0:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = uuid4().hex
            lock = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_nlink:
                self.name, self.lock = name, lock
            else:  # between the two lines above somebody took us for dead
                os.close(lock)

    def put(self, row: bytes) -> bool:
        line = b"%08x %b\n" % (zlib.crc32(row), row)
        if self.bytes + len(line) > self.max_bytes:
            return False
        if self.open_segment and self.open_segment.size + len(line) > BATCH_MAX_BYTES:
            self.seal()
        segment = self.open_segment or self.begin_segment()
        try:
            if os.write(self.file, line) != len(line):
                raise OSError("the disk is full")
            if self.fsync:
                os.fsync(self.file)
        except OSError:
            os.ftruncate(self.file, segment.size)
            raise
        segment.rows += 1
        segment.size += len(line)
        self.bytes += len(line)
        self.rows += 1
        if segment.rows == self.batch_rows:
            self.seal()
        return True

    def begin_segment(self) -> Segment:
        self.open()
        segment = Segment(self.next_path())
        self.file = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.open_segment = segment
        if self.fsync:
            sync_folder(self.folder)
        return segment

    def next_path(self) -> Path:
        return self.folder / f"{self.name}-{next(self.numbers):010}.rows"

    def seal(self) -> None:
        if self.open_segment is not None:
            self.sealed.append(self.open_segment)
            self.open_segment = None
            os.close(self.file)
            self.file = -1

    def oldest(self) -> Segment | None:
        if not self.sealed:
            self.seal()
        return self.sealed[0] if self.sealed else None

    def forget(self) -> None:
        """A file that cannot be removed is sent again by the next process."""
        segment = self.sealed.popleft()
        self.bytes -= segment.size
        self.rows -= segment.rows
        with suppress(OSError):
            segment.path.unlink()

    def collect_orphans(self) -> Iterator[Segment]:
        locks = {path.stem for path in self.folder.glob("*.lock")}
        rows = {path.stem.partition("-")[0] for path in self.folder.glob("*.rows")}
        troubles: list[OSError] = []
        for name in sorted((locks | rows) - {self.name}):
            yield from self.collect_from(name, troubles)
        if troubles:
            raise troubles[0]

    def collect_from(self, name: str, troubles: list[OSError]) -> Iterator[Segment]:
        """What the process of this name left, unless it lives. Its name is given up when nothing is left under it."""
        path = self.folder / f"{name}.lock"
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            troubles.append(error)
            return
        before = len(troubles)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in sorted(self.folder.glob(f"{name}-*.rows")):
                try:
                    segment = self.take_over(left)
                except OSError as error:
                    troubles.append(error)
                else:
                    yield segment
            if len(troubles) == before:
                path.unlink(missing_ok=True)
        except BlockingIOError:  # it lives
            pass
        finally:
            os.close(lock)

    def take_over(self, left: Path) -> Segment:
        content = left.read_bytes()
        segment = Segment(left.rename(self.next_path()), rows=count_rows(content), size=len(content))
        if self.fsync:
            sync_folder(self.folder)
        return segment

    def add(self, batch: Batch) -> None:
        if not isinstance(batch, Segment):
            raise TypeError("a spool takes over files only")
        self.seal()
        self.sealed.append(batch)
        self.bytes += batch.size
        self.rows += batch.rows

    def close(self) -> int:
        """Leave what waits to the next process."""
        self.seal()
        if self.lock >= 0:
            if not self.sealed:
                (self.folder / f"{self.name}.lock").unlink(missing_ok=True)
            os.close(self.lock)
            self.lock = -1
        return 0

    def renew(self) -> "Spool":
        """Closing what was inherited leaves the parent's lock alone, and lets its death free it."""
        for inherited in (self.lock, self.file):
            with suppress(OSError):  # another thread of the parent's may have been closing it
                os.close(inherited)
        return Spool(self.folder, max_bytes=self.max_bytes, batch_rows=self.batch_rows, fsync=self.fsync)


def is_intact(line: bytes) -> bool:
    return len(line) > CHECKSUM_BYTES and line[:CHECKSUM_BYTES] == b"%08x " % zlib.crc32(line[CHECKSUM_BYTES:])


def count_rows(content: bytes) -> int:
    """Lines, with the last one that a death in the middle of write() may have left without its end."""
    return content.count(b"\n") + (content != b"" and not content.endswith(b"\n"))


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
