"""Refused rows and bodies: kept with the reason, within bounds, until a schedule prunes them.

They are written after the events beside them are committed and before the sender is answered. A process that dies in
between loses the record of a refusal which nobody was told of; the sender sends the batch again, and is told then.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from metering.checking import CONTROL
from metering.events import EventFate, Fate, floor_hour
from metering.models import RejectedEvent

REFUSED = (Fate.REJECTED, Fate.CONFLICT)
PAGE = 50

# Rows that are known count up; new ones are kept while the key's hour has room. In the order of their digests, so that
# requests which share some wait for each other in one direction only.
KEEP: LiteralString = """
    WITH room AS (
        SELECT %(maximum)s - count(*) AS free FROM (
            SELECT FROM metering_rejectedevent
            WHERE api_key_id = %(api_key)s AND received_at >= %(hour)s LIMIT %(maximum)s
        ) AS kept
    ), given AS (
        SELECT g.*, k.id IS NOT NULL AS is_known,
            row_number() OVER (PARTITION BY k.id IS NULL ORDER BY position) AS rank
        FROM unnest(%(digests)s::uuid[], %(times)s::bigint[], %(sources)s::text[], %(ids)s::text[], %(codes)s::text[],
            %(fields)s::text[], %(messages)s::text[], %(bodies)s::bytea[], %(cuts)s::boolean[]) WITH ORDINALITY
            AS g (digest, times, source, event_id, code, field, message, body, is_cut, position)
        LEFT JOIN metering_rejectedevent k ON k.api_key_id = %(api_key)s AND k.digest = g.digest
    )
    INSERT INTO metering_rejectedevent AS r (api_key_id, account_id, received_at, last_at, digest, times, source,
        event_id, code, field, message, body, is_whole, is_cut, replay_fate)
    SELECT %(api_key)s, %(account)s::bigint, %(at)s, %(at)s, digest, times, source, event_id, code, field, message,
        body, %(is_whole)s, is_cut, ''
    FROM given WHERE is_known OR rank <= (SELECT free FROM room)
    ORDER BY digest
    ON CONFLICT (api_key_id, digest) DO UPDATE SET times = r.times + excluded.times,
        last_at = greatest(r.last_at, excluded.last_at), code = excluded.code, field = excluded.field,
        message = excluded.message
"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that was sent and is to be kept. `body` is all of it, `times` how often it came at once."""

    source: str
    event_id: str
    code: str
    field: str
    message: str
    body: bytes
    times: int = 1

    @property
    def digest(self) -> UUID:
        return UUID(bytes=hashlib.sha256(self.body).digest()[:16])


@dataclass(frozen=True, slots=True)
class RejectionFact:
    """A refusal on record. `body` is text, with what is no UTF-8 replaced; `replay_fate` is empty until a replay."""

    id: int
    api_key_id: int
    key_name: str
    source: str
    event_id: str
    code: str
    field: str
    message: str
    body: str
    is_cut: bool
    received_at: datetime
    last_at: datetime
    times: int
    replayed_at: datetime | None
    replay_fate: str


def state_rejections(fates: Sequence[EventFate], bodies: Sequence[bytes]) -> list[Rejection]:
    """Those of the fates that are refusals, each with the body of its row."""
    return [
        Rejection(fate.source, fate.id, fate.code, fate.field, fate.message, body)
        for fate, body in zip(fates, bodies, strict=True)
        if fate.fate in REFUSED
    ]


def keep_rejections(
    rejections: Iterable[Rejection],
    *,
    api_key_id: int,
    account_id: int | None,
    at: datetime,
    is_whole: bool = False,
) -> None:
    """Put refusals on record, in one statement. What a key sends again is the same row once more.

    A key keeps at most EVENT_REJECTED_HOURLY_MAX new rows an hour, each of EVENT_REJECTED_BODY_BYTES; what is beyond
    that is only counted in the key's figures. `is_whole`: each is the body of a request, not a row of one.
    """
    rows = gather_same(rejections)
    maximum: int = settings.EVENT_REJECTED_BODY_BYTES
    values = {
        "api_key": api_key_id,
        "account": account_id,
        "at": at,
        "is_whole": is_whole,
        "hour": floor_hour(at),
        "maximum": settings.EVENT_REJECTED_HOURLY_MAX,
        "digests": [row.digest for row in rows],
        "times": [row.times for row in rows],
        "sources": [make_storable(row.source) for row in rows],
        "ids": [make_storable(row.event_id) for row in rows],
        "codes": [row.code for row in rows],
        "fields": [make_storable(row.field) for row in rows],
        "messages": [make_storable(row.message) for row in rows],
        "bodies": [row.body[:maximum] for row in rows],
        "cuts": [len(row.body) > maximum for row in rows],
    }
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(KEEP, values)


def gather_same(rejections: Iterable[Rejection]) -> list[Rejection]:
    """Each body once, with the last reason that it got."""
    found: dict[bytes, Rejection] = {}
    for rejection in rejections:
        known = found.get(rejection.body)
        found[rejection.body] = replace(rejection, times=rejection.times + (known.times if known else 0))
    return list(found.values())


def make_storable(text: str) -> str:
    """PostgreSQL keeps no NUL and no half of a surrogate pair; nobody wants to read the other control characters."""
    return CONTROL.sub("\ufffd", text)


def list_rejections(
    *,
    account_id: int | None = None,
    api_key_id: int | None = None,
    source: str = "",
    event_id: str = "",
    code: str = "",
    text: str = "",
    after: tuple[datetime, int] | None = None,
    limit: int = PAGE,
) -> list[RejectionFact]:
    """Refusals, newest first by when they first came; of one account, or of all with None. One query.

    `after` is the (received_at, id) of the last row of the page before. An empty condition asks for nothing.
    """
    rows = RejectedEvent.objects.select_related("api_key")
    for name, value in (("account_id", account_id), ("api_key_id", api_key_id)):
        if value is not None:
            rows = rows.filter(**{name: value})
    for name, wanted in (("source", source), ("event_id", event_id), ("code", code)):
        if wanted:
            rows = rows.filter(**{name: make_storable(wanted)})
    if text:
        words = make_storable(text)
        rows = rows.filter(Q(event_id__icontains=words) | Q(source__icontains=words) | Q(message__icontains=words))
    if after is not None:
        moment, row_id = after
        rows = rows.filter(Q(received_at__lt=moment) | Q(received_at=moment, id__lt=row_id))
    return [state_rejection(row) for row in rows.order_by("-received_at", "-id")[:limit]]


def state_rejection(row: RejectedEvent) -> RejectionFact:
    return RejectionFact(
        id=row.pk,
        api_key_id=row.api_key_id,
        key_name=row.api_key.name,
        source=row.source,
        event_id=row.event_id,
        code=row.code,
        field=row.field,
        message=row.message,
        body=bytes(row.body).decode("utf-8", "replace"),
        is_cut=row.is_cut,
        received_at=row.received_at,
        last_at=row.last_at,
        times=row.times,
        replayed_at=row.replayed_at,
        replay_fate=row.replay_fate,
    )


def prune_rejections(*, at: datetime) -> int:
    """Drop what was last sent more than EVENT_REJECTED_DAYS ago; returns how many. A second call drops nothing."""
    dropped, _ = RejectedEvent.objects.filter(last_at__lt=at - timedelta(days=settings.EVENT_REJECTED_DAYS)).delete()
    return dropped
