"""A file in batches: each line is an event, a bad line, or no usage at all, and every line is one of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from metering.events import EventFate, Fate, UsageEvent
from metering.importers.access_log import EVENT_TYPE
from metering.importers.errors import BadLine, DamagedFile, NotUsage
from metering.importers.formats import LineParser
from metering.importers.lines import LINE_MAX_BYTES, Line, LineReader
from metering.importers.reports import RejectedText, Tally

BATCH_MAX_BYTES = 4 * 1024 * 1024
SHOWN_TEXT = 200
KEPT = (Fate.ACCEPTED, Fate.LATE, Fate.UNMATCHED)


@dataclass(slots=True)
class Batch:
    """Lines read from `offset` on, for one transaction. Each event stands beside its line's number and text."""

    offset: int
    size: int = 0
    events: list[tuple[int, str, UsageEvent]] = field(default_factory=list)
    rejections: list[RejectedText] = field(default_factory=list)
    unused: Counter[str] = field(default_factory=Counter)  # by kind

    def __len__(self) -> int:
        return len(self.events) + len(self.rejections) + self.unused.total()

    @property
    def first_number(self) -> int:
        """Of its events."""
        return self.events[0][0]

    def add(self, line: Line, parser: LineParser, *, source: str, shift: timedelta) -> None:
        self.size += len(line.text)
        text = show_bytes(line.text)
        try:
            self.events.append((line.number, text, read_event(line, parser, source=source, shift=shift)))
        except BadLine as error:
            self.rejections.append(RejectedText(line_number=line.number, reason=show_text(str(error)), text=text))
        except NotUsage as kind:
            self.unused[str(kind)] += 1


def read_batches(
    reader: LineReader, parser: LineParser, *, start: int, source: str, lines: int, shift: timedelta
) -> Iterator[Batch]:
    """When a batch is handed out the reader stands at its end, with the digest of everything up to there.

    `start` is the offset behind what was imported before; a header lies between it and the first line.
    Raises DamagedFile, after the last batch that could be read.
    """
    batch = Batch(offset=start)
    damage = None
    try:
        for line in reader:
            batch.add(line, parser, source=source, shift=shift)
            if len(batch) >= lines or batch.size >= BATCH_MAX_BYTES:
                yield batch
                batch = Batch(offset=reader.offset)
    except DamagedFile as error:  # what lies before it is sound
        damage = error
    if len(batch):
        yield batch
    if damage is not None:
        raise damage


def read_event(line: Line, parser: LineParser, *, source: str, shift: timedelta) -> UsageEvent:
    """Raises BadLine, NotUsage."""
    if line.is_too_long:
        raise BadLine(f"is longer than {LINE_MAX_BYTES} bytes")
    event = parser.parse(line, source=source)
    if not shift or event.time is None:
        return event
    try:
        return msgspec.structs.replace(event, time=event.time + shift)
    except OverflowError as error:
        raise BadLine("has a time that cannot be shifted") from error


def show_bytes(text: bytes) -> str:
    """The beginning of a line for people."""
    return show_text(text[:SHOWN_TEXT].decode(errors="backslashreplace"))


def show_text(text: str) -> str:
    """The beginning of a text: what cannot be printed is escaped, so that it cannot play with a terminal."""
    if text.isprintable():
        return text[:SHOWN_TEXT]
    escaped = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:SHOWN_TEXT])
    return "".join(escaped)[:SHOWN_TEXT]


def sort_fates(batch: Batch, fates: Sequence[EventFate]) -> tuple[Tally, list[RejectedText]]:
    """Every line of the batch by its fate; what ingestion refused joins the bad lines."""
    tally, rejections = Tally(lines=len(batch), unused=batch.unused), list(batch.rejections)
    for (number, text, event), fate in zip(batch.events, fates, strict=True):
        match fate.fate:
            case Fate.ACCEPTED | Fate.LATE:
                tally.accepted += 1
            case Fate.UNMATCHED:
                tally.unmatched += 1
                tally.subjects[event.subject] = None
            case Fate.DUPLICATE:
                tally.duplicates += 1
            case _:
                rejections.append(RejectedText(line_number=number, reason=show_reason(fate), text=text))
        if fate.fate in KEPT:
            tally.bytes_served += count_bytes(event)
            tally.skipped.update(skip.meter for skip in fate.skipped)
    tally.rejected = len(rejections)
    return tally, sorted(rejections, key=lambda bad: bad.line_number)


def count_bytes(event: UsageEvent) -> int:
    """What a request served; other events serve nothing."""
    if event.type != EVENT_TYPE or not isinstance(event.data, dict):
        return 0
    size = event.data.get("bytes")
    return size if isinstance(size, int) else 0


def show_reason(fate: EventFate) -> str:
    return show_text(f"{fate.code}: {fate.message}")
