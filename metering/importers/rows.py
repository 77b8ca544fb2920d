"""Rows of delimited text (RFC 4180): a row may hold newlines between quotes, so it may be several lines."""

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO

from metering.importers.errors import BadLine, DamagedFile
from metering.importers.lines import Line, LineReader

ROW_MAX_BYTES = 512 * 1024  # a query's text alone may be 100,000 characters


class RowReader(LineReader):
    """Reads rows as LineReader reads lines: `offset`, `number` and `digest` are true at the end of each row.

    `number` counts rows after the header, which `read_header` takes. A quote that stays open for longer than a row
    may be stops the reading: to go on behind it would be to guess where a row begins. Raises DamagedFile.
    """

    def __init__(self, file: BinaryIO, *, delimiter: str, complete: bool = False) -> None:
        super().__init__(file, complete=complete, max_bytes=ROW_MAX_BYTES)
        self.delimiter = delimiter

    def read_header(self) -> bytes | None:
        """The first row; None while it is not there in full."""
        header = next(iter(self), None)
        self.number = 0
        return None if header is None else header.text

    def __iter__(self) -> Iterator[Line]:
        number, start, size = self.number, self.mark(), 0
        parts: list[bytes] = []
        is_open = False
        for line in super().__iter__():
            parts.append(line.text)
            size += len(line.text) + 1
            if line.is_too_long or size > self.max_bytes:
                self.go_back(start)
                raise DamagedFile(
                    f"Row {number + 1} is longer than {self.max_bytes} bytes, or a quote in it is never closed. "
                    "What lies before it is imported; mend the row and run it again."
                )
            is_open = leaves_open(line.text, delimiter=self.delimiter, is_open=is_open)
            if is_open:
                continue
            number += 1
            self.number = number
            yield Line(number=number, text=b"\n".join(parts), end=self.offset, is_too_long=False)
            parts, start, size = [], self.mark(), 0
        self.number = number
        if parts:
            self.go_back(start)
            if self.complete:
                raise DamagedFile(f"Row {number + 1} opens a quote that is never closed.")


def leaves_open(line: bytes, *, delimiter: str, is_open: bool) -> bool:
    """Whether a quoted field goes on in the next line; `is_open` tells that one reaches into this one."""
    if not is_open and b'"' not in line:
        return False
    match = whole_fields(delimiter).match(b'"' + line if is_open else line)
    return match is not None and match["open"] is not None


@lru_cache(maxsize=8)
def whole_fields(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter).encode()
    quoted = rb'"(?:[^"]++|"")*+'
    plain = rb'(?:[^"%b][^%b]*+)?+' % (mark, mark)
    return re.compile(rb"(?:(?:%b\"[^%b]*+|%b)%b)*+(?:(?P<open>%b)\Z)?" % (quoted, mark, plain, mark, quoted))


def split_row(text: str, *, delimiter: str) -> list[str]:
    """Raises BadLine."""
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadLine(f"is no row of delimited text: {error}") from error
    if not rows or not any(rows[0]):
        raise BadLine("is empty")
    return rows[0]
