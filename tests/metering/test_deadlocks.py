"""Everything that locks, at once, and the order that keeps it from deadlocking. PostgreSQL itself counts deadlocks."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from threading import Event as Signal
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from metering import accounts, ingest, locks
from metering.accounts import add_alias, create_account, find_account
from metering.alerts import check_limits
from metering.events import Fate, UsageEvent
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, LimitWindowClosed, close_window, hand_over_limits
from metering.meters import create_meter, hold_meters_for_change
from metering.models import Adjustment, Alert, Event, HourlyRollup, Limit
from metering.recounted import find_wrong_totals
from metering.reservations import hold_quantity
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter
from tests.metering.threads import Threads, open_threads, wait_until_blocked

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 600  # seconds: the long one has much to do
EVENTS = 80  # in a batch
AGGREGATIONS = ["count", "sum", "max", "latest", "unique", "weighted_sum", "percentile"]
HALF_PAST = datetime(2026, 11, 8, 12, 30, tzinfo=UTC)  # within an hour, whose events are then read one by one
WINDOWS = [
    (datetime(2026, 11, 1, tzinfo=UTC), HALF_PAST),
    (HALF_PAST, datetime(2026, 12, 1, tzinfo=UTC)),
]


@pytest.fixture
def threads() -> Iterator[Threads]:
    with open_threads(14) as each:
        yield each


def count_deadlocks() -> int:
    """What PostgreSQL saw of them in this database. A session tells what it saw when it ends, so all others are ended.

    They are idle: of this test's threads, or of a pool that an earlier test of the process left.
    """
    wrapper: Any = connection
    wrapper.close(), wrapper.close_pool()
    deadline = time.monotonic() + PATIENCE
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while read_one(f"SELECT count(pg_terminate_backend(pid)) {others}"):
        assert time.monotonic() < deadline, "other sessions go on"
        time.sleep(0.02)
    return read_one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def read_one(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


@pytest.fixture
def deadlocks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many there were since the test began; none is hidden by trying again."""
    monkeypatch.setattr(ingest, "ATTEMPTS", 1)
    before = count_deadlocks()
    return lambda: count_deadlocks() - before


def make_gauges() -> list[int]:
    return [
        create_meter(
            key=aggregation,
            name=aggregation,
            event_type="request",
            aggregation=aggregation,
            value="" if aggregation == "count" else "user" if aggregation == "unique" else "size",
            unit="unit",
            percentile=Decimal(95) if aggregation == "percentile" else None,
            dimensions=["region"] if aggregation in ("sum", "max") else [],
            at=NOON,
        ).id
        for aggregation in AGGREGATIONS
    ]


def hand_over(account_ids: list[int], meter_ids: list[int], window: tuple[datetime, datetime], quantity: int) -> None:
    terms = [LimitTerms(meter_id=meter_id, quantity=Decimal(quantity), is_hard=False) for meter_id in meter_ids]
    hand_over_limits(account_ids=account_ids, terms=terms, start=window[0], end=window[1], at=NOON)


class Crowd:
    """Accounts, gauges, limits, and everybody who works on them."""

    def __init__(self, *, account_count: int, rounds: int, seed: int) -> None:
        self.names = [f"account-{number}" for number in range(account_count)]
        self.ids = [make_account(name).id for name in self.names]
        self.newcomers = [f"newcomer-{number}" for number in range(rounds * 2)]
        self.meter_ids = make_gauges()
        self.rounds, self.seed = rounds, seed
        self.barrier = Barrier(13)
        hand_over(self.ids[::2], self.meter_ids, WINDOWS[0], 500)
        hand_over(self.ids[1::2], self.meter_ids, WINDOWS[1], 500)

    def build_batch(self, round_number: int, source: str) -> list[UsageEvent]:
        """The same for everybody who asks for this round and source."""
        dice = random.Random(f"{self.seed} {round_number} {source}")  # noqa: S311 (chooses what is tested)
        subjects = [*self.names, *self.newcomers]
        return [
            make_event(
                f"{round_number}-{n}",
                subject=dice.choice(subjects),
                time=NOON - timedelta(minutes=dice.randrange(5 * 24 * 60)),
                source=source,
                size=dice.randrange(100),
                user=f"user-{dice.randrange(9)}",
                region=dice.choice(["north", "south"]),
            )
            for n in range(EVENTS)
        ]

    def send(self, number: int) -> set[Fate]:
        """Two sources, each sent by four at once, each in an order of its own."""
        self.barrier.wait(PATIENCE)
        dice, fates = random.Random(self.seed + number), set()  # noqa: S311
        for round_number in range(self.rounds):
            batch = self.build_batch(round_number, f"source-{number % 2}")
            dice.shuffle(batch)
            fates |= {fate.fate for fate in ingest_events(batch, at=NOON)}
        return fates

    def make_accounts(self) -> None:
        self.barrier.wait(PATIENCE)
        for first, second in zip(self.newcomers[::2], self.newcomers[1::2], strict=True):
            create_account(key=first, name="", at=NOON)
            add_alias(account_id=self.ids[0], name=second, at=NOON)

    def make_meters(self) -> None:
        """Each counts what is already there."""
        self.barrier.wait(PATIENCE)
        for number in range(max(2, self.rounds // 2)):
            make_meter(f"younger-{number}", value="size")

    def hand_over_all(self) -> None:
        self.barrier.wait(PATIENCE)
        for round_number in range(self.rounds):
            for first, window in ((0, WINDOWS[1]), (1, WINDOWS[0])):
                hand_over(self.ids[first::2], self.meter_ids, window, 300 + 10 * round_number)

    def close_all(self) -> None:
        self.barrier.wait(PATIENCE)
        for account_id in self.ids[::2]:
            close_window(account_id=account_id, start=WINDOWS[0][0], end=WINDOWS[0][1], at=NOON)

    def check_all(self) -> None:
        self.barrier.wait(PATIENCE)
        for _ in range(self.rounds):
            check_limits(at=NOON, batch=20)
            assert list(find_wrong_totals()) == []

    def work(self, threads: Threads) -> list[set[Fate]]:
        others = [self.make_accounts, self.make_meters, self.hand_over_all, self.close_all, self.check_all]
        jobs = [threads.start(partial(self.send, number)) for number in range(8)]
        for job in [threads.start(other) for other in others]:
            job.result(PATIENCE)
        return [job.result(PATIENCE) for job in jobs]


def require_no_deadlock(threads: Threads, deadlocks: Callable[[], int], crowd: Crowd) -> None:
    kept = {Fate.ACCEPTED, Fate.DUPLICATE, Fate.UNMATCHED, Fate.LATE}
    assert all(fates <= kept for fates in crowd.work(threads))
    assert deadlocks() == 0
    assert Event.objects.count() == 2 * crowd.rounds * EVENTS
    assert Alert.objects.exists()
    assert Adjustment.objects.exists()
    assert list(check()) == []


def test_shuffled_batches_among_all_others_who_lock_deadlock_nobody(threads, deadlocks):
    require_no_deadlock(threads, deadlocks, Crowd(account_count=6, rounds=3, seed=1))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(5))
def test_shuffled_batches_deadlock_nobody_for_long(threads, deadlocks, seed):
    require_no_deadlock(threads, deadlocks, Crowd(account_count=20, rounds=12, seed=seed))


def test_limits_locked_in_opposite_order_would_deadlock(threads, deadlocks):
    """The control: what counts them is able to see one."""
    hand_over([make_account().id], make_gauges()[:2], WINDOWS[1], 5)
    low, high = Limit.objects.order_by("pk")
    barrier = Barrier(2)

    def count(*limits: Limit) -> str:
        try:
            with transaction.atomic():
                for limit in limits:
                    Limit.objects.filter(pk=limit.pk).update(used=0)
                    if limit is limits[0]:
                        barrier.wait(PATIENCE)
        except OperationalError as error:
            return str(getattr(error.__cause__, "sqlstate", ""))
        return ""

    assert sorted(threads.run_all(lambda: count(low, high), lambda: count(high, low))) == ["", "40P01"]
    assert deadlocks() == 1


def hand_over_slowly(account_id: int, meter_id: int, ready: Signal, go: Signal) -> None:
    with transaction.atomic():
        hand_over([account_id], [meter_id], WINDOWS[1], 5)
        ready.set()
        assert go.wait(PATIENCE)


def race_window_and_meter(threads: Threads) -> None:
    """A window is opened; before its COMMIT, somebody makes a meter that has a past to be counted."""
    account, meter = make_account(), make_meter()
    make_events(3, size=1)
    ready, go = Signal(), Signal()
    opening = threads.start(hand_over_slowly, account.id, meter.id, ready, go)
    assert ready.wait(PATIENCE)
    making = threads.start(make_meter, "younger", value="size")
    wait_until_blocked()
    go.set()
    opening.result(PATIENCE)
    making.result(PATIENCE)


def test_a_meter_is_made_while_a_window_is_opened(threads, deadlocks):
    race_window_and_meter(threads)
    assert deadlocks() == 0
    assert HourlyRollup.objects.get(meter__key="younger").total == 3
    assert list(check()) == []


def test_limits_held_before_the_meters_would_deadlock(threads, deadlocks, monkeypatch):
    """The control: the window names its meter, at which PostgreSQL looks at COMMIT."""
    monkeypatch.setattr("metering.limits.hold_limits_for_opening", lambda: hold("metering_limit"))
    with pytest.raises(OperationalError, match="deadlock"):
        race_window_and_meter(threads)
    assert deadlocks() == 1


def hold(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def race_adoption_and_meter(threads: Threads) -> None:
    """Events learn their account; before the COMMIT, somebody makes a meter that has a past to be counted."""
    make_meter()
    make_events(3, subject="newcomer", size=1)
    ready, go = Signal(), Signal()

    def adopt_slowly() -> None:
        with transaction.atomic():
            create_account(key="newcomer", name="", at=NOON)
            ready.set()
            assert go.wait(PATIENCE)

    adopting = threads.start(adopt_slowly)
    assert ready.wait(PATIENCE)
    making = threads.start(make_meter, "younger", value="size")
    wait_until_blocked()
    go.set()
    adopting.result(PATIENCE)
    making.result(PATIENCE)


def test_a_meter_is_made_while_events_learn_their_account(threads, deadlocks):
    race_adoption_and_meter(threads)
    assert deadlocks() == 0
    assert HourlyRollup.objects.get(meter__key="younger").total == 3
    assert list(check()) == []


def test_a_meter_made_between_reading_the_meters_and_counting_by_them_would_miss_what_is_adopted(threads, monkeypatch):
    """The control: neither sees what the other does. The meter is made after the meters were read, and is quicker."""
    monkeypatch.setattr(accounts, "hold_names_for_change", lambda: hold("metering_alias"))
    make_meter()
    make_events(3, subject="newcomer", size=1)
    count_tallies = accounts.adopt_events.__globals__["count_tallies"]

    def make_another_and_count(*args: Any, **options: Any) -> Any:
        threads.start(make_meter, "younger", value="size").result(PATIENCE)
        return count_tallies(*args, **options)

    monkeypatch.setattr("metering.adoption.count_tallies", make_another_and_count)
    create_account(key="newcomer", name="", at=NOON)
    assert not HourlyRollup.objects.filter(meter__key="younger").exists()
    assert {violation.rule for violation in check()} == {"rollups equal the raw events"}
    assert find_account("newcomer")


def test_a_meter_is_made_while_a_quantity_is_held(threads, deadlocks):
    account, meter = make_account(), make_meter()
    make_events(3, size=1)
    hand_over([account.id], [meter.id], WINDOWS[1], 50)
    ready, go = Signal(), Signal()

    def hold_slowly() -> None:
        with transaction.atomic():
            hold_quantity(account_key="acme", meter_key="requests", quantity=Decimal(1), at=NOON)
            ready.set()
            assert go.wait(PATIENCE)

    holding = threads.start(hold_slowly)
    assert ready.wait(PATIENCE)
    making = threads.start(make_meter, "younger", value="size")
    wait_until_blocked()
    go.set()
    holding.result(PATIENCE)
    making.result(PATIENCE)
    assert deadlocks() == 0
    assert list(check()) == []


def test_a_hold_that_waits_for_the_meters_has_no_limit_yet(threads):
    """Also when its plan is an old one, of which PostgreSQL takes the locks in an order of its own."""
    account, meter = make_account(), make_meter()
    hand_over([account.id], [meter.id], WINDOWS[1], 50)
    go = Signal()

    def hold_often() -> None:
        for _ in range(12):
            hold_quantity(account_key="acme", meter_key="requests", quantity=Decimal(1), at=NOON)
        ready.set()
        assert go.wait(PATIENCE)
        hold_quantity(account_key="acme", meter_key="requests", quantity=Decimal(1), at=NOON)

    ready = Signal()
    holding = threads.start(hold_often)
    assert ready.wait(PATIENCE)
    with transaction.atomic():
        hold_meters_for_change()
        go.set()
        threads.start(wait_until_blocked).result(PATIENCE)
        query = "SELECT count(*) FROM pg_locks WHERE relation = 'metering_limit'::regclass"
        assert read_one(query) == 0
    holding.result(PATIENCE)
    assert Limit.objects.get().held == 13


def test_the_order_in_which_tables_are_locked_is_the_one_that_is_written_down(django_assert_num_queries):
    """Meters come first in every one of them."""
    for take in (
        locks.hold_limits_for_change, locks.hold_limits_for_opening, locks.hold_names_for_change,
        locks.hold_names_and_meters,
    ):  # fmt: skip
        with transaction.atomic(), django_assert_num_queries(1) as captured:
            take()
        assert captured[0]["sql"].startswith("LOCK TABLE metering_meter IN ROW SHARE MODE; ")


def test_terms_of_a_window_that_is_closed_do_not_change_beside_the_others():
    """What makes the crowd's handing over harmless after its closing: the quantity it names is refused."""
    account, meter = make_account(), make_meter()
    hand_over([account.id], [meter.id], WINDOWS[0], 5)
    close_window(account_id=account.id, start=WINDOWS[0][0], end=WINDOWS[0][1], at=NOON)
    with pytest.raises(LimitWindowClosed):
        hand_over([account.id], [meter.id], WINDOWS[0], 6)
