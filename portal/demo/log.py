"""The demo's real web log: facts read from it without the product, and copies of it moved in time."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

LOG = Path(__file__).resolve().parents[1] / "demo_data" / "apache_access.log"
TIME_FORMAT = "%d/%b/%Y:%H:%M:%S %z"
LINE = re.compile(r'(?P<client>\S+) \S+ \S+ \[(?P<time>[^]]+)\] ".*" \d{3} (?P<bytes>\d+|-)(?: |$)')


@dataclass(frozen=True, slots=True)
class Request:
    client: str
    time: datetime
    bytes: int


def read_requests(path: Path = LOG) -> list[Request]:
    """Every line of the log, by a reader of our own, so that the product is not checked against itself."""
    found = (LINE.match(line) for line in path.read_text(errors="replace").splitlines())
    return [
        Request(
            client=match["client"],
            time=datetime.strptime(match["time"], TIME_FORMAT).astimezone(UTC),
            bytes=0 if match["bytes"] == "-" else int(match["bytes"]),
        )
        for match in found
        if match
    ]


def count_by_client(requests: Iterable[Request]) -> Counter[str]:
    return Counter(request.client for request in requests)


def write_lines_of(names: Mapping[str, str], target: Path) -> None:
    """Copy the lines of some clients, each under the name that it is given."""
    with LOG.open(errors="replace") as lines, target.open("w") as copy:
        for line in lines:
            client, rest = line.split(" ", 1)
            if client in names:
                copy.write(f"{names[client]} {rest}")


def find_shift(requests: Iterable[Request], *, end: datetime) -> timedelta:
    """By how much the log moves so that its last request happens at `end`, in whole seconds."""
    return end.replace(microsecond=0) - max(request.time for request in requests)
