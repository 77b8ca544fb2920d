"""What is remembered of a request beside its events: what was refused of it."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest

from metering.api.modes import Mode
from metering.decoding import list_rows
from metering.events import EventFate, Fate
from metering.figures import count_fates
from metering.headers import write_structured
from metering.keys import KeyRef
from metering.problems import Problem
from metering.rejections import REFUSED, Rejection, keep_rejections, state_rejections

UNREADABLE = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def record_refusals(
    request: HttpRequest, body: bytes, mode: Mode, fates: Sequence[EventFate], *, key: KeyRef, at: datetime
) -> None:
    """Keep what was refused, which costs one statement where there is any."""
    found = [fate.fate for fate in fates]
    if any(refused in found for refused in REFUSED):
        rejections = state_rejections(fates, list_bodies(request, body, mode))
        keep_rejections(rejections, api_key_id=key.id, account_id=key.account_id, at=at)


def record_unreadable(body: bytes, problem: Problem, *, key: KeyRef, at: datetime) -> None:
    """A body that is no list of rows is kept whole, as one refusal; an empty one is not worth it."""
    if problem.status not in UNREADABLE or not body.strip():
        return
    fate = EventFate("", "", Fate.REJECTED, problem.code, "", problem.detail)
    count_fates([fate], api_key_id=key.id, at=at)
    rejection = Rejection("", "", problem.code, "", problem.detail, body)
    keep_rejections([rejection], api_key_id=key.id, account_id=key.account_id, at=at, is_whole=True)


def list_bodies(request: HttpRequest, body: bytes, mode: Mode) -> list[bytes]:
    """What was sent of each row, in the order of the fates."""
    if mode is Mode.BINARY:
        return [write_structured(request.META, body)]
    return list_rows(body, is_lines=mode is Mode.LINES, maximum=settings.EVENT_BATCH_MAX)
