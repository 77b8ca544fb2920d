"""Delimited text with a header (RFC 4180): rows that may hold newlines between quotes, columns found by name."""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import BinaryIO

from metering.decoding import BYTE_ORDER_MARK
from metering.importers.errors import BadLine, DamagedFile, ImportRefused
from metering.importers.formats import Format
from metering.importers.lines import Line, LineReader

ROW_MAX_BYTES = 512 * 1024  # the text of a Snowflake query alone may be 100,000 characters
COLUMNS_MAX = 2_000


class RowReader(LineReader):
    """Reads rows as LineReader reads lines: `offset`, `number` and `digest` are true at the end of each row.

    A row has the number of the line it begins in; the header is line 1. A quote that stays open for longer than a
    row may be stops the reading: to go on behind it would be to guess where a row begins. Raises DamagedFile.
    """

    def __init__(self, file: BinaryIO, *, delimiter: str, complete: bool = False) -> None:
        super().__init__(file, complete=complete, max_bytes=ROW_MAX_BYTES)
        self.delimiter = delimiter

    def __iter__(self) -> Iterator[Line]:
        start, parts, size, is_open = self.mark(), list[bytes](), 0, False
        for line in super().__iter__():
            parts.append(line.text)
            size += len(line.text) + 1
            if line.is_too_long or size > self.max_bytes:
                self.go_back(start)
                raise DamagedFile(
                    f"The row in line {start.number + 1} is longer than {self.max_bytes} bytes, or a quote in it is "
                    "never closed. What lies before it is imported; mend it and run the import again."
                )
            is_open = leaves_open(line.text, delimiter=self.delimiter, is_open=is_open)
            if not is_open:
                yield Line(number=start.number + 1, text=b"\n".join(parts), end=self.offset, is_too_long=False)
                start, parts, size = self.mark(), [], 0
        if parts:
            self.go_back(start)
            if self.complete:
                raise DamagedFile(f"The row in line {start.number + 1} opens a quote that is never closed.")


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


class Header:
    """The columns of a table, found whatever their case. `name in header` raises ImportRefused when two are it."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.positions: dict[str, int] = {}
        self.doubles: set[str] = set()
        for position, name in enumerate(names):
            if self.positions.setdefault(name.lower(), position) != position:
                self.doubles.add(name.lower())

    def __contains__(self, name: str) -> bool:
        if name.lower() in self.doubles:
            raise ImportRefused(f"The table has two columns called {name}.")
        return name.lower() in self.positions

    def find(self, name: str) -> int | None:
        return self.positions.get(name.lower())

    def list_others(self, used: Iterable[str]) -> list[str]:
        """The columns that are not among these, as the file writes them."""
        known = {name.lower() for name in used}
        return [name for name in self.names if name and name.lower() not in known]


class Cells:
    """One row, by column. A column that the table has not is empty, and so is a cell that says null."""

    __slots__ = ("cells", "header", "nulls")

    def __init__(self, header: Header, cells: Sequence[str], *, nulls: Collection[str]) -> None:
        self.header, self.cells, self.nulls = header, cells, nulls

    def __getitem__(self, column: str) -> str:
        position = self.header.find(column)
        text = "" if position is None else self.cells[position].strip()
        return "" if text in self.nulls else text

    def require(self, column: str) -> str:
        """Raises BadLine."""
        text = self[column]
        if not text:
            raise BadLine(f"has nothing in its column {column}")
        return text


class Table(Format):
    """Formats whose files are delimited text with a header in their first row."""

    delimiter = ","
    encoding = "utf-8"
    nulls: Collection[str] = ("NULL", "null", r"\N")

    def open(self, content: BinaryIO, *, complete: bool) -> LineReader:
        return RowReader(content, delimiter=self.delimiter, complete=complete)

    def read_header(self, reader: LineReader) -> Header | None:
        """The first row; None while it is not there in full. Raises ImportRefused."""
        line = next(iter(reader), None)
        if line is None:
            return None
        try:
            names = self.split(line.text.removeprefix(BYTE_ORDER_MARK))
        except BadLine as error:
            raise ImportRefused(f"The header {error}.") from error
        if len(names) > COLUMNS_MAX:
            raise ImportRefused(f"The table has more than {COLUMNS_MAX} columns.")
        return Header([name.strip() for name in names])

    def read_cells(self, line: Line, header: Header) -> Cells:
        """Raises BadLine."""
        cells = self.split(line.text)
        if len(cells) != len(header.names):
            raise BadLine(f"has {len(cells)} cells; the header has {len(header.names)}")
        return Cells(header, cells, nulls=self.nulls)

    def split(self, row: bytes) -> list[str]:
        """Raises BadLine."""
        if b"\0" in row:
            raise BadLine("holds a NUL byte")
        try:
            rows = list(csv.reader([row.decode(self.encoding)], delimiter=self.delimiter, strict=True))
        except UnicodeDecodeError as error:
            raise BadLine(f"is not {self.encoding} from byte {error.start + 1} on") from error
        except csv.Error as error:
            raise BadLine(f"is no row of delimited text: {error}") from error
        if not rows or not any(rows[0]):
            raise BadLine("is empty")
        return rows[0]
