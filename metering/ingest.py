"""Ingestion: claims the ids, stores the events, counts them, in one transaction: a fixed number of statements."""

import random
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import LiteralString

from django.conf import settings
from django.db import OperationalError, connection, transaction

from metering.alerts import record_crossings
from metering.checking import Checker, Glance, Refusal, TimeWindow, data_text, refuse
from metering.counting import count_tallies
from metering.events import CheckedEvent, EventFate, Fate, UsageEvent
from metering.meters import MeterRef
from metering.statements import plain_array, run_statement, text_array, time_array
from metering.tallies import find_late, tally_events

ATTEMPTS = 5
RETRYABLE = {"40P01", "40001"}  # deadlock detected, serialization failure

# The table locks come before the snapshot: a meter that is being made is either in the list, or counts this batch as
# its history; and no account can be deleted from now on.
READ_METERS: LiteralString = """
    LOCK TABLE metering_meter, metering_alias IN ROW SHARE MODE;
    SELECT id, key, name, event_type, aggregation, value_property, unit FROM metering_meter
"""

READ_NAMES: LiteralString = "SELECT name, account_id FROM metering_alias WHERE name = ANY(%s::text[])"

STORE: LiteralString = """
    WITH stored AS (
        INSERT INTO metering_event
            (claim, source, event_id, type, subject, account_id, happened_at, received_at, data, api_key_id)
        SELECT claim, source, event_id, type, subject, account_id, happened_at, %s::timestamptz, data, %s::bigint
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[],
            %s::jsonb[]) AS s (claim, source, event_id, type, subject, account_id, happened_at, data)
        ORDER BY claim
        ON CONFLICT (claim) DO NOTHING
        RETURNING claim
    )
    SELECT CASE WHEN (SELECT count(*) FROM stored) < %s THEN ARRAY(SELECT claim::text FROM stored) END
"""

# A second statement, for its newer snapshot: what another transaction has just claimed was hidden from the first.
COMPARE: LiteralString = """
    SELECT s.position, e.type = s.type AND e.subject = s.subject AND e.data = s.data
        AND (s.happened_at IS NULL OR e.happened_at = s.happened_at)
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::jsonb[]) WITH ORDINALITY
        AS s (claim, type, subject, happened_at, data, position)
    JOIN metering_event e USING (claim)
"""


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
    window = TimeWindow.around(
        at,
        max_age=timedelta(days=settings.EVENT_MAX_AGE_DAYS) if max_age is None else max_age,
        max_future=timedelta(minutes=settings.EVENT_MAX_FUTURE_MINUTES),
    )
    if connection.in_atomic_block:  # who opened the transaction starts it again
        return ingest_once(events, window=window, at=at, api_key_id=api_key_id)
    for attempt in range(1, ATTEMPTS):
        try:
            return ingest_once(events, window=window, at=at, api_key_id=api_key_id)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in RETRYABLE:
                raise
            time.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311 (spreads retries, guards nothing)
    return ingest_once(events, window=window, at=at, api_key_id=api_key_id)


@transaction.atomic
def ingest_once(
    events: Sequence[UsageEvent], *, window: TimeWindow, at: datetime, api_key_id: int | None
) -> list[EventFate]:
    checker = Checker(read_meters(), window=window, at=at)
    batch = Batch(events, checker)
    if batch.staged:
        batch.store(at=at, api_key_id=api_key_id)
    return batch.fates()


class Batch:
    """The events of one call on their way to their fates: refused, staged under their claim, stored."""

    def __init__(self, events: Sequence[UsageEvent], checker: Checker) -> None:
        self.events = events
        self.refused: dict[int, EventFate] = {}
        self.staged: dict[str, CheckedEvent] = {}  # of the rows with one claim, the first
        self.rows: dict[int, CheckedEvent] = {}
        self.repeated: dict[int, CheckedEvent] = {}
        self.special: dict[str, Fate] = {}
        self.compared: dict[int, bool] = {}
        texts = [data_text(event.data) for event in events]
        glance = Glance.over(events, texts)
        for position, event in enumerate(events):
            try:
                checked = checker.check(event, texts[position], glance)
            except Refusal as refusal:
                self.refused[position] = refuse(event, refusal)
                continue
            is_first = self.staged.setdefault(checked.claim, checked) is checked
            (self.rows if is_first else self.repeated)[position] = checked

    def store(self, *, at: datetime, api_key_id: int | None) -> None:
        names = resolve_names({checked.subject for checked in self.staged.values()})
        stored = store_events(self.staged, names, at=at, api_key_id=api_key_id)
        self.repeated |= {position: row for position, row in self.rows.items() if row.claim not in stored}
        self.compared = compare_with_stored(self.repeated)
        self.special = {claim: Fate.UNMATCHED for claim, each in self.staged.items() if each.subject not in names}
        tallies = tally_events(stored.values(), names)
        if tallies:
            windows = count_tallies(tallies, claims=stored)
            self.special |= dict.fromkeys(find_late(stored.values(), names, windows), Fate.LATE)
            if crossed := [window.limit_id for window in windows if window.is_crossed]:
                record_crossings(crossed, at=at)

    def fates(self) -> list[EventFate]:
        fates = [EventFate(event.source, event.id, Fate.ACCEPTED) for event in self.events]
        for position, row in self.rows.items() if self.special else ():
            fates[position] = EventFate(row.source, row.id, self.special.get(row.claim, Fate.ACCEPTED))
        for position, is_same in self.compared.items():
            fates[position] = state_repeated(self.events[position], is_same=is_same)
        for position, fate in self.refused.items():
            fates[position] = fate
        return fates


def state_repeated(event: UsageEvent, *, is_same: bool) -> EventFate:
    if is_same:
        return EventFate(event.source, event.id, Fate.DUPLICATE)
    message = "Another event with this source and id is stored; an event is corrected by another id."
    return EventFate(event.source, event.id, Fate.CONFLICT, "conflict", "id", message)


def read_meters() -> list[MeterRef]:
    return [MeterRef(*row) for row in run_statement(READ_METERS)]


def resolve_names(subjects: Iterable[str]) -> dict[str, int]:
    """name → account id, for the subjects that name an account now.

    When one names none, nobody can make a name until this transaction ends, and it is looked up once more under that
    lock: its event is then either stored when its account is made, and counted with it, or finds the account here.
    """
    wanted = set(subjects)
    names = dict(run_statement(READ_NAMES, [text_array(sorted(wanted))]))
    missing = wanted - names.keys()
    if missing:
        run_statement("LOCK TABLE metering_alias IN ROW EXCLUSIVE MODE")
        names |= dict(run_statement(READ_NAMES, [text_array(sorted(missing))]))
    return names


def store_events(
    staged: dict[str, CheckedEvent], names: dict[str, int], *, at: datetime, api_key_id: int | None
) -> dict[str, CheckedEvent]:
    """Claim and store; returns those of the events that were new, under their claims."""
    rows = staged.values()
    [(stored,)] = run_statement(
        STORE,
        [
            at,
            api_key_id,
            plain_array(list(staged)),
            text_array([row.source for row in rows]),
            text_array([row.id for row in rows]),
            text_array([row.type for row in rows]),
            text_array([row.subject for row in rows]),
            plain_array([names.get(row.subject) for row in rows]),
            time_array([row.happened_at for row in rows]),
            text_array([row.data.decode() for row in rows]),
            len(staged),
        ],
    )
    return staged if stored is None else {claim: staged[claim] for claim in map(bare_hex, stored)}


def bare_hex(claim: str) -> str:
    return claim.replace("-", "")


def compare_with_stored(rows: dict[int, CheckedEvent]) -> dict[int, bool]:
    """position → whether what is stored under its claim says the same. Numbers are compared by value."""
    if not rows:
        return {}
    positions, checked = list(rows), rows.values()
    answers = run_statement(
        COMPARE,
        [
            plain_array([row.claim for row in checked]),
            text_array([row.type for row in checked]),
            text_array([row.subject for row in checked]),
            time_array([row.happened_at if row.has_time else None for row in checked]),
            text_array([row.data.decode() for row in checked]),
        ],
    )
    return {positions[position - 1]: is_same for position, is_same in answers}
