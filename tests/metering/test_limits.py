import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from metering import limits
from metering.alerts import check_limits
from metering.invariants import check
from metering.limits import (
    ChangeReason,
    LimitReading,
    LimitTerms,
    LimitWindowClosed,
    LimitWindowConflict,
    WindowKey,
    WindowUse,
    close_window,
    end_windows,
    hand_over_limits,
    list_changes,
    read_limits,
    read_used_of,
)
from metering.models import Alert, Limit, LimitChange
from metering.reservations import find_reservation, hold_quantity
from metering.usage import read_usage
from tests.metering.makers import make_account, make_events, make_meter
from tests.metering.threads import open_threads, wait_until_blocked

OCTOBER, NOVEMBER, DECEMBER, JANUARY = (
    datetime(2026, 10, 1, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def hand_over(
    account_id: int,
    meter_id: int,
    quantity: str | None,
    *,
    start: datetime = NOVEMBER,
    end: datetime = DECEMBER,
    is_hard: bool = False,
    **told: Any,
) -> Limit:
    terms = LimitTerms(meter_id=meter_id, quantity=None if quantity is None else Decimal(quantity), is_hard=is_hard)
    hand_over_limits(account_ids=[account_id], terms=[terms], start=start, end=end, at=NOON, **told)
    return Limit.objects.get(account_id=account_id, meter_id=meter_id, starts_at=start)


@pytest.fixture
def meter_id(db) -> int:
    return make_meter("requests").id


@pytest.fixture
def account_id(db) -> int:
    return make_account("acme").id


def test_a_limit_reads_as_its_terms_and_what_was_used(account_id, meter_id):
    limit = hand_over(account_id, meter_id, "200", is_hard=True)
    make_events(3, time=NOON)
    assert read_limits(account_id=account_id, at=NOON) == [
        LimitReading(
            limit_id=limit.pk,
            meter_id=meter_id,
            meter_key="requests",
            meter_name="Requests",
            unit="request",
            used=Decimal(3),
            held=Decimal(0),
            quantity=Decimal(200),
            remaining=Decimal(197),
            percent=Decimal("1.50"),
            is_hard=True,
            start=NOVEMBER,
            resets_at=DECEMBER,
            epoch=1,
        )
    ]


def test_a_new_window_starts_with_what_is_stored(account_id, meter_id):
    make_events(2, time=datetime(2026, 10, 31, 23, 59, tzinfo=UTC), source="before")
    make_events(3, time=NOVEMBER, source="in")
    make_events(4, time=DECEMBER, source="after")
    assert hand_over(account_id, meter_id, "100").used == 3


def test_a_window_within_an_hour_starts_with_its_own_events(account_id, meter_id):
    """November in Kolkata begins at 18:30 UTC."""
    start, end = datetime(2026, 10, 31, 18, 30, tzinfo=UTC), datetime(2026, 11, 30, 18, 30, tzinfo=UTC)
    make_events(2, time=datetime(2026, 10, 31, 18, 29, tzinfo=UTC), source="before")
    make_events(3, time=datetime(2026, 10, 31, 18, 31, tzinfo=UTC), source="in")
    assert hand_over(account_id, meter_id, "100", start=start, end=end).used == 3


def test_handing_over_twice_changes_nothing(account_id, meter_id):
    first = hand_over(account_id, meter_id, "100")
    make_events(5, time=NOON)
    Limit.objects.update(needs_check=False)
    second = hand_over(account_id, meter_id, "100")
    assert (second.pk, second.epoch, second.used, second.needs_check) == (first.pk, 1, 5, False)
    assert second.next_crossing == first.next_crossing == 80


def test_a_changed_quantity_is_a_new_epoch_to_be_checked(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    Limit.objects.update(needs_check=False)
    limit = hand_over(account_id, meter_id, "50")
    assert (limit.quantity, limit.epoch, limit.next_crossing, limit.needs_check) == (50, 2, 40, True)


def test_a_limit_may_become_unlimited_and_limited_again(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    unlimited = hand_over(account_id, meter_id, None)
    assert (unlimited.quantity, unlimited.epoch, unlimited.next_crossing) == (None, 2, None)
    assert hand_over(account_id, meter_id, "100").epoch == 3


def test_hardness_alone_is_no_new_epoch(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    limit = hand_over(account_id, meter_id, "100", is_hard=True)
    assert (limit.is_hard, limit.epoch) == (True, 1)


def test_what_alerts_next_is_rounded_up_to_what_can_be_stored(account_id, meter_id):
    """80 % of this quantity is 0.0000000000008: a total of twelve decimals reaches it at 0.000000000001."""
    assert hand_over(account_id, meter_id, "0.000000000001").next_crossing == Decimal("0.000000000001")


def test_percent_is_never_rounded_up_to_a_level(account_id, meter_id):
    hand_over(account_id, meter_id, "100000")
    make_events(79_999 // 1_000, time=NOON)  # 79 of 100,000
    [reading] = read_limits(account_id=account_id, at=NOON)
    assert reading.percent == Decimal("0.07")
    assert limits.find_percent(Decimal("79.999999999999"), Decimal(100)) == Decimal("79.99")


def test_an_unlimited_meter_has_neither_percent_nor_rest(account_id, meter_id):
    hand_over(account_id, meter_id, None)
    make_events(3, time=NOON)
    [reading] = read_limits(account_id=account_id, at=NOON)
    assert (reading.used, reading.quantity, reading.remaining, reading.percent) == (3, None, None, None)


def test_a_limit_of_zero_is_full_from_the_first_use(account_id, meter_id):
    hand_over(account_id, meter_id, "0")
    assert read_limits(account_id=account_id, at=NOON)[0].percent == 0
    make_events(1, time=NOON)
    [reading] = read_limits(account_id=account_id, at=NOON)
    assert (reading.percent, reading.remaining) == (100, 0)


def test_nothing_remains_beyond_the_limit(account_id, meter_id):
    hand_over(account_id, meter_id, "2")
    make_events(5, time=NOON)
    [reading] = read_limits(account_id=account_id, at=NOON)
    assert (reading.used, reading.remaining, reading.percent) == (5, 0, 250)


def test_only_the_window_that_contains_the_moment_is_read(account_id, meter_id):
    hand_over(account_id, meter_id, "100", start=OCTOBER, end=NOVEMBER)
    hand_over(account_id, meter_id, "200")
    at_the_border = read_limits(account_id=account_id, at=NOVEMBER)
    assert [reading.quantity for reading in at_the_border] == [200]
    assert read_limits(account_id=account_id, at=DECEMBER) == []


def test_windows_of_one_meter_do_not_overlap(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    with pytest.raises(LimitWindowConflict, match="overlaps"):
        hand_over(account_id, meter_id, "100", start=NOON, end=JANUARY)
    with pytest.raises(LimitWindowConflict, match="ends"):
        hand_over(account_id, meter_id, "100", end=JANUARY)


def test_a_closed_window_keeps_its_terms(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    hand_over(account_id, meter_id, "100")
    with pytest.raises(LimitWindowClosed):
        hand_over(account_id, meter_id, "50")
    assert Limit.objects.get().quantity == 100


def test_closing_twice_keeps_the_first_time(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=JANUARY)
    limit = Limit.objects.get()
    assert (limit.closed_at, limit.needs_check) == (DECEMBER, False)


def test_closing_touches_its_own_window_alone(account_id, meter_id):
    hand_over(account_id, meter_id, "100", start=OCTOBER, end=NOVEMBER)
    hand_over(account_id, meter_id, "100")
    close_window(account_id=account_id, start=OCTOBER, end=NOVEMBER, at=NOON)
    assert Limit.objects.get(closed_at=None).starts_at == NOVEMBER


# Opening a window while usage comes in. Each has its control: without the lock the count is lost.


def ingest_and_hold(in_transaction: threading.Event, may_commit: threading.Event) -> None:
    with transaction.atomic():
        make_events(1, time=NOON)
        in_transaction.set()
        assert may_commit.wait(20)


def open_and_hold(account_id: int, meter_id: int, is_open: threading.Event, may_commit: threading.Event) -> None:
    with transaction.atomic():
        hand_over(account_id, meter_id, "100")
        is_open.set()
        assert may_commit.wait(20)


def ingest_after(is_warm: threading.Event, is_open: threading.Event) -> None:
    """On a connection that has ingested before: its statements are planned, and must still see the new window."""
    make_events(1, time=OCTOBER, source="earlier")
    is_warm.set()
    assert is_open.wait(20)
    make_events(1, time=NOON)


def lose_the_lock(monkeypatch) -> None:
    monkeypatch.setattr(limits, "hold_limits_for_opening", lambda: None)


@pytest.mark.django_db(transaction=True)
def test_a_window_opened_beside_uncommitted_usage_waits_for_it(account_id, meter_id):
    stored, may_commit = threading.Event(), threading.Event()
    with open_threads(2) as threads:
        ingesting = threads.start(ingest_and_hold, stored, may_commit)
        assert stored.wait(20)
        opening = threads.start(hand_over, account_id, meter_id, "100")
        wait_until_blocked()
        may_commit.set()
        ingesting.result(20)
        opening.result(20)
    assert Limit.objects.get().used == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_a_window_opened_beside_uncommitted_usage_misses_it(account_id, meter_id, monkeypatch):
    lose_the_lock(monkeypatch)
    stored, may_commit = threading.Event(), threading.Event()
    with open_threads(2) as threads:
        ingesting = threads.start(ingest_and_hold, stored, may_commit)
        assert stored.wait(20)
        threads.start(hand_over, account_id, meter_id, "100").result(20)
        may_commit.set()
        ingesting.result(20)
    assert Limit.objects.get().used == 0


@pytest.mark.django_db(transaction=True)
def test_usage_waits_for_a_window_that_is_being_opened_and_counts_in_it(account_id, meter_id):
    is_warm, is_open, may_commit = threading.Event(), threading.Event(), threading.Event()
    with open_threads(2) as threads:
        ingesting = threads.start(ingest_after, is_warm, is_open)
        assert is_warm.wait(20)
        opening = threads.start(open_and_hold, account_id, meter_id, is_open, may_commit)
        wait_until_blocked()
        may_commit.set()
        opening.result(20)
        ingesting.result(20)
    assert Limit.objects.get().used == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_usage_misses_a_window_that_is_being_opened(account_id, meter_id, monkeypatch):
    lose_the_lock(monkeypatch)
    is_warm, is_open, may_commit = threading.Event(), threading.Event(), threading.Event()
    with open_threads(2) as threads:
        ingesting = threads.start(ingest_after, is_warm, is_open)
        assert is_warm.wait(20)
        opening = threads.start(open_and_hold, account_id, meter_id, is_open, may_commit)
        ingesting.result(20)
        may_commit.set()
        opening.result(20)
    assert Limit.objects.get().used == 0


@pytest.mark.django_db(transaction=True)
def test_windows_opened_amid_ingestion_lose_nothing(meter_id):
    account_ids = [make_account(f"account-{number}").id for number in range(6)]

    def ingest(worker: int) -> None:
        for number in range(20):
            make_events(3, subject=f"account-{number % 6}", time=NOON, source=f"worker {worker} batch {number}")

    def open_all() -> None:
        for account_id in account_ids:
            hand_over(account_id, meter_id, "1000")

    with open_threads(5) as threads:
        threads.run_all(*[lambda worker=worker: ingest(worker) for worker in range(3)], open_all, open_all)
    for account_id in account_ids:
        usage = read_usage(account_id=account_id, meter_key="requests", start=NOVEMBER, end=DECEMBER)
        assert Limit.objects.get(account_id=account_id).used == usage.quantity > 0
    assert Limit.objects.count() == 6
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
def test_two_handing_over_at_once_make_one_window(account_id, meter_id):
    with open_threads(4) as threads:
        threads.run_all(*[lambda: hand_over(account_id, meter_id, "100")] * 4)
    limit = Limit.objects.get()
    assert (limit.epoch, limit.used) == (1, 0)


def end(account_id, meter_id, at):
    end_windows(account_id=account_id, meter_ids=[meter_id], at=at)


def test_a_window_that_is_ended_keeps_what_was_used_before_and_the_next_counts_the_rest(account_id, meter_id):
    limit = hand_over(account_id, meter_id, "100")
    make_events(3, time=NOON - timedelta(minutes=1), source="before")
    make_events(2, time=NOON, source="after")
    for _ in range(2):
        end(account_id, meter_id, NOON)
    limit.refresh_from_db()
    assert (limit.ends_at, limit.used, limit.epoch) == (NOON, 3, 1)
    assert hand_over(account_id, meter_id, "200", start=NOON).used == 2
    make_events(1, time=NOON + timedelta(hours=1), source="later")
    assert [(each.used, each.quantity) for each in read_limits(account_id=account_id, at=NOON)] == [(3, 200)]
    assert list(check()) == []


def test_windows_that_begin_later_are_taken_back(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    hand_over(account_id, meter_id, "100", start=DECEMBER, end=JANUARY)
    end(account_id, meter_id, NOON)
    assert list(Limit.objects.values_list("starts_at", "ends_at")) == [(NOVEMBER, NOON)]


def test_alerts_keep_the_window_of_which_they_spoke_when_it_is_ended(account_id, meter_id):
    hand_over(account_id, meter_id, "10")
    make_events(9, time=NOON - timedelta(hours=1))
    check_limits(at=NOON)
    end(account_id, meter_id, NOON)
    assert Alert.objects.get().ends_at == DECEMBER
    assert list(check()) == []


def test_what_is_held_of_an_ended_window_is_given_back_and_can_still_be_settled(account_id, meter_id):
    limit = hand_over(account_id, meter_id, "10", is_hard=True)
    hold = hold_quantity(account_key="acme", meter_key="requests", quantity=Decimal(4), at=NOON - timedelta(minutes=1))
    end(account_id, meter_id, NOON)
    limit.refresh_from_db()
    assert limit.held == 0
    assert find_reservation(hold.reservation.id).state == "expired"
    assert list(check()) == []


def test_a_closed_window_is_not_ended(account_id, meter_id):
    hand_over(account_id, meter_id, "10")
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    with pytest.raises(LimitWindowClosed):
        end(account_id, meter_id, NOON)


def test_of_one_meter_alone_a_window_is_closed(account_id, meter_id):
    other = make_meter("errors").id
    for each in (meter_id, other):
        hand_over(account_id, each, "10")
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER, meter_ids=[other])
    assert list(Limit.objects.filter(closed_at__isnull=True).values_list("meter_id", flat=True)) == [meter_id]


def test_what_windows_count_is_read_by_what_names_them(account_id, meter_id, django_assert_num_queries):
    hand_over(account_id, meter_id, None)
    make_events(3)
    november, december = WindowKey(account_id, meter_id, NOVEMBER), WindowKey(account_id, meter_id, DECEMBER)
    with django_assert_num_queries(1):
        assert read_used_of([november, december]) == {november: WindowUse(Decimal(3), None)}
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    make_events(1, first=4)
    assert read_used_of([november]) == {november: WindowUse(Decimal(4), Decimal(3))}
    assert read_used_of([]) == {}


def test_a_changed_quantity_is_recorded_with_its_reason(account_id, meter_id):
    hand_over(account_id, meter_id, "100")
    hand_over(account_id, meter_id, "300", reason=ChangeReason.TOPUP)
    hand_over(account_id, meter_id, None)
    hand_over(account_id, meter_id, None)
    assert [
        (each.epoch, each.before, each.after, each.reason, each.at, each.is_raised)
        for each in list_changes([account_id], since=NOVEMBER)
    ] == [(2, 100, 300, "topup", NOON, True), (3, 300, None, "override", NOON, True)]


def test_another_plan_or_clock_alone_begins_no_epoch(account_id, meter_id):
    hand_over(account_id, meter_id, "100", plan="small")
    limit = hand_over(account_id, meter_id, "100", plan="large", time_zones={account_id: "Asia/Tokyo"})
    assert (limit.plan, limit.time_zone, limit.epoch) == ("large", "Asia/Tokyo", 1)
    assert list_changes([account_id], since=NOVEMBER) == []


def test_what_became_of_a_limit_never_changes_and_stays(account_id, meter_id):
    limit = hand_over(account_id, meter_id, "100")
    hand_over(account_id, meter_id, "300")
    for spoil in (LimitChange.objects.all().delete, lambda: LimitChange.objects.update(after=1)):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            spoil()
    assert LimitChange.objects.get().limit_id == limit.pk


def test_a_change_ahead_of_a_window_goes_with_the_window(account_id, meter_id):
    hand_over(account_id, meter_id, "100", start=DECEMBER, end=JANUARY)
    hand_over(account_id, meter_id, "300", start=DECEMBER, end=JANUARY)
    end_windows(account_id=account_id, meter_ids=[meter_id], at=DECEMBER)
    assert (Limit.objects.count(), LimitChange.objects.count()) == (0, 0)
