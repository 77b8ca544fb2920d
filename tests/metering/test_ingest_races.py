"""What happens at the same time. Real threads on PostgreSQL, and for each guard a look at what it guards against."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Barrier
from threading import Event as Signal
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from metering import accounts, ingest, meters, recounting
from metering.events import Fate
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Event, HourlyRollup, Limit
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter
from tests.metering.threads import PATIENCE, Threads, open_threads, wait_until_blocked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with open_threads(8) as each:
        yield each


@pytest.fixture(autouse=True)
def month(transactional_db: None) -> None:
    """As in any month but for its first event: whoever opens one holds back all others until it commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT metering_open_month(%s)", [NOON])


@pytest.fixture
def limit() -> Limit:
    account, meter = make_account(), make_meter()
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter_id=meter.id, quantity=1_000_000, is_hard=False)],
        start=datetime(2026, 11, 1, tzinfo=UTC),
        end=datetime(2026, 12, 1, tzinfo=UTC),
        at=NOON,
    )
    return Limit.objects.get()


def test_one_batch_sent_by_eight_threads_at_once_counts_once(threads, limit):
    barrier = Barrier(8)

    def send() -> list[Fate]:
        barrier.wait(PATIENCE)
        return [fate.fate for fate in make_events(200)]

    answers = threads.run_all(*[send] * 8)
    fates = [fate for answer in answers for fate in answer]
    assert fates.count(Fate.ACCEPTED) == 200
    assert fates.count(Fate.DUPLICATE) == 1400
    assert HourlyRollup.objects.get().total == 200
    limit.refresh_from_db()
    assert limit.used == 200
    assert list(check()) == []


def test_looking_before_inserting_would_count_twice(threads, limit):
    """The control: the same race without the claim. Each looks, sees nothing, and counts."""
    barrier = Barrier(4)

    def count_naively() -> None:
        with transaction.atomic():
            is_known = Event.objects.filter(event_id="1").exists()
            barrier.wait(PATIENCE)
            if not is_known:
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE metering_limit SET used = used + 1")

    threads.run_all(*[count_naively] * 4)
    limit.refresh_from_db()
    assert limit.used == 4


def test_overlapping_batches_in_opposite_order_deadlock_nobody(threads, limit):
    make_meter("others", event_type="other")
    for number in range(20):
        make_account(f"account-{number}")

    def send(is_reversed: bool, source: str) -> set[Fate]:
        fates = set()
        for round_number in range(6):
            batch = [
                make_event(f"{round_number}-{n}", subject=f"account-{n % 20}", source=source, type=type_)
                for n in range(100)
                for type_ in (("request",) if n % 2 else ("other",))
            ]
            results = ingest_events(batch[::-1] if is_reversed else batch, at=NOON)
            fates |= {result.fate for result in results}
        return fates

    jobs = [threads.start(send, bool(n % 2), f"source-{n // 4}") for n in range(8)]
    for job in jobs:
        assert job.result(PATIENCE) <= {Fate.ACCEPTED, Fate.DUPLICATE}
    assert Event.objects.count() == 2 * 6 * 100
    assert list(check()) == []


def test_claims_without_their_order_would_deadlock(threads):
    """The control: the same two ids claimed in opposite order, each waiting for the other."""
    barrier = Barrier(2)

    def claim(first: int, second: int) -> str:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for number in (first, second):
                    cursor.execute(
                        "INSERT INTO metering_claim (claim, digest, received_at) VALUES (%s, 0, now())"
                        " ON CONFLICT DO NOTHING",
                        [f"00000000-0000-0000-0000-{number:012}"],
                    )
                    if number == first:
                        barrier.wait(PATIENCE)
        except OperationalError as error:
            return str(getattr(error.__cause__, "sqlstate", ""))
        return ""

    assert sorted(threads.run_all(lambda: claim(1, 2), lambda: claim(2, 1))) == ["", "40P01"]


def test_a_deadlock_is_tried_again(monkeypatch, limit):
    once = [True]
    copy = ingest.copy_rows

    def fail_once(*args: Any, **options: Any) -> Any:
        if once.pop() if once else False:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")
        return copy(*args, **options)

    monkeypatch.setattr(ingest, "copy_rows", fail_once)
    assert [fate.fate for fate in make_events(2)] == [Fate.ACCEPTED] * 2
    assert HourlyRollup.objects.get().total == 2


def test_deadlocks_without_end_are_given_up(monkeypatch, limit):
    tries = []

    def fail(*args: Any, **options: Any) -> Any:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")

    monkeypatch.setattr(ingest, "copy_rows", fail)
    with pytest.raises(OperationalError):
        make_events(1)
    assert len(tries) == 5
    assert not Event.objects.exists()


def hold_open(ready: Signal, go: Signal) -> list[Fate]:
    """Ingest an event of nobody and leave the transaction open until told."""
    with transaction.atomic():
        fates = [fate.fate for fate in make_events(1, subject="newcomer")]
        ready.set()
        assert go.wait(PATIENCE)
    return fates


def test_an_event_in_flight_is_counted_when_its_account_is_made_meanwhile(threads):
    make_meter()
    ready, go = Signal(), Signal()
    event = threads.start(hold_open, ready, go)
    assert ready.wait(PATIENCE)
    account = threads.start(make_account, "newcomer")
    wait_until_blocked()
    go.set()
    assert event.result(PATIENCE) == [Fate.UNMATCHED]
    account.result(PATIENCE)
    assert HourlyRollup.objects.get().total == 1
    assert list(check()) == []


def test_an_event_waits_for_an_account_that_is_being_made(threads):
    make_meter()
    ready, go = Signal(), Signal()

    def make_slowly() -> None:
        with transaction.atomic():
            make_account("newcomer")
            ready.set()
            assert go.wait(PATIENCE)

    account = threads.start(make_slowly)
    assert ready.wait(PATIENCE)
    event = threads.start(make_events, 1, subject="newcomer")
    wait_until_blocked()
    go.set()
    account.result(PATIENCE)
    assert [fate.fate for fate in event.result(PATIENCE)] == [Fate.ACCEPTED]
    assert HourlyRollup.objects.get().total == 1
    assert list(check()) == []


def test_without_the_lock_on_names_the_event_would_be_lost(threads, monkeypatch):
    """The control: neither sees the other, and the event waits for an account that is there."""
    make_meter()
    make_events(1, subject="nobody", source="other")  # opens the month, which alone would make the other wait
    monkeypatch.setattr(accounts, "hold_names_for_change", lambda: None)
    ready, go = Signal(), Signal()
    event = threads.start(hold_open, ready, go)
    assert ready.wait(PATIENCE)
    make_account("newcomer")
    go.set()
    event.result(PATIENCE)
    assert not HourlyRollup.objects.exists()
    assert [violation.rule for violation in check()] == ["an event belongs to the account that its subject names"]


def test_an_event_in_flight_is_in_the_history_of_a_meter_made_meanwhile(threads):
    make_account(), make_meter()
    ready, go = Signal(), Signal()

    def send() -> None:
        with transaction.atomic():
            make_events(1, bytes=5)
            ready.set()
            assert go.wait(PATIENCE)

    event = threads.start(send)
    assert ready.wait(PATIENCE)
    meter = threads.start(make_meter, "bytes", event_type="request", value="bytes")
    wait_until_blocked()
    go.set()
    event.result(PATIENCE)
    meter.result(PATIENCE)
    assert HourlyRollup.objects.get(meter__key="bytes").total == 5
    assert list(check()) == []


def test_without_the_lock_on_meters_the_history_would_miss_it(threads, monkeypatch):
    """The control."""
    make_account(), make_meter()
    monkeypatch.setattr(meters, "hold_meters_for_change", lambda: None)
    ready, go = Signal(), Signal()

    def send() -> None:
        with transaction.atomic():
            make_events(1, bytes=5)
            ready.set()
            assert go.wait(PATIENCE)

    event = threads.start(send)
    assert ready.wait(PATIENCE)
    make_meter("bytes", event_type="request", value="bytes")
    go.set()
    event.result(PATIENCE)
    assert [violation.rule for violation in check()] == ["rollups equal the raw events"]


def make_account_slowly(ready: Signal, go: Signal) -> None:
    with transaction.atomic():
        make_account("newcomer")
        ready.set()
        assert go.wait(PATIENCE)


def test_a_meter_waits_for_an_account_that_is_being_made(threads):
    make_meter()
    make_events(1, subject="newcomer", bytes=5)
    ready, go = Signal(), Signal()
    account = threads.start(make_account_slowly, ready, go)
    assert ready.wait(PATIENCE)
    meter = threads.start(make_meter, "bytes", event_type="request", value="bytes")
    wait_until_blocked()
    go.set()
    account.result(PATIENCE), meter.result(PATIENCE)
    assert HourlyRollup.objects.get(meter__key="bytes").total == 5
    assert list(check()) == []


def test_without_that_neither_would_count_for_the_other(threads, monkeypatch):
    """The control: the meter finds an event without an account, which is then counted by the meters that were there."""
    make_meter()
    make_events(1, subject="newcomer", bytes=5)
    monkeypatch.setattr(accounts, "hold_names_for_change", lambda: None)
    monkeypatch.setattr(recounting, "hold_limits_for_opening", lambda: None)
    ready, go = Signal(), Signal()
    account = threads.start(make_account_slowly, ready, go)
    assert ready.wait(PATIENCE)
    make_meter("bytes", event_type="request", value="bytes")
    go.set()
    account.result(PATIENCE)
    assert [violation.rule for violation in check()] == ["rollups equal the raw events"]


def test_a_transaction_that_fails_leaves_nothing(limit):
    with transaction.atomic():
        make_events(5)
        transaction.set_rollback(True)
    assert not Event.objects.exists()
    assert not HourlyRollup.objects.exists()
    limit.refresh_from_db()
    assert limit.used == 0
