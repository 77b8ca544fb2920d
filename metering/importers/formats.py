"""What an import asks of a file's format: how it is cut into lines, and what event each line is."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import BinaryIO, ClassVar

from metering.checking import check_data, data_text
from metering.events import UsageEvent
from metering.importers.lines import Line, LineReader
from metering.paths import write_path

METER_KEY_MAX = 60
METER_UNIT_MAX = 40
DIGEST_DIGITS = 8


@dataclass(frozen=True, slots=True)
class MeterTerms:
    """A meter to be made. `value` is the expression it sums, empty for one that counts events."""

    key: str
    name: str
    unit: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """The columns of a table: those that became usage, those that did not, and for each absent one what stood in."""

    used: Sequence[str] = ()
    ignored: Sequence[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)


class LineParser(ABC):
    """Reads the lines of one file. `columns` tells what it makes of them."""

    columns: ColumnReport

    @abstractmethod
    def parse(self, line: Line, *, source: str) -> UsageEvent:
        """Raises BadLine, NotUsage."""

    def suggest_meters(self, event: UsageEvent) -> list[MeterTerms]:
        """Meters for the type of this event: one counts it, one sums each number it holds. Raises Refusal."""
        properties = check_data(data_text(event.data))
        named = ((name, value) for name, value in properties.items() if name and name.isprintable())
        numbers = [name for name, value in named if type(value) in (int, Decimal)]
        return suggest_sums(event.type, numbers)


class Format(ABC):
    """One format of files. `name` begins the names of their sources; `always_has_meters` makes meters unasked."""

    name: ClassVar[str]
    always_has_meters: ClassVar[bool] = False

    def open(self, content: BinaryIO, *, complete: bool) -> LineReader:
        return LineReader(content, complete=complete)

    @abstractmethod
    def start(self, reader: LineReader) -> LineParser | None:
        """Take what comes before the first line. None while that is not there. Raises ImportRefused."""

    def name_source(self, record_source: str) -> str | None:
        """The source of a file's events: its record's, or one for all files; None where each event has its own."""
        return record_source


def suggest_sums(event_type: str, numbers: Sequence[str]) -> list[MeterTerms]:
    """One that counts and one for each of these properties."""
    stem = slugify(event_type)
    return [
        MeterTerms(key=fit_key(stem), name=event_type, unit="event"),
        *(sum_property(stem, name, unit=name, title=f"{event_type}: {name}") for name in numbers),
    ]


def sum_property(stem: str, name: str, *, unit: str, title: str) -> MeterTerms:
    return MeterTerms(
        key=fit_key(f"{stem}-{slugify(name)}"),
        name=title[:120],
        unit=unit[:METER_UNIT_MAX],
        value=write_path([name]),
    )


def slugify(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "usage"


def fit_key(key: str) -> str:
    """The key itself, or as much of it as fits with a digest of the whole, so that two do not become one."""
    if len(key) <= METER_KEY_MAX:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:DIGEST_DIGITS]
    return f"{key[: METER_KEY_MAX - DIGEST_DIGITS - 1].strip('-')}-{digest}"
