"""Corrections beside ingestion: real threads on PostgreSQL, and for each guard a look at what it guards against."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier
from threading import Event as Signal
from typing import Any

import pytest
from django.db import transaction

from metering import corrections, recounting
from metering.accounts import create_account
from metering.corrections import EventFilter, find_retractable, replace_event, retract_event, retract_events
from metering.events import Fate
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Correction, HourlyRollup, Limit
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter
from tests.metering.threads import PATIENCE, Threads, count_blocked, open_threads, wait_until_blocked

pytestmark = pytest.mark.django_db(transaction=True)

WHY = {"reason": "wrong", "made_by": "ops", "at": NOON}
HOUR = timedelta(hours=1)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with open_threads(8) as each:
        yield each


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


def read_used(limit: Limit) -> int:
    limit.refresh_from_db()
    return int(limit.used)


@pytest.fixture
def send_in_between(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> list["Future[Any]"]:
    """While a correction has emptied an hour and not yet counted it anew, another sends an event of that hour."""
    sent: list[Future[Any]] = []
    delete_cells = recounting.delete_cells

    def delete_and_let_another_send(cells: Any) -> None:
        delete_cells(cells)
        sent.append(threads.start(make_events, 1, first=100, time=NOON - HOUR, at=NOON))
        wait_until_blocked_or_done(sent[0])

    monkeypatch.setattr(recounting, "delete_cells", delete_and_let_another_send)
    return sent


def wait_until_blocked_or_done(sending: "Future[Any]") -> None:
    while not sending.done() and not count_blocked():
        time.sleep(0.01)


def test_what_is_sent_while_an_hour_is_counted_anew_waits(limit: Limit, send_in_between):
    make_events(3)
    replace_event("test", "1", make_event("1b", time=NOON - HOUR), **WHY)
    send_in_between[0].result(PATIENCE)
    assert read_used(limit) == 4
    assert list(check()) == []


def test_without_the_lock_it_would_be_counted_twice(limit: Limit, send_in_between, monkeypatch):
    """The control."""
    make_events(3)
    for module in (corrections, recounting):
        monkeypatch.setattr(module, "hold_limits_for_opening", lambda: None)
    replace_event("test", "1", make_event("1b", time=NOON - HOUR), **WHY)
    send_in_between[0].result(PATIENCE)
    assert read_used(limit) == 5
    assert {violation.rule for violation in check()} == {"rollups equal the raw events"}


def test_corrections_and_shuffled_batches_deadlock_nobody_and_end_exact(threads: Threads, limit: Limit):
    for number in range(4):
        make_account(f"account-{number}")
    make_meter("bytes", value="bytes", event_type="request")
    barrier = Barrier(8)

    def build(source: str, round_number: int) -> list:
        return [
            make_event(f"{round_number}-{n}", subject=f"account-{n % 4}", source=source, bytes=n,
                       time=NOON - (n % 3) * HOUR)
            for n in range(60)
        ]  # fmt: skip

    for round_number in range(4):
        ingest_events(build("old", round_number), at=NOON)

    def send(is_reversed: bool) -> set[Fate]:
        barrier.wait(PATIENCE)
        fates = set()
        for round_number in range(6):
            batch = build("new", round_number)
            fates |= {fate.fate for fate in ingest_events(batch[::-1] if is_reversed else batch, at=NOON)}
        return fates

    def retract(first: int) -> None:
        barrier.wait(PATIENCE)
        for n in range(first, 60, 5):
            retract_event("old", f"0-{n}", **WHY)

    def replace(first: int) -> None:
        barrier.wait(PATIENCE)
        for n in range(first, 60, 7):
            with suppress(corrections.AlreadyCorrected):
                replace_event("old", f"1-{n}", make_event(f"1-{n}-b", time=None, source="new", bytes=1000), **WHY)

    def retract_many() -> None:
        barrier.wait(PATIENCE)
        wanted = EventFilter(start=NOON - 5 * HOUR, end=NOON + HOUR, source="old", subject="account-3")
        while True:
            try:
                return retract_events(
                    wanted, expected_count=find_retractable(wanted, at=NOON).event_count, **WHY
                ).event_count
            except corrections.CountChanged:
                continue

    threads.run_all(
        lambda: send(False), lambda: send(True), lambda: send(False), lambda: retract(0), lambda: retract(1),
        lambda: replace(0), lambda: replace(1), retract_many,
    )  # fmt: skip
    assert Correction.objects.count() > 60
    assert list(check()) == []


def test_one_event_retracted_by_eight_at_once_is_retracted_once(threads: Threads, limit: Limit):
    make_events(2)
    barrier = Barrier(8)

    def retract() -> int:
        barrier.wait(PATIENCE)
        return retract_event("test", "1", **WHY).event_count

    assert sorted(threads.run_all(*[retract] * 8)) == [0] * 7 + [1]
    assert read_used(limit) == 1
    assert list(check()) == []


def test_one_replacement_sent_by_eight_at_once_counts_once(threads: Threads, limit: Limit):
    make_events(2)
    barrier = Barrier(8)

    def replace() -> int:
        barrier.wait(PATIENCE)
        return replace_event("test", "1", make_event("1b", time=None), **WHY).event_count

    assert sorted(threads.run_all(*[replace] * 8)) == [0] * 7 + [1]
    assert read_used(limit) == 2
    assert list(check()) == []


def adopt_slowly(ready: Signal, go: Signal) -> None:
    with transaction.atomic():
        create_account(key="newcomer", name="", at=NOON)
        ready.set()
        assert go.wait(PATIENCE)


def test_an_event_that_learns_its_account_meanwhile_is_retracted_all_the_same(threads: Threads):
    make_meter()
    make_events(2, subject="newcomer")
    ready, go = Signal(), Signal()
    adopting = threads.start(adopt_slowly, ready, go)
    assert ready.wait(PATIENCE)
    correcting = threads.start(retract_event, "test", "1", **WHY)
    wait_until_blocked()
    go.set()
    adopting.result(PATIENCE)
    correcting.result(PATIENCE)
    assert HourlyRollup.objects.get().total == 1
    assert list(check()) == []


def test_without_the_lock_on_names_it_would_count_on(threads: Threads, monkeypatch):
    """The control: the one looks for corrections before there is one, the other finds nothing that was counted."""
    make_meter()
    make_events(2, subject="newcomer")
    monkeypatch.setattr(corrections, "hold_names_and_meters", lambda: None)
    monkeypatch.setattr(corrections, "hold_limits_for_opening", lambda: None)
    ready, go = Signal(), Signal()
    adopting = threads.start(adopt_slowly, ready, go)
    assert ready.wait(PATIENCE)
    retract_event("test", "1", **WHY)
    go.set()
    adopting.result(PATIENCE)
    assert "rollups equal the raw events" in {violation.rule for violation in check()}
