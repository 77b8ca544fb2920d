"""Meter events on their way: claimed by one statement, sent by threads at Stripe's pace, marked by another statement.

Of a customer and meter one is on its way at a time (unique index), since Stripe takes one call at a time of each. A
claim is committed before anything is sent, so that a worker that dies leaves rows whose outcome is unknown: after their
lease they are sent again under the same identifier, which Stripe counts once, for 23 hours. After that they are looked
up (`lookups`).
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from billing.constraints import find_constraint
from billing.models import MeterEventState, StripeMeterEvent
from billing.stripe.client import get_client, is_on
from billing.stripe.usage.failures import tell_failures
from billing.stripe.usage.pace import Slot, find_rate, find_start, reserve_calls
from billing.stripe.usage.transports import MOST_STREAMED, Fate, Outcome, Stream, send_one
from jobs.queue import draw_backoff, enqueue

IDENTIFIER_LIFE = timedelta(hours=23)  # Stripe knows an identifier for 24
SEND_USAGE = "billing.stripe_send_usage"
LONGEST = timedelta(seconds=50)  # that one job sends for: beat promises the next after a minute
LEASE = timedelta(minutes=5)  # longer than a batch waits for its turn and each of its calls may take
THREADS = 16
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

COLUMNS = [
    "id", "account_id", "meter_id", "period_id", "identifier", "event_name", "customer_id", "value", "timestamp",
    "attempts", "formula", "unsure_since",
]  # fmt: skip

# Of each customer and meter the first that is due, unless one of theirs is on its way.
CLAIM = """
    WITH due AS (
        SELECT e.id, e.account_id, e.meter_id FROM billing_stripemeterevent e
        WHERE e.state = 'queued' AND e.due_at <= %(at)s AND (e.unsure_since IS NULL OR e.unsure_since > %(known_since)s)
            AND (%(periods)s::bigint[] IS NULL OR e.period_id = ANY(%(periods)s::bigint[]))
            AND NOT EXISTS (
                SELECT FROM billing_stripemeterevent s
                WHERE s.account_id = e.account_id AND s.meter_id = e.meter_id AND s.state = 'sending'
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
""".replace("{columns}", ", ".join(f"e.{name}" for name in COLUMNS))

# Whoever lost the lease says nothing: another attempt is under way, and this one's answer will be its as well.
SETTLE = """
    UPDATE billing_stripemeterevent e
    SET state = w.state, error_code = w.code, error_message = w.message, due_at = coalesce(w.due_at, e.due_at),
        leased_until = NULL, unsure_since = w.unsure_since,
        accepted_at = CASE WHEN w.state = 'accepted' THEN %s::timestamptz ELSE e.accepted_at END
    FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
        AS w (id, attempts, state, code, message, due_at, unsure_since)
    WHERE e.id = w.id AND e.state = 'sending' AND e.attempts = w.attempts
    RETURNING e.id, e.state
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that is ours to send; `known_unsure` is since when its outcome was unknown before this attempt."""

    event: StripeMeterEvent
    known_unsure: datetime | None


@dataclass(frozen=True, slots=True)
class Sent:
    """How many went which way; `claimed` is zero where nothing was due."""

    claimed: int = 0
    accepted: int = 0
    failed: int = 0
    again: int = 0


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
        while (at := clock()) < until:
            sent = sender.send_batch(at=at, periods=periods)
            if not sent.claimed:
                return total
            total = Sent(
                total.claimed + sent.claimed,
                total.accepted + sent.accepted,
                total.failed + sent.failed,
                total.again + sent.again,
            )
    return total


class Sender:
    """The threads and the session of one worker."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.client = get_client()
        self.api: str = settings.STRIPE_METER_EVENT_API
        self.stream = Stream(self.client)

    def send_batch(self, *, at: datetime, periods: Collection[int] | None = None) -> Sent:
        """Claim, send and mark as many as take half a second at the pace there is."""
        per_call = MOST_STREAMED if self.api == "stream" else 1
        calls = max(find_rate() // per_call // 2 if self.api == "stream" else find_rate() // 2, 1)
        claimed = claim_events(count=min(calls * per_call, 2_000), at=at, periods=periods)
        if not claimed:
            return Sent()
        outcomes = self.send_claimed(claimed, at=at)
        return settle_events(claimed, outcomes, at=at)

    def send_claimed(self, claimed: Sequence[Claimed], *, at: datetime) -> list[Outcome]:
        if self.api == "stream":
            return list(self.stream_events([each.event for each in claimed], at=at))
        slot = reserve_calls(len(claimed))
        begun = time.monotonic()
        return list(self.pool.map(partial(self.send_in_turn, slot, begun), range(len(claimed)), claimed))

    def send_in_turn(self, slot: Slot, begun: float, number: int, claimed: Claimed) -> Outcome:
        wait_until(begun, find_start(slot, number))
        return send_one(self.client, claimed.event, api=self.api)

    def stream_events(self, events: Sequence[StripeMeterEvent], *, at: datetime) -> Iterator[Outcome]:
        starts = range(0, len(events), MOST_STREAMED)
        batches = [events[start : start + MOST_STREAMED] for start in starts]
        slot = reserve_calls(len(events))
        begun = time.monotonic()
        outcomes = self.pool.map(partial(self.stream_in_turn, slot, begun, at), starts, batches)
        for batch, outcome in zip(batches, outcomes, strict=True):
            yield from [outcome] * len(batch)

    def stream_in_turn(
        self, slot: Slot, begun: float, at: datetime, number: int, batch: Sequence[StripeMeterEvent]
    ) -> Outcome:
        wait_until(begun, find_start(slot, number))
        return self.stream.send(batch, at=at)


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
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute(FREE_STALE, params)
            cursor.execute(CLAIM, params)
            return [describe_claimed(*row) for row in cursor.fetchall()]
    except IntegrityError as error:
        if find_constraint(error) != "stripe_meter_event_one_on_its_way":
            raise
        return []  # somebody claimed another event of the same customer and meter meanwhile


def describe_claimed(*row: Any) -> Claimed:
    *columns, known_unsure = row
    return Claimed(StripeMeterEvent(**dict(zip(COLUMNS, columns, strict=True))), known_unsure)


@transaction.atomic
def settle_events(claimed: Sequence[Claimed], outcomes: Sequence[Outcome], *, at: datetime) -> Sent:
    """Mark what became of each. What Stripe refuses for good is told to staff in the same transaction."""
    rows = [settle_row(each, outcome, at=at) for each, outcome in zip(claimed, outcomes, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, [at, *(list(column) for column in zip(*rows, strict=True))])
        states = dict(cursor.fetchall())
    failed = [each.event for each in claimed if states.get(each.event.pk) == MeterEventState.FAILED]
    if failed:
        tell_failures({(event.period_id, event.meter_id) for event in failed}, at=at)
    counts = [list(states.values()).count(state) for state in ("accepted", "failed", "queued")]
    return Sent(len(claimed), *counts)


def settle_row(claimed: Claimed, outcome: Outcome, *, at: datetime) -> tuple[object, ...]:
    """(id, attempt, state, code, message, due, unsure since)."""
    event = claimed.event
    match outcome.fate:
        case Fate.ACCEPTED:
            return event.pk, event.attempts, MeterEventState.ACCEPTED.value, "", "", None, None
        case Fate.REFUSED:
            return event.pk, event.attempts, MeterEventState.FAILED.value, outcome.code, outcome.message, None, None
    due_at = at + draw_backoff(min(event.attempts, LONGEST_BACKOFF))
    unsure_since = claimed.known_unsure if outcome.fate is Fate.BUSY else event.unsure_since
    state = MeterEventState.QUEUED.value
    return event.pk, event.attempts, state, outcome.code, outcome.message, due_at, unsure_since
