"""Any delimited text, by a mapping that says which column is what."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from metering.events import MAX_LENGTHS, UsageEvent
from metering.importers.cells import Digits, find_zone, read_boolean, read_time
from metering.importers.errors import ImportRefused
from metering.importers.formats import ColumnReport, LineParser, MeterTerms, suggest_sums
from metering.importers.lines import Line, LineReader
from metering.importers.subjects import clean_subject
from metering.importers.tables import Header, Table

MAPPING_MAX_BYTES = 1 << 20

ColumnName = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class TimeColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format` is strptime's; empty for ISO 8601. `zone` is where times without an offset were taken."""

    column: ColumnName
    format: str = ""
    zone: str = ""


class DataColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    column: ColumnName
    kind: Literal["number", "text", "boolean"] = "number"


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column is what. The type is the same for all rows, or stands in `type_column`. Without an `id` column
    an event's id is the number of its row. `source` is for ids that name a row in all files: those that overlap count
    what they share once."""

    subject: ColumnName
    time: TimeColumn
    type: str = ""
    type_column: str = ""
    id: str = ""
    source: Annotated[str, msgspec.Meta(max_length=MAX_LENGTHS["source"])] = ""
    data: dict[Annotated[str, msgspec.Meta(min_length=1, max_length=120)], DataColumn] = {}
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "\u00a0", "\u202f"] = ""

    def __post_init__(self) -> None:
        if bool(self.type) == bool(self.type_column):
            raise ValueError("name either a type or a type_column")
        if self.source and not self.id:
            raise ValueError("a source for all files needs an id column")
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same sign")
        if self.time.zone:
            find_zone(self.time.zone)

    @property
    def columns(self) -> list[str]:
        named = [self.id, self.type_column, self.subject, self.time.column]
        return list(dict.fromkeys([name for name in named if name] + [each.column for each in self.data.values()]))


def read_mapping(path: Path) -> Mapping:
    """Raises OSError, ImportRefused."""
    with path.open("rb") as file:
        text = file.read(MAPPING_MAX_BYTES + 1)
    if len(text) > MAPPING_MAX_BYTES:
        raise ImportRefused(f"The mapping {path.name} is longer than {MAPPING_MAX_BYTES} bytes.")
    try:
        return msgspec.json.decode(text, type=Mapping)
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"The mapping {path.name} cannot be used: {error}.") from error


class MappedCsv(Table):
    """Delimited text by a mapping."""

    name: ClassVar[str] = "csv"
    nulls: Collection[str] = ()  # somebody may be called so

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.delimiter, self.encoding = mapping.delimiter, mapping.encoding
        self.digits = Digits(decimal=mapping.decimal, thousands=mapping.thousands)
        self.zone: ZoneInfo | timezone | None = find_zone(mapping.time.zone) if mapping.time.zone else None

    def start(self, reader: LineReader) -> LineParser | None:
        header = self.read_header(reader)
        if header is None:
            return None
        missing = [name for name in self.mapping.columns if name not in header]
        if missing:
            raise ImportRefused(
                f"The table has no column {', '.join(missing)}. It has: {', '.join(header.names)[:1_000]}."
            )
        used = self.mapping.columns
        return CsvParser(self, header, ColumnReport(used=used, ignored=header.list_others(used)))

    def name_source(self, record_source: str) -> str:
        return self.mapping.source or record_source

    def read_value(self, text: str, kind: str) -> Any:
        if kind == "number":
            return self.digits.read(text)
        return read_boolean(text) if kind == "boolean" else text


@dataclass(frozen=True, slots=True)
class CsvParser(LineParser):
    format: MappedCsv
    header: Header
    columns: ColumnReport

    def parse(self, line: Line, *, source: str) -> UsageEvent:
        cells, mapping = self.format.read_cells(line, self.header), self.format.mapping
        subject = cells.require(mapping.subject)
        time = cells.require(mapping.time.column)
        return UsageEvent(
            source=source,
            id=cells.require(mapping.id) if mapping.id else str(line.number),
            type=cells.require(mapping.type_column) if mapping.type_column else mapping.type,
            subject=clean_subject(subject),
            time=read_time(time, form=mapping.time.format, zone=self.format.zone),
            data={
                name: self.format.read_value(text, each.kind)
                for name, each in mapping.data.items()
                if (text := cells[each.column])
            },
        )

    def suggest_meters(self, event: UsageEvent) -> list[MeterTerms]:
        """The first row may leave a number out, so the mapping tells them."""
        data = self.format.mapping.data
        return suggest_sums(event.type, [name for name, each in data.items() if each.kind == "number"])
