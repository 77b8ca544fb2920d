"""Ingestion: claims the ids, stores the events, counts them, in one transaction: a fixed number of statements."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import LiteralString

from django.conf import settings
from django.db import OperationalError, connection, transaction

from metering.catalogue import Catalogue, find_catalogue, read_catalogue
from metering.checking import Checker, Glance, Refusal, TimeWindow, data_text, refuse
from metering.counting import count_tallies
from metering.events import CheckedEvent, EventFate, Fate, UsageEvent
from metering.rows import encode_rows
from metering.statements import BIGINT, UUID, bytes_array, copy_rows, run_statement, text_array
from metering.tallies import find_late, tally_events

ATTEMPTS = 5
RETRYABLE = {"40P01", "40001"}  # deadlock detected, serialization failure

CLAIM: LiteralString = """
    SELECT current_token, account_ids, repeated, stored_digests
    FROM metering_claim_events(%s::uuid, %s::timestamptz, %s::text[], %s::uuid[], %s::bigint[])
"""

COPY: LiteralString = """
    COPY metering_event (received_at, api_key_id, account_id, subject, type, source, happened_at, event_id, data)
    FROM STDIN (FORMAT binary)
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
        self.rows: list[CheckedEvent | EventFate] = []  # a row that is refused is a fate already
        self.staged: dict[bytes, CheckedEvent] = {}  # of the rows with one claim, the first
        self.senders: dict[bytes, int | None] = {}
        self.names_unknown_type = False
        for submission in submissions:
            self.check(submission)
        self.accounts: dict[str, int | None] = {}  # by subject
        self.known: dict[bytes, bytes] = {}  # claim → digest of what was stored before
        self.new: dict[bytes, CheckedEvent] = {}
        self.late: set[bytes] = set()

    def check(self, submission: Submission) -> None:
        events, staged, rows = submission.events, self.staged, self.rows
        checker = Checker(self.catalogue.measurer, window=submission.find_window(), at=submission.at)
        texts = [data_text(event.data) for event in events]
        glance = Glance.over(events, texts)
        for event, text in zip(events, texts, strict=True):
            try:
                checked = checker.check(event, text, glance)
            except Refusal as refusal:
                rows.append(refuse(event, refusal))
                self.names_unknown_type |= refusal.code == "unknown_type"
            else:
                rows.append(checked)
                if staged.setdefault(checked.claim, checked) is checked:
                    self.senders[checked.claim] = submission.api_key_id

    @property
    def needs_database(self) -> bool:
        """Whether there is something to store, or a refusal that a younger meter would lift."""
        return bool(self.staged) or self.names_unknown_type

    def claim(self, *, at: datetime) -> bool:
        """Take the ids and look the subjects up; False, with nothing done, when the meters have changed."""
        rows, claims = self.staged.values(), list(self.staged)
        subjects = list({row.subject for row in rows})
        [(token, account_ids, repeated, digests)] = run_statement(
            CLAIM,
            [
                None if self.catalogue.token is None else str(self.catalogue.token),
                at,
                text_array(subjects),
                bytes_array(UUID, claims),
                bytes_array(BIGINT, [row.digest for row in rows]),
            ],
        )
        if token != self.catalogue.token:
            return False
        self.accounts = dict(zip(subjects, account_ids, strict=True))
        self.new = self.staged
        if repeated:
            self.known = {
                claims[position - 1]: digest.to_bytes(8, "big", signed=True)
                for position, digest in zip(repeated, digests, strict=True)
            }
            self.new = {claim: row for claim, row in self.staged.items() if claim not in self.known}
        return True

    def store(self, *, at: datetime) -> None:
        self.copy(at=at)
        accounts, new = self.accounts, self.new.values()
        rows = [(accounts[row.subject], row.happened_at, row.measures, row.seal) for row in new]
        closed = count_tallies(tally_events(rows, self.catalogue.aggregations), self.catalogue, at=at)
        if closed:
            self.late = find_late([(accounts[row.subject], row) for row in new], closed)

    def copy(self, *, at: datetime) -> None:
        """Store what is new, and leave the counting to the caller."""
        copy_rows(COPY, encode_rows(self.new.values(), accounts=self.accounts, senders=self.senders, received_at=at))

    def list_fates(self) -> list[list[EventFate]]:
        """By submission, in the order of its events."""
        if self.is_accepted:
            accepted = Fate.ACCEPTED
            fates = iter([EventFate(row.source, row.id, accepted, skipped=row.skipped) for row in self.new.values()])
        else:
            fates = iter([row if isinstance(row, EventFate) else self.find_fate(row) for row in self.rows])
        return [list(islice(fates, len(submission.events))) for submission in self.submissions]

    @property
    def is_accepted(self) -> bool:
        """Whether every row is new, and counted in a period that is open: nearly always."""
        return len(self.new) == len(self.rows) and not self.late and None not in self.accounts.values()

    def find_fate(self, row: CheckedEvent) -> EventFate:
        claim = row.claim
        first = self.staged[claim]
        if first is not row or claim in self.known:
            return state_repeated(row, is_same=row.digest == self.known.get(claim, first.digest))
        fate = Fate.ACCEPTED
        if self.accounts[row.subject] is None:
            fate = Fate.UNMATCHED
        elif claim in self.late:
            fate = Fate.LATE
        return EventFate(row.source, row.id, fate, skipped=row.skipped)


def state_repeated(row: CheckedEvent, *, is_same: bool) -> EventFate:
    if is_same:
        return EventFate(row.source, row.id, Fate.DUPLICATE)
    message = "Another event with this source and id is stored; an event is corrected by another id."
    return EventFate(row.source, row.id, Fate.CONFLICT, "conflict", "id", message)
