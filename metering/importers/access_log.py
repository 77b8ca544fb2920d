"""One line of a web server's log, in combined or common log format."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import ClassVar, NamedTuple

from django.core.exceptions import ValidationError

from metering.events import UsageEvent
from metering.importers.errors import BadLine
from metering.importers.formats import ColumnReport, Format, LineParser, MeterTerms
from metering.importers.lines import Line, LineReader
from metering.models import validate_account_key

EVENT_TYPE = "http.request"

BYTES_MAX = 10**15  # a petabyte in one answer is no traffic
PATH_MAX = 2_048
METERS = [
    MeterTerms(key="requests", name="Requests", unit="request"),
    MeterTerms(key="bandwidth", name="Bandwidth", unit="byte", value="bytes"),
]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

QUOTED = r'"(?:[^"\\]++|\\.)*+"'

# The format piece by piece, each with what is said of a line that fits up to here. No piece can backtrack far. What
# follows (referer, agent, a server's own fields) counts nothing, and real logs hold lines that are cut short in it.
PIECES = [
    (r"(?P<client>[^ ]++) [^ ]++ [^\[]*+", "does not begin with client, identity and user"),
    (
        r"\[(?P<day>\d\d?)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<clock>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4})\]",
        "has no time like [17/May/2015:10:05:03 +0000] in its place",
    ),
    (rf" (?P<request>{QUOTED})", "has no quoted request after its time, or is cut short in it"),
    (r" (?P<status>\d{3})(?= )", "has no status of three digits after its request"),
    (r" (?P<bytes>-|\d++)(?= |\Z)", "has neither a number of bytes nor - after its status"),
]
LINE = re.compile("".join(piece for piece, _ in PIECES), re.ASCII)


class Request(NamedTuple):
    """One request as the log tells it. `time` is UTC; `size` is in bytes, zero where the log has `-`."""

    client: str
    time: datetime
    method: str
    path: str
    status: int
    size: int


class AccessLog(Format, LineParser):
    """Each line an event of type `http.request`, whose id is the line's number and whose subject is the client."""

    name: ClassVar[str] = "access-log"
    always_has_meters: ClassVar[bool] = True
    columns = ColumnReport()

    def start(self, reader: LineReader) -> LineParser:
        return self

    def parse(self, line: Line, *, source: str) -> UsageEvent:
        request = parse_line(line.text)
        return UsageEvent(
            source=source,
            id=str(line.number),
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

    def suggest_meters(self, event: UsageEvent) -> list[MeterTerms]:
        return METERS


def parse_line(text: bytes) -> Request:
    """Raises BadLine."""
    line = decode_line(text)
    match = LINE.match(line)
    if match is None:
        raise BadLine(explain_misfit(line))
    method, path = split_request(match["request"][1:-1])
    return Request(
        client=read_client(match["client"]),
        time=read_time(match["year"], match["month"], match["day"], match["clock"], match["zone"]),
        method=method,
        path=path[:PATH_MAX],
        status=int(match["status"]),
        size=read_size(match["bytes"]),
    )


def decode_line(text: bytes) -> str:
    if not text.strip():
        raise BadLine("is empty")
    if b"\0" in text:
        raise BadLine("holds a NUL byte")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise BadLine(f"is not UTF-8 from byte {error.start + 1} on") from error


def explain_misfit(line: str) -> str:
    pattern = ""
    for piece, complaint in PIECES:
        pattern += piece
        if re.match(pattern, line, re.ASCII) is None:
            return complaint
    return "is not in combined log format"


@lru_cache(maxsize=10_000)
def read_client(client: str) -> str:
    """The client as an account key; an IPv6 address that begins with :: gets the zero that is meant."""
    key = f"0{client}" if client.startswith("::") else client
    try:
        validate_account_key(key)
    except ValidationError as error:
        raise BadLine("has a client that cannot be an account") from error
    return key


def read_time(year: str, month: str, day: str, clock: str, zone: str) -> datetime:
    try:
        month_number = MONTHS.index(month) + 1
        hour, minute, second = map(int, clock.split(":"))
        moment = datetime(int(year), month_number, int(day), hour, minute, second, tzinfo=find_offset(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLine("has a time that does not exist") from error


@lru_cache(maxsize=64)
def find_offset(zone: str) -> timezone:
    """Raises ValueError for an offset of a day or more."""
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    return timezone(-offset if zone[0] == "-" else offset)


def split_request(request: str) -> tuple[str, str]:
    """`GET /path HTTP/1.1` → method and path. What is no request (a port scan) is all path, without a method."""
    parts = request.split(" ")
    if len(parts) in (2, 3) and parts[0].isalpha():
        return parts[0], parts[1]
    return "", request


def read_size(size: str) -> int:
    if size == "-":
        return 0
    if len(size) > len(str(BYTES_MAX)) or int(size) > BYTES_MAX:
        raise BadLine("has an absurd number of bytes")
    return int(size)
