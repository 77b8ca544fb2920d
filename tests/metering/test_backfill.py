"""The past of a meter that is made later, counted by a chain of jobs, whatever dies."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from jobs.models import Job, JobState
from jobs.runner import run_job
from jobs.sweeper import sweep_jobs
from metering import backfill
from metering.backfill import count_span, find_progress
from metering.corrections import retract_event
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import MeterRef, find_meter, list_meters
from metering.models import Adjustment, Backfill, HourlyRollup, Limit, Meter, Pruning
from metering.usage import read_usage
from tests.jobs.conftest import engine, lasting_effects, valkey  # noqa: F401  (fixtures)
from tests.jobs.engine import Engine, kill
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter
from tests.metering.threads import PATIENCE, open_threads

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
YEAR = timedelta(days=365)


@pytest.fixture
def long_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than four events are a long history, and more than five too many for one job."""
    monkeypatch.setattr(backfill, "AT_ONCE", 4)
    monkeypatch.setattr(backfill, "SPAN_EVENTS", 5)


def make_history(days: int = 6, *, per_day: int = 4) -> None:
    make_account(), make_meter()
    events = [
        make_event(f"{day}-{n}", time=NOON - day * DAY - n * HOUR, bytes=n + 1)
        for day in range(days)
        for n in range(per_day)
    ]
    ingest_events(events, at=NOON, max_age=YEAR)


def make_bytes() -> MeterRef:
    return make_meter("bytes", event_type="request", value="bytes")


def run_jobs() -> int:
    """Every job that is due, and those that these promise; returns how many."""
    done = 0
    while job := Job.objects.filter(state=JobState.QUEUED).order_by("pk").first():
        assert run_job(job.pk, clock=lambda: NOON) is JobState.DONE
        done += 1
    return done


def read_bytes() -> int:
    account_id = HourlyRollup.objects.values_list("account_id", flat=True).first()
    return int(read_usage(account_id=account_id, meter_key="bytes", start=NOON - YEAR, end=NOON + DAY).quantity)


@pytest.mark.django_db
def test_a_short_past_is_counted_when_the_meter_is_made():
    make_history()
    meter = make_bytes()
    assert read_bytes() == 6 * 10
    assert not meter.is_backfilling
    assert find_progress(meter.id) is None
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_a_long_past_is_counted_span_by_span_and_says_how_far_it_is():
    make_history()
    meter = make_bytes()
    assert meter.is_backfilling
    assert [each.is_backfilling for each in list_meters()] == [True, False]
    assert not HourlyRollup.objects.filter(meter_id=meter.id).exists()
    assert list(check()) == []

    job = Job.objects.get()
    assert run_job(job.pk, clock=lambda: NOON) is JobState.DONE
    progress = find_progress(meter.id)
    assert (progress.done, progress.total, progress.percent, progress.is_finished) == (4, 24, 16, False)
    assert list(check()) == []

    assert run_jobs() == 5
    progress = find_progress(meter.id)
    assert (progress.done, progress.total, progress.percent, progress.is_finished) == (24, 24, 100, True)
    assert not find_meter("bytes").is_backfilling
    assert read_bytes() == 6 * 10
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_what_is_sent_and_corrected_meanwhile_is_counted_once():
    make_history()
    meter = make_bytes()
    make_events(2, first=100, time=NOON - 2 * DAY, at=NOON, bytes=100)
    make_events(1, first=200, bytes=1000)
    retract_event("test", "2-0", reason="a test", made_by="ops", at=NOON)
    assert list(check()) == []
    run_jobs()
    retract_event("test", "3-0", reason="a test", made_by="ops", at=NOON)
    assert read_bytes() == 6 * 10 - 2 + 200 + 1000
    assert find_progress(meter.id).is_finished
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_a_span_counted_twice_changes_nothing():
    make_history()
    meter = make_bytes()
    start = Backfill.objects.get().starts_at
    for _ in range(2):
        count_span(meter.id, start=start, at=NOON)
    assert find_progress(meter.id).done == 4
    assert Job.objects.count() == 2
    run_jobs()
    assert read_bytes() == 6 * 10
    count_span(meter.id, start=start, at=NOON)
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_empty_years_are_passed_over_and_a_busy_hour_is_one_span():
    make_account(), make_meter()
    make_events(9, time=NOON - 300 * DAY, at=NOON - 300 * DAY, bytes=1)
    make_events(3, first=50, bytes=1)
    make_bytes()
    assert run_jobs() == 3
    assert read_bytes() == 12
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_a_windows_total_follows_its_spans():
    make_history()
    meter, account_id = make_bytes(), HourlyRollup.objects.values_list("account_id", flat=True).first()
    hand_over_limits(
        account_ids=[account_id],
        terms=[LimitTerms(meter_id=meter.id, quantity=None, is_hard=False)],
        start=NOON - 3 * DAY,
        end=NOON + DAY,
        at=NOON,
    )
    run_jobs()
    assert Limit.objects.get().used == 3 * 10 + 1
    assert not Adjustment.objects.exists()
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_months_that_are_pruned_meanwhile_are_left_out():
    make_history()
    meter = make_bytes()
    Pruning.objects.create(month="2026-01-01", event_count=1, kept_after=NOON - 3 * DAY, pruned_at=NOON)
    run_jobs()
    assert find_progress(meter.id).is_finished
    assert read_bytes() == 3 * 10
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_a_meter_that_is_deleted_meanwhile_ends_its_chain():
    make_history()
    make_bytes()
    Meter.objects.get(key="bytes").delete()
    assert run_jobs() == 1
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_ingestion_goes_on_beside_it():
    make_history(12)
    make_bytes()
    with open_threads(3) as threads:
        senders = [
            threads.start(make_events, 50, first=1_000 * n, time=NOON - n * DAY, at=NOON, bytes=1) for n in range(1, 3)
        ]
        threads.start(run_jobs).result(PATIENCE)
        for sender in senders:
            sender.result(PATIENCE)
    assert read_bytes() == 12 * 10 + 100
    assert list(check()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("long_past")
def test_a_job_that_fails_leaves_its_span_to_the_next_attempt(monkeypatch: pytest.MonkeyPatch):
    make_history()
    meter = make_bytes()
    job = Job.objects.get()
    with monkeypatch.context() as broken:
        broken.setattr(backfill, "promise_span", lambda *args, **options: 1 / 0)
        assert run_job(job.pk, clock=lambda: NOON) is JobState.QUEUED
    assert find_progress(meter.id).done == 0
    assert not HourlyRollup.objects.filter(meter_id=meter.id).exists()
    with transaction.atomic():
        Job.objects.update(run_at=NOON)
    run_jobs()
    assert read_bytes() == 6 * 10
    assert list(check()) == []


@pytest.mark.usefixtures("long_past")
def test_a_worker_killed_in_mid_chain_leaves_the_rest_to_the_next(engine: Engine, tmp_path: Path):  # noqa: F811
    make_history(120, per_day=2)
    meter = make_bytes()
    worker = engine.start_worker()
    engine.wait_until(lambda: find_progress(meter.id).done > 20)
    kill(worker)
    assert 0 < find_progress(meter.id).done < 240
    assert list(check()) == []

    Job.objects.filter(state=JobState.RUNNING).update(lease_until=timezone.now())
    engine.start_worker()
    engine.wait_until(lambda: find_progress(meter.id).is_finished, each_time=lambda: sweep_jobs(at=timezone.now()))
    engine.wait_until(lambda: not Job.objects.exclude(state=JobState.DONE).exists())
    assert read_bytes() == 120 * 3
    assert list(check()) == []
