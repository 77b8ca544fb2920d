"""`POST /api/v1/events`: usage in, a fate for every event out. A 2xx is written after COMMIT.

A plain view: no serializer, no session, no cookie. What takes time here is paid once per event.
"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from metering.api.answers import answer_fates, read_preference
from metering.api.bodies import drop_body, read_body
from metering.api.modes import BATCH, SINGLE, Mode, find_mode
from metering.api.records import record_refusals, record_unreadable
from metering.api.refusals import refuse_key
from metering.decoding import BYTE_ORDER_MARK, MalformedBody, TooManyEvents, decode_events, decode_lines
from metering.events import EventFate
from metering.headers import decode_binary
from metering.intake import SCOPE, Post, Row, Sent, Taken, take_request
from metering.keys import InvalidKey, KeyRef, KeyRefusal, MissingScope, RateExceeded, authenticate
from metering.outages import answer_outage
from metering.problems import Problem

SMALL_BODY = 64 * 1024
OF_KNOWN_KEYS = {"missing_scope", "rate_exceeded"}


@csrf_exempt
def receive_events(request: HttpRequest) -> HttpResponse:
    """Events in any mode of `metering.api.modes`, answered as `metering.api.answers` says; else a problem."""
    try:
        return accept_events(request)
    except Problem as problem:
        return problem.response()
    except (DatabaseError, InterfaceError) as error:
        outage = answer_outage(error)
        if outage is None:
            raise
        return outage.response()


def accept_events(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Send events by POST.", Allow="GET, HEAD, POST"
        )
    mode, fates = accept_small(request) if is_small(request) else accept_any(request)
    return answer_fates(fates, mode=mode, preference=read_preference(request.META.get("HTTP_PREFER")))


def accept_any(request: HttpRequest) -> tuple[Mode, Sequence[EventFate]]:
    """Who has no key of ours has nothing read. Who has one, and is refused, may go on sending over its connection."""
    at = timezone.now()
    try:
        key = require_key(request, at=at)
    except Problem as problem:
        if problem.code in OF_KNOWN_KEYS:
            drop_body(request, int(request.META.get("CONTENT_LENGTH") or 0))
        raise
    mode, body = find_mode(request), read_body(request)
    try:
        rows = read_events(request, body, mode)
    except Problem as problem:
        record_unreadable(body, problem, key=key, at=at)
        raise
    found = take_request(Sent(rows, key, at))
    return mode, answer_taken(request, body, mode, found, at=at)


def is_small(request: HttpRequest) -> bool:
    """Whether a request is read before its key is looked up: one look-up then serves all that come at once."""
    return (
        settings.EVENT_GROUP_COMMIT
        and 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= SMALL_BODY
        and "HTTP_CONTENT_ENCODING" not in request.META
        and "HTTP_TRANSFER_ENCODING" not in request.META
    )


def accept_small(request: HttpRequest) -> tuple[Mode, Sequence[EventFate]]:
    """The same answers as `accept_any`: a fault in the body is told to nobody without a key."""
    at, body = timezone.now(), b""
    try:
        mode, body = find_mode(request), read_body(request)
        rows = read_events(request, body, mode)
    except Problem as problem:
        record_unreadable(body, problem, key=require_key(request, at=at), at=at)
        raise
    found = take_request(Post(request.META.get("HTTP_AUTHORIZATION"), rows, at))
    return mode, answer_taken(request, body, mode, found, at=at)


def answer_taken(
    request: HttpRequest, body: bytes, mode: Mode, found: Taken | KeyRefusal, *, at: datetime
) -> Sequence[EventFate]:
    if isinstance(found, PermissionError):
        raise refuse_key(request, found, at=at)
    record_refusals(request, body, mode, found.fates, key=found.key, at=at)
    return found.fates


def require_key(request: HttpRequest, *, at: datetime) -> KeyRef:
    try:
        return authenticate(request.META.get("HTTP_AUTHORIZATION"), scope=SCOPE, at=at, is_rated=True)
    except (InvalidKey, MissingScope, RateExceeded) as refusal:
        raise refuse_key(request, refusal, at=at) from None


def read_events(request: HttpRequest, body: bytes, mode: Mode) -> Sequence[Row]:
    maximum: int = settings.EVENT_BATCH_MAX
    try:
        if mode is Mode.BINARY:
            return [decode_binary(request.META, body)]
        if mode is Mode.LINES:
            return decode_lines(body, maximum=maximum)
        require_shape(body, mode)
        return decode_events(body, maximum=maximum)
    except MalformedBody as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed", str(error)) from None
    except TooManyEvents as error:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_events", str(error)) from None


def require_shape(body: bytes, mode: Mode) -> None:
    """Raises MalformedBody when the body is not what its media type says, as far as its first letter tells."""
    first = body.removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    if not first:
        raise MalformedBody("The body is empty.")
    if (mode is Mode.SINGLE and first == b"[") or (mode is Mode.BATCH and first == b"{"):
        raise MalformedBody(f"{SINGLE} is one event, {BATCH} a list of them.")
