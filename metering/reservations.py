"""Reservations: a quantity of a limit that is kept for one caller while it works, so that a hard limit holds.

`held` of a limit is the sum of its open reservations. A hold is granted by one conditional statement, which no other
caller can come between. However it ends, the whole hold is given back; the usage that really happened is what counts,
be it less, be it more, be it above the limit.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import LiteralString
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from metering.accounts import read_names
from metering.models import Limit, Meter, Reservation, ReservationState
from metering.quantities import EXACT
from metering.statements import run_statement

LASTS = timedelta(minutes=5)  # unless the caller says otherwise
LASTS_AT_MOST = timedelta(days=1)
EXPIRE_BATCH = 1_000

# What has expired may still be settled: the usage happened, whether or not a quantity was kept for it.
MOVES: dict[str, set[str]] = {
    ReservationState.HELD: {ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.EXPIRED},
    ReservationState.EXPIRED: {ReservationState.SETTLED},
    ReservationState.SETTLED: set(),
    ReservationState.RELEASED: set(),
}

# The condition is looked at again after waiting for another caller's hold to commit, on the row as it left it. The
# meter is locked here, before the limit, and not only at COMMIT for the sake of the foreign key: `locks.py` says why.
HOLD: LiteralString = """
    WITH asked AS (
        SELECT %s::uuid AS id, %s::text AS name, %s::text AS meter_key, %s::numeric AS quantity, %s::timestamptz AS at,
            %s::timestamptz AS expires_at, %s::bigint AS api_key_id, %s::text AS idempotency_key,
            %s::bigint AS only_account_id
    ), meter AS MATERIALIZED (
        SELECT m.id FROM metering_meter m JOIN asked ON m.key = asked.meter_key FOR KEY SHARE OF m
    ), granted AS (
        UPDATE metering_limit l SET held = l.held + asked.quantity
        FROM asked JOIN metering_alias a ON a.name = asked.name CROSS JOIN meter
        WHERE l.account_id = a.account_id AND l.meter_id = meter.id AND l.starts_at <= asked.at AND l.ends_at > asked.at
            AND (asked.only_account_id IS NULL OR asked.only_account_id = l.account_id)
            AND (l.quantity IS NULL OR NOT l.is_hard OR l.used + l.held + asked.quantity <= l.quantity)
            AND NOT EXISTS (
                SELECT FROM metering_reservation r
                WHERE asked.idempotency_key <> '' AND r.idempotency_key = asked.idempotency_key
                    AND r.api_key_id IS NOT DISTINCT FROM asked.api_key_id
            )
        RETURNING l.id, l.account_id, l.meter_id, l.ends_at, coalesce(l.used + l.held > l.quantity, false) AS passes
    ), made AS (
        INSERT INTO metering_reservation (id, account_id, meter_id, limit_id, api_key_id, idempotency_key, quantity,
            passes_limit, state, created_at, expires_at)
        SELECT asked.id, g.account_id, g.meter_id, g.id, asked.api_key_id, asked.idempotency_key, asked.quantity,
            g.passes, 'held', asked.at, least(asked.expires_at, g.ends_at)
        FROM granted g, asked
        RETURNING *
    )
    SELECT made.id, made.account_id, c.key, made.meter_id, asked.meter_key, made.limit_id, made.quantity,
        made.passes_limit, made.state, made.created_at, made.expires_at, made.ended_at, made.settled_quantity
    FROM asked, made JOIN metering_account c ON c.id = made.account_id
"""

# Reservations first, then accounts, then limits, each in the order of their ids: whoever touches several limits of an
# account holds the account, so that no two meet half way.
EXPIRE: LiteralString = """
    WITH due AS MATERIALIZED (
        SELECT id, account_id, limit_id, quantity FROM metering_reservation
        WHERE state = 'held' AND expires_at <= %s::timestamptz AND (%s::bigint IS NULL OR limit_id = %s::bigint)
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ), accounts AS MATERIALIZED (
        SELECT id FROM metering_account WHERE id IN (SELECT account_id FROM due) ORDER BY id FOR NO KEY UPDATE
    ), ended AS (
        UPDATE metering_reservation r SET state = 'expired', ended_at = %s::timestamptz FROM due WHERE r.id = due.id
    ), freed AS MATERIALIZED (
        SELECT l.id, d.quantity
        FROM accounts a JOIN metering_limit l ON l.account_id = a.id
        JOIN (SELECT limit_id, sum(quantity) AS quantity FROM due GROUP BY 1) d ON d.limit_id = l.id
        ORDER BY l.id FOR UPDATE OF l
    ), given_back AS (
        UPDATE metering_limit l SET held = l.held - freed.quantity FROM freed WHERE l.id = freed.id
    )
    SELECT count(*) FROM due
"""


@dataclass(frozen=True, slots=True)
class ReservationFact:
    """A reservation as others see it. `passes_limit`: granted beyond a limit that is soft.

    `ended_at` is when it was settled, released or expired. `settled_quantity` is what its settlement counted anew on
    the meter; None before, and where the worth of events is nothing to add up.
    """

    id: UUID
    account_id: int
    account_key: str
    meter_id: int
    meter_key: str
    limit_id: int
    quantity: Decimal
    passes_limit: bool
    state: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    settled_quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class Hold:
    """What came of asking. `is_new` is false when this caller had asked for it before, by the same idempotency key."""

    reservation: ReservationFact
    is_new: bool


class UnknownReservation(LookupError):
    """No reservation has this id."""


class NothingToHold(LookupError):
    """The account has no limit of the meter now, or there is no such account or meter. `what` names what is missing."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no {what} to hold a quantity of.")
        self.what = what


class LimitReached(Exception):
    """A hard limit has less left than was asked for."""

    def __init__(self, limit: Limit) -> None:
        self.used, self.held, self.quantity = limit.used, limit.held, limit.quantity or Decimal(0)
        left = EXACT.subtract(EXACT.subtract(self.quantity, self.used), self.held)
        self.remaining = max(left, Decimal(0))
        self.resets_at = limit.ends_at
        super().__init__("The limit has less left than was asked for.")


class ReservationConflict(Exception):
    """The idempotency key named another reservation before, or the reservation has ended otherwise."""


def hold_quantity(
    *,
    account_key: str,
    meter_key: str,
    quantity: Decimal,
    at: datetime,
    lasts: timedelta = LASTS,
    api_key_id: int | None = None,
    idempotency_key: str = "",
    only_account_id: int | None = None,
) -> Hold:
    """Keep a positive quantity of the limit that stands at `at`; one statement where it is granted.

    `account_key` is a key or an alias; `only_account_id`, when given, the one account that the caller may know of.
    A hold ends with its window at the latest. A soft limit grants it also beyond its quantity and says so, a hard one
    raises LimitReached. The same `idempotency_key` of the same API key is answered by the reservation it made the first
    time. Raises NothingToHold, LimitReached, ReservationConflict when that one was about something else.
    """
    asked: list[datetime | int | str | None] = [
        account_key, meter_key, str(quantity), at, at + lasts, api_key_id, idempotency_key, only_account_id,
    ]  # fmt: skip
    if (granted := try_hold(asked)) is not None:
        return Hold(granted, is_new=True)
    known = find_by_idempotency_key(api_key_id, idempotency_key)
    if known is not None:
        require_same(known, account_key=account_key, meter_key=meter_key, quantity=quantity)
        return Hold(known, is_new=False)
    limit = find_limit(account_key, meter_key, at=at, only_account_id=only_account_id)
    if expire_reservations(at=at, limit_id=limit.pk) and (granted := try_hold(asked)) is not None:
        return Hold(granted, is_new=True)
    limit.refresh_from_db()
    raise LimitReached(limit)


def try_hold(asked: Sequence[datetime | int | str | None]) -> ReservationFact | None:
    try:
        with nested_savepoint():
            rows = run_statement(HOLD, [str(uuid4()), *asked])
    except IntegrityError as error:  # at the same time the same caller asked for the same
        if "reservation_once_per_idempotency_key" not in str(error):
            raise
        return None
    return ReservationFact(*rows[0]) if rows else None


@contextmanager
def nested_savepoint() -> Iterator[None]:
    """Alone, a statement is its own transaction, and needs no other around it."""
    if not connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        yield


def find_by_idempotency_key(api_key_id: int | None, idempotency_key: str) -> ReservationFact | None:
    if not idempotency_key:
        return None
    named = Reservation.objects.filter(api_key_id=api_key_id, idempotency_key=idempotency_key)
    reservation = named.select_related("account", "meter").first()
    return None if reservation is None else state_reservation(reservation)


def require_same(known: ReservationFact, *, account_key: str, meter_key: str, quantity: Decimal) -> None:
    account_id = read_names([account_key]).get(account_key)
    if (known.account_id, known.meter_key, known.quantity) != (account_id, meter_key, quantity):
        raise ReservationConflict("This idempotency key was used for another account, meter or quantity.")


def find_limit(account_key: str, meter_key: str, *, at: datetime, only_account_id: int | None) -> Limit:
    """The limit whose window contains `at`. Raises NothingToHold, which names the first that is missing."""
    account_id = read_names([account_key]).get(account_key)
    if account_id is None or only_account_id not in (None, account_id):
        raise NothingToHold("account")
    if not Meter.objects.filter(key=meter_key).exists():
        raise NothingToHold("meter")
    limits = Limit.objects.filter(account_id=account_id, meter__key=meter_key, starts_at__lte=at, ends_at__gt=at)
    limit = limits.first()
    if limit is None:
        raise NothingToHold("limit")
    return limit


def find_reservation(reservation_id: UUID) -> ReservationFact:
    """Raises UnknownReservation. One query."""
    reservation = Reservation.objects.select_related("account", "meter").filter(pk=reservation_id).first()
    if reservation is None:
        raise UnknownReservation(f"There is no reservation {reservation_id}.")
    return state_reservation(reservation)


@transaction.atomic
def release_reservation(reservation_id: UUID, *, at: datetime) -> ReservationFact:
    """Give the hold back: nothing was used. Quiet when it is released, or has expired, already.

    Raises UnknownReservation, ReservationConflict when it was settled.
    """
    reservation = lock_reservation(reservation_id)
    if reservation.state in (ReservationState.RELEASED, ReservationState.EXPIRED):
        return state_reservation(reservation)
    require_move(reservation, ReservationState.RELEASED)
    return end_reservation(reservation, ReservationState.RELEASED, at=at)


def expire_reservations(*, at: datetime, limit_id: int | None = None) -> int:
    """Give back what was held until `at` or before, of one limit or of all; returns how many. A second call finds none.

    What another caller is ending at this moment is passed over.
    """
    expired, count = 0, EXPIRE_BATCH
    while count == EXPIRE_BATCH:
        [(count,)] = run_statement(EXPIRE, [at, limit_id, limit_id, EXPIRE_BATCH, at])
        expired += count
    return expired


def lock_reservation(reservation_id: UUID) -> Reservation:
    """Keep others from ending it until this transaction ends. Raises UnknownReservation."""
    locked = Reservation.objects.select_for_update(of=("self",)).select_related("account", "meter")
    reservation = locked.filter(pk=reservation_id).first()
    if reservation is None:
        raise UnknownReservation(f"There is no reservation {reservation_id}.")
    return reservation


def require_move(reservation: Reservation, state: ReservationState) -> None:
    if state not in MOVES[reservation.state]:
        raise ReservationConflict(f"The reservation was {reservation.state} at {reservation.ended_at}.")


def end_reservation(
    reservation: Reservation, state: ReservationState, *, at: datetime, settled_quantity: Decimal | None = None
) -> ReservationFact:
    """Move a locked reservation to its end and give back all that it still holds."""
    if reservation.state == ReservationState.HELD:
        Limit.objects.filter(pk=reservation.limit_id).update(held=F("held") - reservation.quantity)
    reservation.state, reservation.ended_at, reservation.settled_quantity = state, at, settled_quantity
    reservation.save(update_fields=["state", "ended_at", "settled_quantity"])
    return state_reservation(reservation)


def state_reservation(reservation: Reservation) -> ReservationFact:
    return ReservationFact(
        id=reservation.pk,
        account_id=reservation.account_id,
        account_key=reservation.account.key,
        meter_id=reservation.meter_id,
        meter_key=reservation.meter.key,
        limit_id=reservation.limit_id,
        quantity=reservation.quantity,
        passes_limit=reservation.passes_limit,
        state=str(reservation.state),
        created_at=reservation.created_at,
        expires_at=reservation.expires_at,
        ended_at=reservation.ended_at,
        settled_quantity=reservation.settled_quantity,
    )
