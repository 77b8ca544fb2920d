"""`POST /api/v1/events`: usage in, a fate for every event out. A 2xx is written after COMMIT.

A plain view: no serializer, no session, no cookie. What takes time here is paid once per event.
"""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from metering.api.answers import answer_fates, read_preference
from metering.api.bodies import read_body
from metering.api.modes import BATCH, SINGLE, Mode, find_mode
from metering.decoding import BYTE_ORDER_MARK, MalformedBody, RowSplitter, TooManyEvents, decode_events, decode_lines
from metering.events import EventFate, UsageEvent
from metering.headers import decode_binary
from metering.ingest import ingest_events
from metering.keys import InvalidKey, KeyRef, MissingScope, authenticate
from metering.outages import answer_outage
from metering.problems import Problem


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
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "Send events by POST.", Allow="POST")
    at = timezone.now()
    key = require_key(request)
    mode = find_mode(request)
    rows = read_events(request, read_body(request), mode)
    events = [row for row in rows if isinstance(row, UsageEvent)]
    stored = iter(ingest_events(events, at=at, api_key_id=key.id) if events else ())
    fates = [next(stored) if isinstance(row, UsageEvent) else row for row in rows]
    return answer_fates(fates, mode=mode, preference=read_preference(request.headers.get("Prefer")))


def require_key(request: HttpRequest) -> KeyRef:
    try:
        return authenticate(request.headers.get("Authorization"), scope="events:write", at=timezone.now())
    except InvalidKey as error:
        raise Problem(
            HTTPStatus.UNAUTHORIZED, "invalid_key", str(error), WWW_Authenticate='Bearer realm="palier"'
        ) from None
    except MissingScope as error:
        raise Problem(HTTPStatus.FORBIDDEN, "missing_scope", str(error)) from None


def read_events(request: HttpRequest, body: bytes, mode: Mode) -> Sequence[UsageEvent | EventFate]:
    maximum: int = settings.EVENT_BATCH_MAX
    try:
        if mode is Mode.BINARY:
            return [decode_binary(request.META, body)]
        if mode is Mode.LINES:
            return decode_lines(body, maximum=maximum)
        require_shape(body, mode)
        return decode_events(body, splitter=build_splitter(maximum))
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


@cache
def build_splitter(maximum: int) -> RowSplitter:
    return RowSplitter(maximum)
