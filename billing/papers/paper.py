"""A document in words: every text and number as it will be read. How it looks is the business of its templates."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Field:
    """A word and what it stands for: `Number`, `2026-000001`. A value may have several lines."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One cell for each column; `notes` explain it, in sentences below the one with words."""

    cells: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together; without a title where all do."""

    rows: tuple[Row, ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    label: str
    value: str
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A table under its title, with the sums that follow from it."""

    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    sums: tuple[Sum, ...] = ()
    described: int = 1  # which column holds words: it gets the room that is left, and the notes
    is_dense: bool = False  # many short rows
    summary: str = ""  # what the table says, for who cannot see it


@dataclass(frozen=True, slots=True)
class Attachment:
    """What a program reads, inside of the PDF."""

    name: str
    description: str
    text: str
    relationship: str = "alternative"  # the same in another form, as PDF/A-3 has it; or `data`


@dataclass(frozen=True, slots=True)
class Paper:
    """A whole document in one language. `dated_at` is its one moment: nothing in it depends on when it is printed."""

    heading: str  # `Invoice`
    title: str  # `Invoice 2026-000001`: unlike any other's
    name: str  # of its file, without an ending
    language: str
    dated_at: datetime
    seller: Field
    for_words: str  # `Billed to`
    customer: Field
    headline: Field | None
    facts: tuple[Field, ...]
    sections: tuple[Section, ...]
    notes: tuple[Field, ...]
    foot: str
    page_words: str  # `Page {page} of {pages}`
    attachment: Attachment | None = None

    @property
    def size(self) -> int:
        """How many rows and notes there are to set: what it costs."""
        return sum(1 + len(row.notes) for section in self.sections for group in section.groups for row in group.rows)
