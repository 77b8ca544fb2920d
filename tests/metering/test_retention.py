"""Raw events of old months are dropped; what they came to, and the ids they took, stay."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from threading import Event as Signal

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from metering import retention
from metering.backfill import find_progress
from metering.corrections import HistoryPruned, retract_event
from metering.events import Fate
from metering.history import is_readable
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.models import Adjustment, Claim, Event, HourlyRollup, Limit, Pruning
from metering.recounting import recount_hours
from metering.retention import (
    EventsBusy,
    RetentionTooShort,
    list_partitions,
    list_prunable,
    open_months,
    prune_events,
)
from metering.tasks import open_months as open_months_task
from metering.tasks import prune_events as prune_events_task
from metering.usage import read_usage
from tests.metering.makers import make_account, make_event, make_events, make_meter
from tests.metering.threads import PATIENCE, open_threads

AUGUST, SEPTEMBER, OCTOBER = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (8, 9, 10))
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
START, END = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)


def make_history() -> None:
    """Four events in August, of which one waits, two in September, one in October."""
    account, meter = make_account(at=AUGUST), make_meter(at=AUGUST)
    hand_over_limits(
        account_ids=[account.id],
        terms=[LimitTerms(meter_id=meter.id, quantity=Decimal(3), is_hard=False)],
        start=START,
        end=END,
        at=AUGUST,
    )
    make_events(3, time=AUGUST)
    make_events(1, first=4, time=AUGUST, subject="nobody")
    close_window(account_id=account.id, start=START, end=END, at=SEPTEMBER)
    make_events(2, first=5, time=SEPTEMBER)
    make_events(1, first=7, time=OCTOBER)


@pytest.mark.django_db
def test_months_that_are_over_for_long_enough_can_be_dropped():
    make_history()
    [august] = list_prunable(months=2, at=NOW)
    assert (august.month, august.event_count, august.unmatched_count) == (date(2026, 8, 1), 4, 1)
    assert august.kept_after == AUGUST
    assert list_prunable(months=3, at=NOW) == []
    assert [each.month.month for each in list_prunable(months=2, at=NOW + timedelta(days=40))] == [8, 9, 10]
    with pytest.raises(RetentionTooShort):
        list_prunable(months=1, at=NOW)


@pytest.mark.django_db
def test_what_was_counted_stays_when_its_events_go():
    make_history()
    assert [month.event_count for month in prune_events(months=2, at=NOW)] == [4]
    assert Event.objects.count() == 3
    row = Pruning.objects.get()
    assert (row.month, row.event_count, row.unmatched_count, row.kept_after) == (date(2026, 8, 1), 4, 1, AUGUST)
    account_id = HourlyRollup.objects.values_list("account_id", flat=True).first()
    assert read_usage(account_id=account_id, meter_key="requests", start=START, end=NOW).quantity == 6
    assert Limit.objects.get().used == 3
    assert date(2026, 8, 1) not in {month for _, month in list_partitions()}
    assert list(check()) == []
    assert prune_events(months=2, at=NOW) == []
    assert Pruning.objects.count() == 1


@pytest.mark.django_db
def test_the_ids_of_dropped_events_stay_taken():
    make_history()
    prune_events(months=2, at=NOW)
    again = ingest_events(
        [make_event("1", time=AUGUST), make_event("2", time=AUGUST, bytes=7)], at=NOW, max_age=timedelta(days=400)
    )
    assert [fate.fate for fate in again] == [Fate.DUPLICATE, Fate.CONFLICT]
    assert Claim.objects.count() == 7
    assert Limit.objects.get().used == 3
    assert list(check()) == []


@pytest.mark.django_db
def test_their_hours_are_counted_no_more():
    make_history()
    prune_events(months=2, at=NOW)
    with pytest.raises(HistoryPruned):
        retract_event("test", "1", reason="x", made_by="ops", at=NOW)
    meters, day = HourlyRollup.objects.values_list("meter_id", flat=True), timedelta(days=1)
    with pytest.raises(HistoryPruned):
        recount_hours(
            meter_ids=set(meters), account_ids=None, start=AUGUST - day, end=AUGUST, cause="correction", at=NOW
        )
    assert retract_event("test", "5", reason="x", made_by="ops", at=NOW).event_count == 1
    assert list(check()) == []


@pytest.mark.django_db
def test_a_meter_made_afterwards_counts_what_is_left():
    make_history()
    prune_events(months=2, at=NOW)
    meter = make_meter("calls", event_type="request", at=NOW)
    assert HourlyRollup.objects.filter(meter_id=meter.id).count() == 2
    assert find_progress(meter.id) is None
    assert list(check()) == []


@pytest.mark.django_db
def test_late_usage_of_a_dropped_month_still_counts_and_adjusts():
    make_history()
    prune_events(months=2, at=NOW)
    ingest_events([make_event("late", time=AUGUST)], at=NOW, max_age=timedelta(days=400))
    assert Limit.objects.get().used == 4
    assert Adjustment.objects.get().quantity == 1
    assert list(check()) == []


@pytest.mark.django_db
def test_a_window_that_begins_within_an_hour_cannot_be_read_exactly_any_more():
    make_history()
    half = timedelta(minutes=30)
    assert is_readable(START + half, END + half)
    prune_events(months=2, at=NOW)
    assert not is_readable(START + half, END + half)
    assert is_readable(START, END)
    assert is_readable(SEPTEMBER + half, NOW)


@pytest.mark.django_db
def test_the_total_of_such_a_window_stays_as_it_was():
    account, meter = make_account(at=AUGUST), make_meter(at=AUGUST)
    terms = [LimitTerms(meter_id=meter.id, quantity=None, is_hard=False)]
    start = AUGUST - timedelta(minutes=30)
    hand_over_limits(account_ids=[account.id], terms=terms, start=start, end=END, at=AUGUST)
    make_events(3, time=AUGUST - timedelta(minutes=5), at=AUGUST)
    prune_events(months=2, at=NOW)
    assert Limit.objects.get().used == 3
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
def test_a_reader_holds_it_up_and_it_gives_in_without_harm(monkeypatch):
    make_history()
    monkeypatch.setattr(retention, "PATIENCE", "50ms")
    monkeypatch.setattr(retention, "ATTEMPTS", 2)
    ready, go = Signal(), Signal()

    def count_for_long() -> None:
        with transaction.atomic():
            assert Event.objects.count() == 7
            ready.set()
            assert go.wait(PATIENCE)

    with open_threads(1) as threads:
        reading = threads.start(count_for_long)
        assert ready.wait(PATIENCE)
        with pytest.raises(EventsBusy, match="2026-08"):
            prune_events(months=2, at=NOW)
        assert not Pruning.objects.exists()
        go.set()
        reading.result(PATIENCE)
    assert len(prune_events(months=2, at=NOW)) == 1
    assert list(check()) == []


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_the_command_shows_asks_and_drops(monkeypatch):
    make_history()

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("prune_events", *arguments, stdout=out)
        return out.getvalue()

    assert "4 events, 1 of them unmatched" in run("--months", "2", "--dry-run")
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert "Nothing was dropped." in run("--months", "2")
    assert Event.objects.count() == 7
    assert "Dropped 4 events." in run("--months", "2", "--no-input")
    assert "No month is old enough." in run("--months", "2")
    with pytest.raises(CommandError, match="2 months"):
        run("--months", "1")


@pytest.mark.django_db
@time_machine.travel(datetime(2026, 12, 31, 23, tzinfo=UTC), tick=False)
def test_next_months_place_is_made_ahead():
    open_months_task()
    open_months(at=NOW)
    names = {name for name, _ in list_partitions()}
    assert {"metering_event_2026_11", "metering_event_2026_12", "metering_event_2027_01"} <= names
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_event_2027_01")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
@time_machine.travel(NOW, tick=False)
def test_the_schedule_drops_nothing_unless_it_is_told_to(settings):
    make_history()
    prune_events_task()
    assert Event.objects.count() == 7
    settings.EVENT_RETENTION_MONTHS = 2
    prune_events_task()
    assert Event.objects.count() == 3
