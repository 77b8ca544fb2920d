"""One request with a batch of events, and what the server says to it."""

import gzip
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

VERSION = "0.1.0"
PATH = "/api/v1/events"
GZIP_FROM_BYTES = 1024
ANSWER_MAX_BYTES = 8 * 1024 * 1024
RETRY_AFTER_MAX = 3600.0
OF_THE_BODY = {400, 413, 422}  # sending the same again would get the same answer


class Undelivered(Exception):
    """Not delivered, as far as we know; the same may be sent again, after `retry_after` seconds if that is said."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BodyRefused(Exception):
    """The server will not take this body, however often it is sent; but perhaps a part of it."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one event: accepted, duplicate, unmatched, late, conflict or rejected."""

    id: str
    fate: str
    reason: str


class Sender:
    """Keeps one connection. For one thread. Follows no redirect, so the key goes to the host it was given for."""

    def __init__(self, url: str, api_key: str, *, timeout: float, compress: bool) -> None:
        """`timeout` is seconds of silence. Raises ValueError for an address or a key that can be none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of http or https")
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ValueError("the API key must be printable ASCII")
        self.url, self.api_key, self.timeout, self.compress = url, api_key, timeout, compress
        self.host, self.port, self.is_secure = parts.hostname, parts.port, parts.scheme == "https"
        self.path = parts.path.rstrip("/") + PATH
        self.connection: HTTPConnection | None = None

    def send(self, rows: Sequence[bytes]) -> list[Fate]:
        """A fate for each row. Raises Undelivered, BodyRefused."""
        body = b"[" + b",".join(rows) + b"]"
        is_compressed = self.compress and len(body) >= GZIP_FROM_BYTES
        status, retry_after, answer = self.post(gzip.compress(body, 1) if is_compressed else body, is_compressed)
        if status == 415 and is_compressed:  # a server, or something before it, that knows no gzip
            self.compress = False
            return self.send(rows)
        if status == 200:
            return read_fates(answer, len(rows))
        message = f"the server answered {status}: {answer[:500].decode(errors='replace')}"
        if status in OF_THE_BODY:
            raise BodyRefused(message)
        raise Undelivered(message, retry_after=read_retry_after(retry_after))

    def post(self, body: bytes, is_compressed: bool) -> tuple[int, str | None, bytes]:
        """Status, Retry-After and body of the answer. Raises Undelivered."""
        headers = {
            "Content-Type": "application/json",
            "Prefer": "return=representation",  # the fate of every row, whatever the fates are
            "Authorization": f"Bearer {self.api_key}",
            "User-Agent": f"palier-client/{VERSION}",
        }
        if is_compressed:
            headers["Content-Encoding"] = "gzip"
        is_reused = self.connection is not None
        try:
            return self.exchange(body, headers)
        except (OSError, HTTPException) as error:
            self.close()
            if is_reused and not isinstance(error, TimeoutError):  # the server closed what it had kept open for us
                return self.post(body, is_compressed)
            raise Undelivered(f"no answer: {error or type(error).__name__}") from None

    def exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
        connection = self.connection = self.connection or self.connect()
        connection.request("POST", self.path, body, headers)
        response = connection.getresponse()
        answer = response.read(ANSWER_MAX_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        return response.status, response.headers.get("Retry-After"), answer

    def connect(self) -> HTTPConnection:
        if self.is_secure:
            context = ssl.create_default_context()
            return HTTPSConnection(self.host, self.port, timeout=self.timeout, context=context)
        return HTTPConnection(self.host, self.port, timeout=self.timeout)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def renew(self) -> "Sender":
        """For a process that was forked off: the connection stays its parent's."""
        return Sender(self.url, self.api_key, timeout=self.timeout, compress=self.compress)


def read_fates(answer: bytes, rows: int) -> list[Fate]:
    """Raises Undelivered: a 200 that does not speak of each row comes from something else than the server."""
    try:
        fates = [read_fate(each) for each in json.loads(answer)["results"]]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        fates = []
    if len(fates) != rows:
        raise Undelivered("the answer 200 does not say what became of each event")
    return fates


def read_fate(result: dict[str, object]) -> Fate:
    reason = " ".join(str(result[field]) for field in ("code", "field", "message") if result.get(field))
    return Fate(str(result["id"]), str(result["fate"]), reason)


def read_retry_after(value: str | None) -> float | None:
    """Seconds, from a number of them or a date. None when it says nothing that can be read."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            seconds = float(value)
        else:
            moment = parsedate_to_datetime(value)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX)
