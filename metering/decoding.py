"""From the body of a request to events. A row that is no event gets its own fate; the others go on."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from metering.events import MAX_LENGTHS, EventFate, Fate, UsageEvent

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE = re.compile(rb"[^ \t\r\n][^\n]*")  # one that is not blank
# Every escape, so that none is looked for within another; the group is half a surrogate pair without its other half.
ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
FIELD = re.compile(r"`\$\.(\w+)|required field `(\w+)`")


class MalformedBody(ValueError):
    """The body is no JSON, or neither an object nor a list."""


class TooManyEvents(ValueError):
    """More rows than one request may have."""


class Row(UsageEvent, frozen=True, gc=False):
    """A CloudEvent in JSON. Attributes that are not named here are let through unread."""

    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    specversion: Literal["1.0"] = "1.0"
    data_base64: None = None


class Name(msgspec.Struct):
    """As much of a broken row as tells the sender which one it is."""

    id: Any = ""
    source: Any = ""


decode_row = msgspec.json.Decoder(Row).decode
decode_rows = msgspec.json.Decoder(list[Row]).decode
decode_name = msgspec.json.Decoder(Name).decode


class RowSplitter:
    """Cuts a JSON list into its raw rows, and stops building them at a maximum.

    A struct of so many positions does it: what follows the last one is checked as JSON but not kept, so that five
    megabytes of commas take no memory.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        nothing = msgspec.Raw()
        positions: list[tuple[str, Any, Any]] = [(f"row{n}", msgspec.Raw, nothing) for n in range(maximum + 1)]
        self.rows_type = msgspec.defstruct("Rows", positions, array_like=True)
        self.decode = msgspec.json.Decoder(self.rows_type).decode

    def split(self, body: bytes) -> list[msgspec.Raw]:
        """Raises TooManyEvents; ValueError and RecursionError when the body is no JSON list."""
        rows = [row for row in msgspec.structs.astuple(self.decode(body)) if row]
        if len(rows) > self.maximum:
            raise refuse_many(self.maximum)
        return rows


def refuse_many(maximum: int) -> TooManyEvents:
    return TooManyEvents(f"One request may have at most {maximum} events.")


def decode_events(body: bytes, *, maximum: int) -> Sequence[UsageEvent | EventFate]:
    """The events of a body, in order: one JSON object or a list of them. A row that is none is a fate already.

    Raises MalformedBody, TooManyEvents.
    """
    text = body.removeprefix(BYTE_ORDER_MARK)
    first = text.lstrip()[:1]
    if first not in (b"[", b"{"):
        raise MalformedBody("The body must be an event or a list of events.")
    try:
        events = decode_rows(text) if first == b"[" else [decode_row(text)]
    except (ValueError, RecursionError):  # something in it is wrong: look at each row
        return [decode_event(raw) for raw in split_rows(text, is_list=first == b"[", maximum=maximum)]
    if len(events) > maximum:
        raise refuse_many(maximum)
    return events


def decode_lines(body: bytes, *, maximum: int) -> Sequence[UsageEvent | EventFate]:
    """The events of NDJSON, one a line; blank lines are passed over. A line that is no event is a fate already.

    Raises TooManyEvents as soon as there is a line too many.
    """
    rows: list[UsageEvent | EventFate] = []
    for line in LINE.finditer(body.removeprefix(BYTE_ORDER_MARK)):
        if len(rows) == maximum:
            raise refuse_many(maximum)
        rows.append(decode_event(line[0]))
    return rows


def list_rows(body: bytes, *, is_lines: bool, maximum: int) -> list[bytes]:
    """The texts of the rows of a body that was decoded before, in its order."""
    text = body.removeprefix(BYTE_ORDER_MARK)
    if is_lines:
        return [line[0] for line in LINE.finditer(text)]
    is_list = text.lstrip()[:1] == b"["
    return [bytes(raw) for raw in split_rows(text, is_list=is_list, maximum=maximum)]


@cache
def find_splitter(maximum: int) -> RowSplitter:
    return RowSplitter(maximum)


def split_rows(text: bytes, *, is_list: bool, maximum: int) -> Sequence[msgspec.Raw]:
    """A row with half a surrogate pair is cut out as it is: the fault is its own, and not that of the whole body."""
    whole = fill_halves(text)
    try:
        rows = find_splitter(maximum).split(whole) if is_list else [msgspec.json.decode(whole, type=msgspec.Raw)]
    except TooManyEvents:
        raise
    except RecursionError:
        raise MalformedBody("The body is nested too deep.") from None
    except ValueError as error:
        raise MalformedBody(f"The body is not valid JSON: {error}.") from None
    return rows if whole is text else list(cut_same(text, whole, rows))


def fill_halves(text: bytes) -> bytes:
    """The same text, in its length, without escaped halves of surrogate pairs: JSON may hold them, no text can."""
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    return ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], text)


def cut_same(text: bytes, whole: bytes, rows: Sequence[msgspec.Raw]) -> Iterator[msgspec.Raw]:
    """What stands in the text where these rows, in their order, stand in the whole."""
    position = 0
    for row in rows:
        position = whole.index(bytes(row), position)
        yield msgspec.Raw(text[position : position + len(bytes(row))])
        position += len(bytes(row))


def decode_event(raw: bytes | msgspec.Raw) -> UsageEvent | EventFate:
    try:
        return decode_row(raw)
    except RecursionError:
        return refuse_row(raw, "The event is nested too deep.")
    except UnicodeDecodeError:
        return refuse_row(raw, "The event is not valid UTF-8.")
    except ValueError as error:
        return refuse_row(raw, str(error))


def refuse_row(raw: bytes | msgspec.Raw, reason: str) -> EventFate:
    found = FIELD.search(reason)
    field = next(filter(None, found.groups()), "") if found else ""
    code = "required" if "missing required" in reason else "invalid"
    try:
        name = decode_name(fill_halves(bytes(raw)))
    except (ValueError, RecursionError):
        name = Name()
    return EventFate(
        echo(name.source, MAX_LENGTHS["source"]), echo(name.id, MAX_LENGTHS["id"]), Fate.REJECTED, code, field, reason
    )


def echo(value: object, length: int) -> str:
    return value[:length] if isinstance(value, str) else ""
