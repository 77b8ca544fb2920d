"""Lines of JSON, each one CloudEvent with the id and the source it was born with."""

from typing import ClassVar

import msgspec

from metering.decoding import BYTE_ORDER_MARK, decode_event
from metering.events import EventFate, UsageEvent
from metering.importers.errors import BadLine
from metering.importers.formats import ColumnReport, Format, LineParser
from metering.importers.lines import Line, LineReader


class Ndjson(Format, LineParser):
    """What the API would take line by line. An event that came through it already is a duplicate here."""

    name: ClassVar[str] = "ndjson"
    columns = ColumnReport()

    def name_source(self, record_source: str) -> None:
        return None

    def start(self, reader: LineReader) -> LineParser:
        return self

    def parse(self, line: Line, *, source: str) -> UsageEvent:
        text = line.text.removeprefix(BYTE_ORDER_MARK) if line.number == 1 else line.text
        if not text.strip():
            raise BadLine("is empty")
        event = decode_event(msgspec.Raw(text))
        if isinstance(event, EventFate):
            raise BadLine(f"is no event: {event.message}")
        return event
