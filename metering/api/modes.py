"""How a request carries its events: the content modes of CloudEvents over HTTP, and plain JSON."""

from enum import StrEnum
from http import HTTPStatus

from django.http import HttpRequest

from metering.problems import Problem

PLAIN = "application/json"
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
LINES_TOO = "application/ndjson"

ACCEPTED = f"{SINGLE}, {BATCH}, {PLAIN}, {LINES}"
UTF_8 = {"utf-8", "utf8", "us-ascii"}
BINARY_HEADERS = ("HTTP_CE_SPECVERSION", "HTTP_CE_ID", "HTTP_CE_SOURCE", "HTTP_CE_TYPE")


class Mode(StrEnum):
    PLAIN = "plain"  # JSON: an event or a list of them
    LINES = "lines"  # NDJSON: an event a line
    SINGLE = "structured"
    BATCH = "batched"
    BINARY = "binary"  # attributes in headers, data as the body

    @property
    def is_cloudevents(self) -> bool:
        """Whether the sender is one who looks at the status alone."""
        return self in (Mode.SINGLE, Mode.BATCH, Mode.BINARY)


BY_MEDIA = {PLAIN: Mode.PLAIN, LINES: Mode.LINES, LINES_TOO: Mode.LINES, SINGLE: Mode.SINGLE, BATCH: Mode.BATCH}


def find_mode(request: HttpRequest) -> Mode:
    """Raises Problem for a medium that carries no events."""
    media = (request.content_type or "").lower()
    is_utf_8 = (request.content_params or {}).get("charset", "utf-8").lower() in UTF_8
    if not media.startswith("application/cloudevents") and any(name in request.META for name in BINARY_HEADERS):
        if has_body(request) and not (is_utf_8 and is_json(media)):
            raise refuse_media("In binary mode the data must be JSON in UTF-8, and its Content-Type say so.")
        return Mode.BINARY
    if media not in BY_MEDIA or not is_utf_8:
        raise refuse_media(f"Send {SINGLE}, {BATCH}, {PLAIN} or {LINES} in UTF-8.")
    return BY_MEDIA[media]


def has_body(request: HttpRequest) -> bool:
    return "HTTP_TRANSFER_ENCODING" in request.META or request.META.get("CONTENT_LENGTH") not in (None, "", "0")


def is_json(media: str) -> bool:
    """Data that does not say what it is is JSON, as it is in the JSON format."""
    return media in ("", PLAIN, "text/json") or (
        media.startswith(("application/", "text/")) and media.endswith("+json")
    )


def refuse_media(detail: str) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media", detail, Accept_Post=ACCEPTED)
