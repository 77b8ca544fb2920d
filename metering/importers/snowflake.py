"""Two views of Snowflake's ACCOUNT_USAGE, exported as CSV.

Columns as documented at docs.snowflake.com/en/sql-reference/account-usage/query_history and
…/warehouse_metering_history. Times there are local (TIMESTAMP_LTZ) and are written with their offset; a file whose
times have none needs a zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from metering.events import UsageEvent
from metering.importers.cells import Digits, find_zone, read_time
from metering.importers.errors import ImportRefused, NotUsage
from metering.importers.formats import ColumnReport, LineParser, MeterTerms, sum_property
from metering.importers.lines import Line, LineReader
from metering.importers.subjects import clean_subject
from metering.importers.tables import Cells, Header, Table


@dataclass(frozen=True, slots=True)
class View:
    """`needed` lists columns of which each row needs one; `numbers` maps columns to (property, unit), `texts` to
    properties."""

    event_type: str
    title: str
    needed: tuple[tuple[str, ...], ...]
    subject_column: str
    numbers: Mapping[str, tuple[str, str]]
    texts: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        return [*(name for names in self.needed for name in names), *self.numbers, *self.texts]


QUERIES = View(
    event_type="snowflake.query",
    title="Snowflake queries",
    needed=(("QUERY_ID",), ("START_TIME",)),
    subject_column="WAREHOUSE_NAME",
    numbers={
        "TOTAL_ELAPSED_TIME": ("elapsed_ms", "millisecond"),
        "EXECUTION_TIME": ("execution_ms", "millisecond"),
        "BYTES_SCANNED": ("bytes_scanned", "byte"),
        "CREDITS_USED_CLOUD_SERVICES": ("cloud_services_credits", "credit"),
    },
    texts={
        "END_TIME": "end_time",
        "WAREHOUSE_NAME": "warehouse",
        "WAREHOUSE_SIZE": "warehouse_size",
        "USER_NAME": "user",
        "DATABASE_NAME": "database",
        "QUERY_TYPE": "query_type",
        "EXECUTION_STATUS": "status",
    },
)
WAREHOUSES = View(
    event_type="snowflake.warehouse",
    title="Snowflake warehouse hours",
    needed=(("WAREHOUSE_ID", "WAREHOUSE_NAME"), ("START_TIME",)),
    subject_column="WAREHOUSE_NAME",
    numbers={
        "CREDITS_USED": ("credits", "credit"),
        "CREDITS_USED_COMPUTE": ("compute_credits", "credit"),
        "CREDITS_USED_CLOUD_SERVICES": ("cloud_services_credits", "credit"),
    },
    texts={"END_TIME": "end_time", "WAREHOUSE_NAME": "warehouse"},
)


class Snowflake(Table):
    """One of the two views; a subclass says which.

    All files have one source, `origin` or the format's name, so that exports that overlap count what they share once.
    """

    view: ClassVar[View]

    def __init__(self, *, subject_column: str = "", zone: str = "", origin: str = "") -> None:
        self.origin = origin
        self.subject_column = subject_column or self.view.subject_column
        try:
            self.zone = find_zone(zone) if zone else None
        except ValueError as error:
            raise ImportRefused(str(error)) from error

    def start(self, reader: LineReader) -> LineParser | None:
        header = self.read_header(reader)
        return None if header is None else SnowflakeParser(self, header, self.report_columns(header))

    def report_columns(self, header: Header) -> ColumnReport:
        """Raises ImportRefused when a row could not be named, timed or given to a customer."""
        wanted = list(dict.fromkeys([*self.view.columns, self.subject_column]))
        used = [name for name in wanted if name in header]
        missing = [
            " or ".join(names) for names in (*self.view.needed, (self.subject_column,)) if not {*names} & {*used}
        ]
        if missing:
            raise ImportRefused(f"The table has no column {', '.join(missing)}: is it {self.view.title}?")
        stand_ins = {first: others[0] for first, *others in self.view.needed if others}
        absent = {name: stand_ins.get(name, "nothing") for name in wanted if name not in used}
        return ColumnReport(used=used, ignored=header.list_others(used), absent=absent)

    def name_source(self, record_source: str) -> str:
        return self.origin or self.name


class SnowflakeQueries(Snowflake):
    name: ClassVar[str] = "snowflake-queries"
    view: ClassVar[View] = QUERIES


class SnowflakeWarehouses(Snowflake):
    name: ClassVar[str] = "snowflake-warehouses"
    view: ClassVar[View] = WAREHOUSES


@dataclass(frozen=True, slots=True)
class SnowflakeParser(LineParser):
    format: Snowflake
    header: Header
    columns: ColumnReport

    def parse(self, line: Line, *, source: str) -> UsageEvent:
        cells, view = self.format.read_cells(line, self.header), self.format.view
        subject = cells[self.format.subject_column]
        if not subject:
            raise NotUsage(f"no {self.format.subject_column}")
        time = read_time(cells.require("START_TIME"), zone=self.format.zone)
        data: dict[str, Any] = {
            name: Digits().read(text) for column, (name, _) in view.numbers.items() if (text := cells[column])
        }
        data |= {name: text for column, name in view.texts.items() if (text := cells[column])}
        return UsageEvent(
            source=source,
            id=cells.require("QUERY_ID") if view is QUERIES else f"{name_warehouse(cells)}@{time:%Y-%m-%dT%H:%MZ}",
            type=view.event_type,
            subject=clean_subject(subject),
            time=time,
            data=data,
        )

    def suggest_meters(self, event: UsageEvent) -> list[MeterTerms]:
        """One for each number that the file has; queries are counted, too."""
        stem, view = self.format.name, self.format.view
        sums = [
            sum_property(stem, name, unit=unit, title=f"{view.title}: {name}")
            for column, (name, unit) in view.numbers.items()
            if column in self.header
        ]
        return [MeterTerms(key=stem, name=view.title, unit="query"), *sums] if view is QUERIES else sums


def name_warehouse(cells: Cells) -> str:
    return cells["WAREHOUSE_ID"] or cells.require("WAREHOUSE_NAME")
