"""`POST /api/v1/events`: usage in, a fate for every event out. A 2xx is written after COMMIT.

A plain view: no serializer, no session, no cookie. What takes time here is paid once per event.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import BinaryIO, cast

import msgspec
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from metering.decoding import MalformedBody, RowSplitter, TooManyEvents, decode_events
from metering.events import EventFate, Fate, UsageEvent
from metering.ingest import ingest_events
from metering.keys import InvalidKey, MissingScope, authenticate
from metering.problems import Problem

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PLAIN = "application/json"
CHUNK = 64 * 1024
DRAIN_MAX_BYTES = 32 * 1024 * 1024


@csrf_exempt
def receive_events(request: HttpRequest) -> HttpResponse:
    """One event or a list of them. 200 with a fate for each row, whatever the fates are."""
    try:
        return accept_events(request)
    except Problem as problem:
        return problem.response()
    except (OperationalError, InterfaceError):
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "database_unavailable",
            "The database is not available. Send the same events again: what was stored will be a duplicate.",
            Retry_After="1",
        ).response()


def accept_events(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Send events by POST.", Allow="POST")
    at = timezone.now()
    try:
        key = authenticate(request.headers.get("Authorization"), scope="events:write", at=at)
    except InvalidKey as error:
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "invalid_key", str(error), WWW_Authenticate='Bearer realm="palier"'
        ) from None
    except MissingScope as error:
        raise Problem(HTTPStatus.FORBIDDEN, "missing_scope", str(error)) from None
    media = require_media(request)
    rows = read_events(read_body(request), media)
    events = [row for row in rows if isinstance(row, UsageEvent)]
    stored = iter(ingest_events(events, at=at, api_key_id=key.id) if events else ())
    return answer([next(stored) if isinstance(row, UsageEvent) else row for row in rows])


def require_media(request: HttpRequest) -> str:
    media = (request.content_type or "").lower()
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if media not in (PLAIN, SINGLE, BATCH) or charset not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media", f"Send {PLAIN}, {SINGLE} or {BATCH} in UTF-8."
        )
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", "Send the body uncompressed.")
    return media


def read_body(request: HttpRequest) -> bytes:
    """The whole body, read only as far as it may be long. Raises Problem."""
    maximum = settings.EVENT_BODY_MAX_BYTES
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        return read_chunked(cast(BinaryIO, request.META["wsgi.input"]), maximum)
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > maximum:
        drop_body(request, length)
        raise too_large(maximum)
    try:
        body = request.body
    except UnreadablePostError:
        body = b""
    if len(body) != length:
        raise Problem(HTTPStatus.BAD_REQUEST, "body_cut_short", "The body is shorter than its Content-Length.")
    return body


def drop_body(request: HttpRequest, length: int) -> None:
    """Let a sender who sends all before it listens hear the refusal; but not one who would send for ever."""
    if length > DRAIN_MAX_BYTES:
        return
    try:
        while request.read(CHUNK):
            pass
    except OSError:
        pass  # gone already


def read_chunked(stream: BinaryIO, maximum: int) -> bytes:
    """A body that does not say how long it is. The server has undone the chunks; Django would read nothing."""
    body = bytearray()
    try:
        while piece := stream.read(CHUNK):
            body += piece
            if len(body) > maximum:
                raise too_large(maximum)
    except Problem:
        raise
    except Exception:  # each server has errors of its own for a broken chunk, and all are the sender's
        raise Problem(HTTPStatus.BAD_REQUEST, "body_cut_short", "The chunks of the body are broken.") from None
    return bytes(body)


def too_large(maximum: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"A body may have at most {maximum:,} bytes.")


def read_events(body: bytes, media: str) -> Sequence[UsageEvent | EventFate]:
    first = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not first:
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed", "The body is empty.")
    if (media == SINGLE and first == b"[") or (media == BATCH and first == b"{"):
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed", f"{SINGLE} is one event, {BATCH} a list of them.")
    try:
        return decode_events(body, splitter=build_splitter(settings.EVENT_BATCH_MAX))
    except MalformedBody as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed", str(error)) from None
    except TooManyEvents as error:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_events", str(error)) from None


@cache
def build_splitter(maximum: int) -> RowSplitter:
    return RowSplitter(maximum)


def answer(fates: Sequence[EventFate]) -> HttpResponse:
    counted = Counter(fate.fate for fate in fates)
    counts = {fate.value: counted[fate] for fate in Fate}
    return HttpResponse(msgspec.json.encode({"results": fates, "counts": counts}), content_type="application/json")
