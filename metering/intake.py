"""From rows that were posted to their fates: whose they are, which of them are the sender's to send, then ingestion."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.conf import settings
from django.db import connection

from metering.checking import Refusal, refuse
from metering.events import EventFate, UsageEvent
from metering.figures import count_fates
from metering.group_commit import GroupCommit
from metering.ingest import Submission, ingest_submissions
from metering.keys import KeyRef, KeyRefusal, authenticate_all, charge_key

SCOPE = "events:write"
GROUP_MAX = 2_000  # events that one commit takes along

Row = UsageEvent | EventFate  # a row that is no event is a fate already


class Sent(msgspec.Struct, frozen=True):
    """The rows of one request whose sender is known."""

    rows: Sequence[Row]
    key: KeyRef
    at: datetime


class Post(msgspec.Struct):
    """A small request as it came: its `Authorization`, not yet looked at, and its rows.

    `verdict` is what the look found. Who is tried again, for the fault of another, keeps it, and the token it took.
    """

    header: str | None
    rows: Sequence[Row]
    at: datetime
    verdict: "Sent | KeyRefusal | None" = None


class Taken(msgspec.Struct, frozen=True):
    """What became of a post whose sender is known."""

    key: KeyRef
    fates: Sequence[EventFate]


def ingest_sent(requests: Sequence[Sent]) -> list[list[EventFate]]:
    """The fates of each request, in the order of its rows, in one transaction for all."""
    owned = [keep_own(request.rows, request.key) for request in requests]
    submissions = [
        Submission([row for row in rows if isinstance(row, UsageEvent)], request.at, request.key.id)
        for request, rows in zip(requests, owned, strict=True)
    ]
    stored = ingest_submissions(submissions)
    answers = [fill_in(rows, fates) for rows, fates in zip(owned, stored, strict=True)]
    for request, answer in zip(requests, answers, strict=True):
        charge_key(request.key, len(answer))
        count_fates(answer, api_key_id=request.key.id, at=request.at)
    return answers


def fill_in(rows: Sequence[Row], fates: Sequence[EventFate]) -> list[EventFate]:
    found = iter(fates)
    return [next(found) if isinstance(row, UsageEvent) else row for row in rows]


def keep_own(rows: Sequence[Row], key: KeyRef) -> Sequence[Row]:
    """The key of an account sends that account's usage; every other row is refused where it stands."""
    subjects = key.subjects
    if subjects is None:
        return rows
    return [refuse_foreign(row) if isinstance(row, UsageEvent) and row.subject not in subjects else row for row in rows]


def refuse_foreign(event: UsageEvent) -> EventFate:
    message = "This API key is one account's own, and the subject is no name of that account."
    return refuse(event, Refusal("subject_not_yours", "subject", message))


def take_requests(requests: Sequence[Post | Sent]) -> list[Taken | KeyRefusal]:
    """What became of each, in their order: one look-up of all the keys, one transaction for all the events."""
    verdicts = iter(find_senders([request for request in requests if isinstance(request, Post)]))
    judged = [next(verdicts) if isinstance(request, Post) else request for request in requests]
    known = [request for request in judged if isinstance(request, Sent)]
    stored = iter(ingest_sent(known) if known else ())
    return [Taken(request.key, next(stored)) if isinstance(request, Sent) else request for request in judged]


def find_senders(posts: Sequence[Post]) -> list[Sent | KeyRefusal]:
    """In one statement, at no cost to requests whose sender is known."""
    if unknown := [post for post in posts if post.verdict is None]:
        at = max(post.at for post in unknown)
        found = authenticate_all([post.header for post in unknown], scope=SCOPE, at=at, is_rated=True)
        for post, verdict in zip(unknown, found, strict=True):
            post.verdict = Sent(post.rows, verdict, post.at) if isinstance(verdict, KeyRef) else verdict
    return [post.verdict for post in posts if post.verdict is not None]


queue = GroupCommit(take_requests, size=lambda request: len(request.rows), size_max=GROUP_MAX)


def take_request(request: Post | Sent) -> Taken | KeyRefusal:
    """Committed together with what others send at the same time, but for one within somebody's transaction."""
    if not settings.EVENT_GROUP_COMMIT or connection.in_atomic_block:
        return take_requests([request])[0]
    return queue.submit(request)
