"""Lines of a file of any size, in bounded memory, with the digest of what was read."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from metering.importers.errors import ImportRefused

LINE_MAX_BYTES = 131_072  # the data of an event alone may have half of it
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. Of one that is too long only the beginning is kept. `end` is the offset behind it."""

    number: int
    text: bytes
    end: int
    is_too_long: bool


class Mark(NamedTuple):
    """Where a reader stood."""

    digest: "hashlib._Hash"
    offset: int
    number: int
    last_byte: bytes


class LineReader:
    """Reads lines on from where `skip_to` left off. A last line without a newline is left unread unless `complete`.

    After each line `offset`, `number` (of lines) and `digest` tell how far it got and what all of it was.
    """

    def __init__(self, file: BinaryIO, *, complete: bool = False, max_bytes: int = LINE_MAX_BYTES) -> None:
        self.file = file
        self.complete = complete
        self.max_bytes = max_bytes
        self.offset = 0
        self.number = 0
        self.is_unfinished = False
        self.digest = hashlib.sha256()
        self.last_byte = b"\n"

    def skip_to(self, offset: int) -> bool:
        """Pass over what is known, taking its digest. False when the file is shorter than that."""
        while self.offset < offset:
            chunk = self.file.read(min(CHUNK_BYTES, offset - self.offset))
            if not chunk:
                return False
            self.take(chunk)
            self.number += chunk.count(b"\n")
        self.number += self.last_byte != b"\n"  # a last line that was taken as it was
        return True

    def __iter__(self) -> Iterator[Line]:
        self.end_last_line()
        while head := self.file.readline(self.max_bytes + 1):
            before = self.mark()
            self.take(head)
            is_too_long = len(head) > self.max_bytes and self.last_byte != b"\n"
            if is_too_long:
                self.pass_over_rest()
            if self.last_byte != b"\n" and not self.complete:
                self.go_back(before)
                return
            self.number += 1
            text = head.removesuffix(b"\n").removesuffix(b"\r")
            yield Line(number=self.number, text=text, end=self.offset, is_too_long=is_too_long)

    def mark(self) -> Mark:
        return Mark(self.digest.copy(), self.offset, self.number, self.last_byte)

    def go_back(self, mark: Mark) -> None:
        """What follows the mark is left for the next run."""
        self.digest, self.offset, self.number, self.last_byte = mark
        self.is_unfinished = True

    def take(self, text: bytes) -> None:
        self.digest.update(text)
        self.offset += len(text)
        self.last_byte = text[-1:]

    def pass_over_rest(self) -> None:
        while self.last_byte != b"\n" and (rest := self.file.readline(LINE_MAX_BYTES)):
            self.take(rest)

    def end_last_line(self) -> None:
        """A last line that was taken without its newline may get it now, and nothing else. Raises ImportRefused."""
        if self.last_byte == b"\n":
            return
        rest = self.file.readline(LINE_MAX_BYTES)
        if rest.strip(b"\r\n"):
            raise ImportRefused(f"line {self.number} was imported as complete, and has grown since")
        if rest:
            self.take(rest)
