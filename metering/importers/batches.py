"""A log in batches: each line is a request or a bad line, and every line is one of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from metering.events import UsageEvent
from metering.importers.access_log import BadLine, Request, parse_line
from metering.importers.lines import LINE_MAX_BYTES, Line, LineReader
from metering.importers.reports import RejectedText

EVENT_TYPE = "http.request"
BATCH_MAX_BYTES = 4 * 1024 * 1024
SHOWN_TEXT = 200


@dataclass(slots=True)
class Batch:
    """Lines read from `offset` on, for one transaction. Each request stands beside its line's number and text."""

    offset: int
    size: int = 0
    requests: list[tuple[int, str, Request]] = field(default_factory=list)
    rejections: list[RejectedText] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.requests) + len(self.rejections)

    def add(self, line: Line, *, shift: timedelta) -> None:
        self.size += len(line.text)
        text = show_text(line.text)
        try:
            self.requests.append((line.number, text, read_request(line, shift=shift)))
        except BadLine as error:
            self.rejections.append(RejectedText(line_number=line.number, reason=str(error), text=text))

    def events(self, source: str) -> list[UsageEvent]:
        return [
            UsageEvent(
                source=source,
                id=str(number),
                type=EVENT_TYPE,
                subject=request.client,
                time=request.time,
                data={
                    "bytes": request.size,
                    "status": request.status,
                    "method": request.method,
                    "path": request.path,
                },
            )
            for number, _, request in self.requests
        ]


def read_batches(reader: LineReader, *, lines: int, shift: timedelta) -> Iterator[Batch]:
    """When a batch is handed out the reader stands at its end, with the digest of everything up to there."""
    batch = Batch(offset=reader.offset)
    for line in reader:
        batch.add(line, shift=shift)
        if len(batch) >= lines or batch.size >= BATCH_MAX_BYTES:
            yield batch
            batch = Batch(offset=reader.offset)
    if len(batch):
        yield batch


def read_request(line: Line, *, shift: timedelta) -> Request:
    """Raises BadLine."""
    if line.is_too_long:
        raise BadLine(f"is longer than {LINE_MAX_BYTES} bytes")
    request = parse_line(line.text)
    if not shift:
        return request
    try:
        return request.move_by(shift)
    except OverflowError as error:
        raise BadLine("has a time that cannot be shifted") from error


def show_text(text: bytes) -> str:
    """The beginning of a line for people: what cannot be printed is escaped, so that it cannot play with a terminal."""
    beginning = text[:SHOWN_TEXT].decode(errors="backslashreplace")
    if beginning.isprintable():
        return beginning[:SHOWN_TEXT]
    escaped = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in beginning)
    return "".join(escaped)[:SHOWN_TEXT]
