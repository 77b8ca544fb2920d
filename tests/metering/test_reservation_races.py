"""Many callers at once never pass a hard limit; and what is killed half way leaves nothing behind."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F

from metering import settling
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Event, Limit, Reservation
from metering.reservations import LimitReached, expire_reservations, hold_quantity, release_reservation
from metering.settling import settle_by_quantity
from tests.metering.makers import NOON, make_account, make_events, make_meter
from tests.metering.threads import PATIENCE, Threads, open_threads, run_and_close, wait_until_blocked

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS = 50
ROOM = 20
WAITING = 15  # of the callers, seen to stand at the row at the same time: a pool holds sixteen connections


@pytest.fixture
def threads() -> Iterator[Threads]:
    with open_threads(CALLERS) as each:
        yield each


@pytest.fixture
def limit() -> Iterator[Limit]:
    account, meter = make_account(), make_meter("minutes", event_type="job", value="minutes")
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter_id=meter.id, quantity=Decimal(ROOM), is_hard=True)],
        start=datetime(2026, 11, 1, tzinfo=UTC),
        end=datetime(2026, 12, 1, tzinfo=UTC),
        at=NOON,
    )
    yield Limit.objects.get()
    assert list(check()) == []


def hold(quantity: int = 1, *, idempotency_key: str = "") -> bool:
    try:
        hold_quantity(
            account_key="acme",
            meter_key="minutes",
            quantity=Decimal(quantity),
            at=NOON,
            idempotency_key=idempotency_key,
        )
    except LimitReached:
        return False
    return True


def test_fifty_callers_at_once_get_what_there_is_and_no_more(threads, limit):
    barrier = Barrier(CALLERS)

    def call() -> bool:
        barrier.wait(PATIENCE)
        return hold()

    assert threads.run_all(*[call] * CALLERS).count(True) == ROOM
    limit.refresh_from_db()
    assert (limit.used, limit.held) == (0, ROOM)


def test_looking_before_writing_would_pass_the_limit(threads, limit):
    """The control: the same callers and the same limit, by two steps, each of them right by itself."""
    barrier = Barrier(WAITING)

    def call() -> bool:
        standing = Limit.objects.get()
        is_room = standing.used + standing.held + 10 <= standing.quantity
        barrier.wait(PATIENCE)
        if is_room:
            Limit.objects.update(held=F("held") + 10)
        return is_room

    granted = threads.run_all(*[call] * WAITING).count(True)
    limit.refresh_from_db()
    assert granted == WAITING
    assert limit.held == 10 * WAITING > limit.quantity
    Limit.objects.update(held=0)


def test_holds_settlements_and_releases_at_once_keep_the_books(threads, limit):
    barrier = Barrier(CALLERS)

    def call(number: int) -> None:
        barrier.wait(PATIENCE)
        try:
            held = hold_quantity(account_key="acme", meter_key="minutes", quantity=Decimal(4), at=NOON).reservation
        except LimitReached:
            return
        if number % 2:
            settle_by_quantity(held.id, quantity=Decimal(1), at=NOON)
        else:
            release_reservation(held.id, at=NOON)

    for each in [threads.start(call, number) for number in range(CALLERS)]:
        each.result(PATIENCE)
    limit.refresh_from_db()
    settled = Reservation.objects.filter(state="settled").count()
    assert (limit.used, limit.held) == (settled, 0)
    assert settled > 0


def test_one_request_sent_by_many_threads_is_one_reservation(threads, limit):
    barrier = Barrier(WAITING)

    def call() -> bool:
        barrier.wait(PATIENCE)
        return hold(2, idempotency_key="job-1")

    assert all(threads.run_all(*[call] * WAITING))
    limit.refresh_from_db()
    assert (Reservation.objects.count(), limit.held) == (1, 2)


def test_settled_by_many_threads_it_counts_once(threads, limit):
    assert hold(5)
    reservation = Reservation.objects.get()
    barrier = Barrier(WAITING)

    def call() -> object:
        barrier.wait(PATIENCE)
        return settle_by_quantity(reservation.pk, quantity=Decimal(3), at=NOON)

    assert len(set(threads.run_all(*[call] * WAITING))) == 1
    limit.refresh_from_db()
    assert (Event.objects.count(), limit.used, limit.held) == (1, 3, 0)


def test_expiry_passes_over_what_is_being_settled(threads, limit):
    assert hold(5)
    later = Reservation.objects.get().expires_at
    with transaction.atomic():
        Reservation.objects.select_for_update().get()
        assert threads.start(expire_reservations, at=later).result(PATIENCE) == 0
    assert sorted(threads.run_all(*[lambda: expire_reservations(at=later)] * 8)) == [0] * 7 + [1]
    limit.refresh_from_db()
    assert limit.held == 0


def test_a_caller_killed_in_mid_hold_leaves_nothing(threads, limit):
    with transaction.atomic():
        Limit.objects.select_for_update().get()
        caller = threads.start(hold)
        wait_until_blocked()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        with pytest.raises(OperationalError):
            caller.result(PATIENCE)
    limit.refresh_from_db()
    assert (limit.held, Reservation.objects.count()) == (0, 0)


def test_a_caller_killed_in_mid_settlement_leaves_it_held_and_may_come_again(threads, limit, monkeypatch):
    assert hold(5)
    reservation = Reservation.objects.get()
    end = settling.end_reservation

    def die(*args: object, **options: object) -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return end(*args, **options)

    monkeypatch.setattr(settling, "end_reservation", die)
    with pytest.raises(OperationalError):
        run_and_close(settle_by_quantity, reservation.pk, quantity=Decimal(3), at=NOON)
    monkeypatch.undo()
    limit.refresh_from_db()
    assert (Event.objects.count(), limit.used, limit.held) == (0, 0, 5)
    settle_by_quantity(reservation.pk, quantity=Decimal(3), at=NOON)
    limit.refresh_from_db()
    assert (limit.used, limit.held) == (3, 0)


def test_usage_that_comes_in_between_takes_its_room(threads, limit):
    """A hold that waits for usage to be committed looks again at what is left."""
    with transaction.atomic():
        make_events(ROOM, type="job", minutes=1)
        caller = threads.start(hold)
        wait_until_blocked()
    assert caller.result(PATIENCE) is False
