"""CloudEvents in binary content mode: the attributes are headers `ce-…`, the data is the body."""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import msgspec

from metering.decoding import BYTE_ORDER_MARK, MalformedBody, Row, refuse_row
from metering.events import EventFate, UsageEvent

PREFIX = "HTTP_CE_"
ATTRIBUTES = ("id", "source", "type", "subject", "time", "specversion")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def decode_binary(headers: Mapping[str, object], body: bytes) -> UsageEvent | EventFate:
    """The event of a request, `headers` being its WSGI environment. One that is none is a fate already.

    Raises MalformedBody when the data is no JSON.
    """
    attributes: dict[str, str] = {}
    for name in ATTRIBUTES:
        header = headers.get(PREFIX + name.upper())
        if header is None:
            continue
        try:
            attributes[name] = decode_header(str(header))
        except UnicodeError:
            return refuse_row(encode_json(attributes), f"The header ce-{name} is not valid UTF-8 - at `$.{name}`")
    try:
        row = msgspec.convert(attributes, Row)
    except ValueError as error:
        return refuse_row(encode_json(attributes), str(error))
    return UsageEvent(row.source, row.id, row.type, row.subject, row.time, read_data(body))


def write_structured(headers: Mapping[str, object], body: bytes) -> bytes:
    """The same event in structured mode, to be kept as one text. What cannot be read stands as it is."""
    attributes: dict[str, object] = {}
    for name in ATTRIBUTES:
        header = headers.get(PREFIX + name.upper())
        if header is not None:
            try:
                attributes[name] = decode_header(str(header))
            except UnicodeError:
                attributes[name] = str(header)
    try:
        attributes["data"] = msgspec.Raw(read_data(body))
    except MalformedBody:
        attributes["data"] = body.decode("utf-8", "replace")
    return encode_json(attributes)


def decode_header(value: str) -> str:
    """As the HTTP binding has it (3.1.3.2): unquote, then undo one round of percent-encoding. Raises UnicodeError.

    WSGI gives each byte as the letter of Latin-1; bytes beyond ASCII, which nobody should send, are read as UTF-8.
    """
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = ESCAPED.sub(r"\1", value[1:-1])
    return unquote_to_bytes(value.encode("latin-1")).decode()


def read_data(body: bytes) -> bytes:
    data = body.removeprefix(BYTE_ORDER_MARK).strip()
    if not data:
        return b"{}"
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except RecursionError:
        raise MalformedBody("The data is nested too deep.") from None
    except ValueError as error:
        raise MalformedBody(f"The data is not valid JSON: {error}.") from None
    return data


encode_json = msgspec.json.Encoder().encode
