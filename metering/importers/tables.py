"""Delimited text with a header: columns found by name, rows by column."""

from collections.abc import Collection, Iterable, Sequence
from typing import BinaryIO, cast

from metering.decoding import BYTE_ORDER_MARK
from metering.importers.errors import BadLine, ImportRefused
from metering.importers.formats import Format
from metering.importers.lines import Line, LineReader
from metering.importers.rows import RowReader, split_row

COLUMNS_MAX = 2_000


class Header:
    """The columns of a table, found whatever their case."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.positions: dict[str, int] = {}
        for position, name in enumerate(names):
            if name and self.positions.setdefault(name.lower(), position) != position:
                raise ImportRefused(f"The table has two columns called {name}.")

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
            raise BadLine(f"has nothing in its column {column}"[:200])
        return text


class Table(Format):
    """Formats whose files are delimited text with a header in their first row."""

    delimiter = ","
    encoding = "utf-8"
    nulls: Collection[str] = ("NULL", "null", r"\N")

    def open(self, content: BinaryIO, *, complete: bool) -> LineReader:
        return RowReader(content, delimiter=self.delimiter, complete=complete)

    def read_header(self, reader: LineReader) -> Header | None:
        """Raises ImportRefused."""
        text = cast(RowReader, reader).read_header()
        if text is None:
            return None
        try:
            names = split_row(self.decode(text.removeprefix(BYTE_ORDER_MARK)), delimiter=self.delimiter)
        except BadLine as error:
            raise ImportRefused(f"The header {error}.") from error
        if len(names) > COLUMNS_MAX:
            raise ImportRefused(f"The table has more than {COLUMNS_MAX} columns.")
        return Header([name.strip() for name in names])

    def read_cells(self, line: Line, header: Header) -> Cells:
        """Raises BadLine."""
        cells = split_row(self.decode(line.text), delimiter=self.delimiter)
        if len(cells) != len(header.names):
            raise BadLine(f"has {len(cells)} cells; the header has {len(header.names)}")
        return Cells(header, cells, nulls=self.nulls)

    def decode(self, text: bytes) -> str:
        """Raises BadLine."""
        if b"\0" in text:
            raise BadLine("holds a NUL byte")
        try:
            return text.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise BadLine(f"is not {self.encoding} from byte {error.start + 1} on") from error
