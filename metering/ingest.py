"""Ingestion: claims the ids, stores the events, counts them, in one transaction: a fixed number of statements."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import LiteralString

from django.conf import settings
from django.db import OperationalError, connection, transaction

from metering.catalogue import Catalogue, find_catalogue, read_catalogue
from metering.checking import Checker, Glance, Refusal, TimeWindow, data_text, refuse
from metering.counting import count_tallies
from metering.events import CheckedEvent, EventFate, Fate, UsageEvent
from metering.statements import copy_rows, plain_array, run_statement, text_array, time_texts
from metering.tallies import find_late, tally_events

ATTEMPTS = 5
RETRYABLE = {"40P01", "40001"}  # deadlock detected, serialization failure

CLAIM: LiteralString = """
    SELECT current_token, account_ids, repeated, stored_digests
    FROM metering_claim_events(%s::uuid, %s::timestamptz, %s::text[], %s::uuid[], %s::bigint[])
"""

COPY: LiteralString = """
    COPY metering_event (happened_at, received_at, account_id, api_key_id, source, event_id, type, subject, data)
    FROM STDIN
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """Events that one sender sent at one time. `max_age` is how old a time may be, EVENT_MAX_AGE_DAYS when None."""

    events: Sequence[UsageEvent]
    at: datetime
    api_key_id: int | None = None
    max_age: timedelta | None = None

    def find_window(self) -> TimeWindow:
        return TimeWindow.around(
            self.at,
            max_age=timedelta(days=settings.EVENT_MAX_AGE_DAYS) if self.max_age is None else self.max_age,
            max_future=timedelta(minutes=settings.EVENT_MAX_FUTURE_MINUTES),
        )


def ingest_events(
    events: Sequence[UsageEvent],
    *,
    at: datetime,
    api_key_id: int | None = None,
    max_age: timedelta | None = None,
) -> list[EventFate]:
    """Store and count events; returns the fate of each, in their order. Sent again, the same events change nothing.

    All of it is one transaction; inside an outer one it is part of that. `max_age` (EVENT_MAX_AGE_DAYS when None)
    is how old a time may be: those who import history give more. Raises django.db.Error when the database fails;
    then nothing of the batch is stored.
    """
    [fates] = ingest_submissions([Submission(events, at, api_key_id, max_age)])
    return fates


def ingest_submissions(submissions: Sequence[Submission]) -> list[list[EventFate]]:
    """The same for what several senders sent, in one transaction: all of it is stored, or nothing."""
    if connection.in_atomic_block:  # who opened the transaction starts it again
        return ingest_once(submissions)
    for attempt in range(1, ATTEMPTS):
        try:
            return ingest_once(submissions)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in RETRYABLE:
                raise
            time.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 (spreads retries, guards nothing)
    return ingest_once(submissions)


@transaction.atomic
def ingest_once(submissions: Sequence[Submission]) -> list[list[EventFate]]:
    at = max(submission.at for submission in submissions)
    batch = claim_batch(submissions, at=at)
    if batch.new:
        batch.store(at=at)
    return batch.list_fates()


def claim_batch(submissions: Sequence[Submission], *, at: datetime) -> "Batch":
    """Checked by the meters this process knows; under the lock that keeps them, either they still are or are reread."""
    batch = Batch(submissions, find_catalogue())
    while batch.needs_database and not batch.claim(at=at):
        batch = Batch(submissions, read_catalogue())
    return batch


class Batch:
    """The events of some submissions on their way to their fates: refused, staged under their claim, stored."""

    def __init__(self, submissions: Sequence[Submission], catalogue: Catalogue) -> None:
        self.submissions, self.catalogue = submissions, catalogue
        self.events = list(chain.from_iterable(submission.events for submission in submissions))
        self.refused: dict[int, EventFate] = {}
        self.staged: dict[str, CheckedEvent] = {}  # of the rows with one claim, the first
        self.rows: dict[int, CheckedEvent] = {}
        self.repeats: dict[int, CheckedEvent] = {}  # rows whose claim an earlier row of the batch has
        self.senders: dict[str, int | None] = {}
        self.names_unknown_type = False
        position = 0
        for submission in submissions:
            self.check(submission, position)
            position += len(submission.events)
        self.accounts: dict[str, int | None] = {}  # by claim
        self.known: dict[str, int] = {}  # claim → digest of what was stored before
        self.new: dict[str, CheckedEvent] = {}
        self.late: set[str] = set()

    def check(self, submission: Submission, position: int) -> None:
        events, staged, rows = submission.events, self.staged, self.rows
        checker = Checker(self.catalogue.measurer, window=submission.find_window(), at=submission.at)
        texts = [data_text(event.data) for event in events]
        glance = Glance.over(events, texts)
        for event, text in zip(events, texts, strict=True):
            try:
                checked = checker.check(event, text, glance)
            except Refusal as refusal:
                self.refused[position] = refuse(event, refusal)
                self.names_unknown_type |= refusal.code == "unknown_type"
            else:
                if staged.setdefault(checked.claim, checked) is checked:
                    rows[position] = checked
                    self.senders[checked.claim] = submission.api_key_id
                else:
                    self.repeats[position] = checked
            position += 1

    @property
    def needs_database(self) -> bool:
        """Whether there is something to store, or a refusal that a younger meter would lift."""
        return bool(self.staged) or self.names_unknown_type

    def claim(self, *, at: datetime) -> bool:
        """Take the ids and look the subjects up; False, with nothing done, when the meters have changed."""
        rows = self.staged.values()
        [(token, account_ids, repeated, digests)] = run_statement(
            CLAIM,
            [
                None if self.catalogue.token is None else str(self.catalogue.token),
                at,
                text_array([row.subject for row in rows]),
                plain_array(list(self.staged)),
                plain_array([row.digest for row in rows]),
            ],
        )
        if token != self.catalogue.token:
            return False
        self.accounts = dict(zip(self.staged, account_ids, strict=True))
        self.new = self.staged
        if repeated:
            claims = list(self.staged)
            self.known = {claims[position - 1]: digest for position, digest in zip(repeated, digests, strict=True)}
            self.new = {claim: row for claim, row in self.staged.items() if claim not in self.known}
        return True

    def store(self, *, at: datetime) -> None:
        self.copy(at=at)
        rows = ((self.accounts[claim], row.happened_at, row.measures) for claim, row in self.new.items())
        closed = count_tallies(tally_events(rows, self.catalogue.aggregations), self.catalogue, at=at)
        if closed:
            self.late = find_late(((claim, self.accounts[claim], row) for claim, row in self.new.items()), closed)

    def copy(self, *, at: datetime) -> None:
        """Store what is new, and leave the counting to the caller."""
        copy_rows(COPY, self.list_columns(at))

    def list_columns(self, at: datetime) -> list[Sequence[str | None]]:
        new, accounts, senders = self.new.values(), self.accounts, self.senders
        return [
            time_texts([row.happened_at for row in new]),
            time_texts([at]) * len(new),
            [None if accounts[claim] is None else str(accounts[claim]) for claim in self.new],
            [None if senders[claim] is None else str(senders[claim]) for claim in self.new],
            [row.source for row in new],
            [row.id for row in new],
            [row.type for row in new],
            [row.subject for row in new],
            [row.data.decode() for row in new],
        ]

    def list_fates(self) -> list[list[EventFate]]:
        """By submission, in the order of its events."""
        fates = iter([self.find_fate(position) for position in range(len(self.events))])
        return [[next(fates) for _ in submission.events] for submission in self.submissions]

    def find_fate(self, position: int) -> EventFate:
        row = self.rows.get(position)
        if row is not None and row.claim not in self.known:
            fate = Fate.ACCEPTED
            if self.accounts[row.claim] is None:
                fate = Fate.UNMATCHED
            elif row.claim in self.late:
                fate = Fate.LATE
            return EventFate(row.source, row.id, fate, skipped=row.skipped)
        row = row or self.repeats.get(position)
        if row is None:
            return self.refused[position]
        is_same = row.digest == self.known.get(row.claim, self.staged[row.claim].digest)
        return state_repeated(self.events[position], is_same=is_same)


def state_repeated(event: UsageEvent, *, is_same: bool) -> EventFate:
    if is_same:
        return EventFate(event.source, event.id, Fate.DUPLICATE)
    message = "Another event with this source and id is stored; an event is corrected by another id."
    return EventFate(event.source, event.id, Fate.CONFLICT, "conflict", "id", message)
