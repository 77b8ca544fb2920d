"""Meter events on their way: claimed by one statement, sent by threads at Stripe's pace, marked by another statement.

Of a customer and meter one is on its way at a time (unique index), since Stripe takes one call at a time of each. A
claim is committed before anything is sent, so that a worker that dies leaves rows whose outcome is unknown: after their
lease they are sent again under the same identifier, which Stripe counts once, for 23 hours. After that they are looked
up (`lookups`). While one batch is sent the next is claimed and the last is marked: Stripe's pace does not wait for us.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from billing.models import MeterEventState, StripeMeterEvent
from billing.stripe.client import get_client, is_on
from billing.stripe.usage.failures import CannotReplay, replay_events, tell_failures
from billing.stripe.usage.pace import Slot, find_rate, find_start, reserve_calls
from billing.stripe.usage.slices import OLDEST
from billing.stripe.usage.transports import MOST_STREAMED, UNSENT, Claimed, Fate, Outcome, Stream, read_time, send_one
from jobs.queue import draw_backoff, enqueue

IDENTIFIER_LIFE = timedelta(hours=23)  # Stripe knows an identifier for 24
SEND_USAGE = "billing.stripe_send_usage"
LONGEST = timedelta(seconds=50)  # that one job sends for: beat promises the next after a minute
LEASE = timedelta(minutes=5)  # longer than a batch waits for its turn and each of its calls may take
THREADS = 16
BATCHES_A_SECOND = 4
MOST_CLAIMED = 2_000
BATCHES_AHEAD = 2  # of one worker: one is sent, the other waits for its turn
LONGEST_BACKOFF = 6  # attempts, as jobs counts them: then the wait is no longer

Clock = Callable[[], datetime]


def start_clock(at: datetime) -> Clock:
    """A clock that shows `at` now."""
    begun = time.monotonic()
    return lambda: at + timedelta(seconds=time.monotonic() - begun)


FREE_STALE = """
    UPDATE billing_stripemeterevent SET state = 'queued', leased_until = NULL, due_at = %(at)s
    WHERE state = 'sending' AND leased_until <= %(at)s
"""

# One claim at a time: two that each took another event of one customer and meter would be one too many.
CLAIM_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('billing.stripe_usage_claim', 0))"

# Of each customer and meter the first that is due, unless one of theirs is on its way.
CLAIM = """
    WITH due AS (
        SELECT e.id, e.account_id, e.meter_id FROM billing_stripemeterevent e
        WHERE e.state = 'queued' AND e.due_at <= %(at)s AND (e.unsure_since IS NULL OR e.unsure_since > %(known_since)s)
            AND (%(periods)s::bigint[] IS NULL OR e.period_id = ANY(%(periods)s::bigint[]))
            AND (e.account_id, e.meter_id) NOT IN (
                SELECT s.account_id, s.meter_id FROM billing_stripemeterevent s WHERE s.state = 'sending'
            )
        ORDER BY e.due_at, e.id LIMIT %(count)s FOR UPDATE SKIP LOCKED
    ), firsts AS (
        SELECT DISTINCT ON (account_id, meter_id) id FROM due ORDER BY account_id, meter_id, id
    )
    UPDATE billing_stripemeterevent e
    SET state = 'sending', attempts = e.attempts + 1, leased_until = %(until)s,
        unsure_since = coalesce(e.unsure_since, %(at)s)
    FROM firsts WHERE e.id = firsts.id
    RETURNING {columns}, old.unsure_since
""".replace("{columns}", ", ".join(f"e.{name}" for name in Claimed._fields[:-1]))

# Whoever lost the lease says nothing: another attempt is under way, and this one's answer will be its as well.
ACCEPT = """
    UPDATE billing_stripemeterevent e
    SET state = 'accepted', error_code = '', error_message = '', leased_until = NULL, unsure_since = NULL,
        accepted_at = %s
    FROM unnest(%s::bigint[], %s::int[]) AS w (id, attempts)
    WHERE e.id = w.id AND e.state = 'sending' AND e.attempts = w.attempts
"""
SETTLE = """
    UPDATE billing_stripemeterevent e
    SET state = w.state, error_code = w.code, error_message = w.message, due_at = coalesce(w.due_at, e.due_at),
        leased_until = NULL, unsure_since = w.unsure_since
    FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
        AS w (id, attempts, state, code, message, due_at, unsure_since)
    WHERE e.id = w.id AND e.state = 'sending' AND e.attempts = w.attempts
    RETURNING e.id, e.state
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """How many went which way; `claimed` is zero where nothing was due."""

    claimed: int = 0
    accepted: int = 0
    failed: int = 0
    again: int = 0

    def plus(self, other: "Sent") -> "Sent":
        return Sent(
            self.claimed + other.claimed,
            self.accepted + other.accepted,
            self.failed + other.failed,
            self.again + other.again,
        )


def promise_sending(at: datetime) -> int:
    """Promise to send what is due, by as many jobs at once as the settings say. How many were promised."""
    if not is_on() or not StripeMeterEvent.objects.filter(state=MeterEventState.QUEUED, due_at__lte=at).exists():
        return 0
    keys = [f"{at:%Y-%m-%dT%H:%M} {number}" for number in range(settings.STRIPE_METER_EVENT_WORKERS)]
    return sum(enqueue(SEND_USAGE, key, at=at) for key in keys)


def send_usage(*, clock: Clock, until: datetime, periods: Collection[int] | None = None) -> Sent:
    """Send what is due, batch by batch, until there is no more or it is time to stop. Outside of a transaction.

    Any number of workers may do it at once, and it may die anywhere. Nothing where there is no key.
    """
    total = Sent()
    if not is_on():
        return total
    with ThreadPoolExecutor(THREADS) as pool:
        sender = Sender(pool)
        under_way: deque[Batch] = deque()
        while True:
            at = clock()
            if at < until and len(under_way) < BATCHES_AHEAD and (batch := sender.begin_batch(at=at, periods=periods)):
                under_way.append(batch)
            elif under_way:  # also where nothing was due: one of these may be what the next waits for
                total = total.plus(settle_batch(under_way.popleft()))
            else:
                return total


class Batch:
    """Events of one claim, and by their numbers what became of each."""

    def __init__(self, claimed: Sequence[Claimed], slot: Slot, *, size: int, at: datetime) -> None:
        self.claimed, self.slot, self.size, self.at = claimed, slot, size, at
        self.outcomes = [UNSENT] * len(claimed)
        self.starts = deque(range(0, len(claimed), size))  # of calls that nobody makes yet
        self.begun = time.monotonic()
        self.threads: list[Future[None]] = []

    def take_calls(self) -> Iterator[int]:
        """Where the events of the next call begin, in its turn. For several threads."""
        while True:
            try:
                start = self.starts.popleft()
            except IndexError:
                return
            wait_until(self.begun, find_start(self.slot, start))
            yield start

    def note(self, start: int, outcome: Outcome) -> None:
        for number in range(start, min(start + self.size, len(self.claimed))):
            self.outcomes[number] = outcome


class Sender:
    """The threads and the session of one worker."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.client = get_client()
        self.api: str = settings.STRIPE_METER_EVENT_API
        self.stream = Stream(self.client)

    def begin_batch(self, *, at: datetime, periods: Collection[int] | None = None) -> Batch | None:
        """Claim as many as take a part of a second at the pace there is, and have the threads send them."""
        size = MOST_STREAMED if self.api == "stream" else 1
        calls = max(find_rate() // size // BATCHES_A_SECOND, 1)
        claimed = claim_events(count=min(calls * size, MOST_CLAIMED), at=at, periods=periods)
        if not claimed:
            return None
        batch = Batch(claimed, reserve_calls(len(claimed)), size=size, at=at)
        count = min(THREADS, len(batch.starts))
        batch.threads = [self.pool.submit(self.send_calls, batch) for _ in range(count)]
        return batch

    def send_calls(self, batch: Batch) -> None:
        for start in batch.take_calls():
            if self.api == "stream":
                outcome = self.stream.send(batch.claimed[start : start + batch.size], at=batch.at)
            else:
                outcome = send_one(self.client, batch.claimed[start], api=self.api)
            batch.note(start, outcome)


def wait_until(begun: float, start: timedelta) -> None:
    left = begun + start.total_seconds() - time.monotonic()
    if left > 0:
        time.sleep(left)


def claim_events(*, count: int, at: datetime, periods: Collection[int] | None = None) -> list[Claimed]:
    """At most so many events of as many customers and meters, ours to send until their lease ends; committed."""
    params: dict[str, Any] = {
        "at": at,
        "count": count,
        "until": at + LEASE,
        "known_since": at - IDENTIFIER_LIFE,
        "periods": None if periods is None else list(periods),
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(CLAIM_ALONE)
        cursor.execute(FREE_STALE, params)
        cursor.execute(CLAIM, params)
        return list(map(Claimed._make, cursor.fetchall()))


def settle_batch(batch: Batch) -> Sent:
    """Once all of it is sent. What a thread raised is raised here; its events keep their lease."""
    for thread in batch.threads:
        thread.result()
    return settle_events(batch.claimed, batch.outcomes, at=batch.at)


@transaction.atomic
def settle_events(claimed: Sequence[Claimed], outcomes: Sequence[Outcome], *, at: datetime) -> Sent:
    """Mark what became of each. What Stripe refuses for good is told to staff in the same transaction."""
    accepted = [each for each, outcome in zip(claimed, outcomes, strict=True) if outcome.fate is Fate.ACCEPTED]
    others = [pair for pair in zip(claimed, outcomes, strict=True) if pair[1].fate is not Fate.ACCEPTED]
    count = accept_events(accepted, at=at) if accepted else 0
    states = settle_others(others, at=at) if others else {}
    if failed := [each for each, _ in others if states.get(each.id) == MeterEventState.FAILED]:
        tell_failures({(each.period_id, each.meter_id) for each in failed}, at=at)
        for each in failed:
            if read_time(each) < at - OLDEST:  # it grew too old on the way: it goes with the last slice of its period
                with suppress(CannotReplay):
                    replay_events([each.id], at=at)
    by_state = Counter(states.values())
    return Sent(len(claimed), count, len(failed), by_state[MeterEventState.QUEUED])


def accept_events(events: Sequence[Claimed], *, at: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(ACCEPT, [at, [each.id for each in events], [each.attempts for each in events]])
        count: int = cursor.rowcount
        return count


def settle_others(events: Sequence[tuple[Claimed, Outcome]], *, at: datetime) -> dict[int, str]:
    """id → its state now, of those that were still ours."""
    rows = [settle_row(each, outcome, at=at) for each, outcome in events]
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, [list(column) for column in zip(*rows, strict=True)])
        return dict(cursor.fetchall())


def settle_row(claimed: Claimed, outcome: Outcome, *, at: datetime) -> tuple[object, ...]:
    """(id, attempt, state, code, message, due, unsure since)."""
    key = claimed.id, claimed.attempts
    if outcome.fate is Fate.REFUSED:
        return *key, MeterEventState.FAILED.value, outcome.code, outcome.message, None, None
    due_at = at + draw_backoff(min(claimed.attempts, LONGEST_BACKOFF))
    unsure_since = claimed.known_unsure if outcome.fate is Fate.BUSY else claimed.unsure_since
    return *key, MeterEventState.QUEUED.value, outcome.code, outcome.message, due_at, unsure_since
