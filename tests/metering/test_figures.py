"""What each key sent by the hour: gathered in the process, added to the table apart from the requests."""

import json
import os
import threading
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection

import pytest
from django.db import Error

from metering import figures
from metering.events import EventFate, Fate, Skip
from metering.figures import HourFigures, add_figures, count_fates, flush_figures, prune_figures, read_figures
from metering.models import IngestionFigure, RejectedEvent
from tests.metering.makers import NOON, make_key
from tests.metering.senders import EVENT, make_ground
from tests.metering.servers import run_gunicorn

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_waits(db):
    figures.begin_anew()
    yield
    figures.begin_anew()


def make_fates(**counts: int) -> list[EventFate]:
    return [EventFate("test", str(n), Fate(name)) for name, count in counts.items() for n in range(count)]


def read(key_id: int) -> list[HourFigures]:
    return read_figures(api_key_ids=[key_id], start=NOON - HOUR, end=NOON + 2 * HOUR)[key_id]


def test_figures_add_up_by_key_and_hour():
    key, other = make_key().id, make_key("other").id
    count_fates(make_fates(accepted=3, duplicate=1, conflict=2, rejected=4), api_key_id=key, at=NOON)
    count_fates(make_fates(unmatched=5, late=6), api_key_id=key, at=NOON + timedelta(minutes=59))
    count_fates(make_fates(accepted=1), api_key_id=key, at=NOON + HOUR)
    count_fates(make_fates(accepted=7), api_key_id=other, at=NOON)
    assert flush_figures() == 3
    count_fates(make_fates(accepted=1), api_key_id=key, at=NOON)
    assert flush_figures() == 1
    first, second = read(key)
    assert first == HourFigures(NOON, accepted=4, duplicate=1, conflict=2, rejected=4, unmatched=5, late=6)
    assert second == HourFigures(NOON + HOUR, accepted=1)
    assert add_figures([first, second], hour=NOON).sent == 23
    assert (first.kept, first.refused) == (15, 6)
    assert read(other) == [HourFigures(NOON, accepted=7)]


def test_values_that_meters_skipped_are_counted_beside_their_events():
    key = make_key().id
    skips = (Skip("bytes", "value_missing", "data.bytes", "…"), Skip("ms", "value_missing", "data.ms", "…"))
    count_fates([EventFate("test", "1", Fate.ACCEPTED, skipped=skips)], api_key_id=key, at=NOON)
    flush_figures()
    assert read(key) == [HourFigures(NOON, accepted=1, skipped=2)]


def test_counting_asks_nothing_of_the_database_and_flushing_one_statement(django_assert_num_queries):
    keys = [make_key(str(n)).id for n in range(3)]
    with django_assert_num_queries(0):
        for key in keys:
            count_fates(make_fates(accepted=1), api_key_id=key, at=NOON)
    with django_assert_num_queries(1):
        flush_figures()
    with django_assert_num_queries(0):
        assert flush_figures() == 0


def test_a_database_that_fails_loses_no_count(monkeypatch):
    key = make_key().id
    count_fates(make_fates(accepted=2), api_key_id=key, at=NOON)

    def fail(*args: object) -> None:
        raise Error("gone")

    with monkeypatch.context() as patch:
        patch.setattr(figures, "run_statement", fail)
        with pytest.raises(Error):
            flush_figures()
    count_fates(make_fates(accepted=1), api_key_id=key, at=NOON)
    flush_figures()
    assert read(key) == [HourFigures(NOON, accepted=3)]


def test_a_key_that_is_gone_does_not_stop_the_others():
    key = make_key().id
    count_fates(make_fates(accepted=1), api_key_id=key, at=NOON)
    count_fates(make_fates(accepted=1), api_key_id=key + 1_000, at=NOON)
    flush_figures()
    assert IngestionFigure.objects.count() == 1


def test_threads_count_together():
    key = make_key().id
    threads = [
        threading.Thread(
            target=lambda: [count_fates(make_fates(accepted=1), api_key_id=key, at=NOON) for _ in range(500)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush_figures()
    assert read(key) == [HourFigures(NOON, accepted=2_000)]


def test_a_forked_child_begins_with_nothing():
    key = make_key().id
    count_fates(make_fates(accepted=1), api_key_id=key, at=NOON)
    child = os.fork()
    if child == 0:
        os._exit(len(figures.tally.counts))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(figures.tally.counts) == 1


@pytest.mark.django_db(transaction=True)
def test_a_thread_adds_them_by_itself(settings):
    settings.EVENT_FIGURES_SECONDS = 0.05
    key = make_key().id
    count_fates(make_fates(accepted=1), api_key_id=key, at=NOON)
    thread = figures.flusher.thread
    assert thread is not None
    assert thread.daemon
    for _ in range(200):
        if read(key):
            break
        threading.Event().wait(0.02)
    figures.flusher.ended.set()
    thread.join(10)
    assert read(key) == [HourFigures(NOON, accepted=1)]


def test_old_figures_are_pruned(settings):
    settings.EVENT_FIGURES_DAYS = 2
    key = make_key().id
    for age in (1, 3):
        count_fates(make_fates(accepted=1), api_key_id=key, at=NOON - timedelta(days=age))
    flush_figures()
    assert prune_figures(at=NOON) == 1
    assert prune_figures(at=NOON) == 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_ends_writes_what_it_has_counted():
    """Forked by a server that has loaded all before: the thread and the ending are each worker's own."""
    secret = make_ground()
    body = json.dumps([EVENT, EVENT | {"id": "2", "subject": "nobody"}, EVENT | {"type": "other"}])
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    with run_gunicorn(workers=2, PALIER_TEST_FIGURES_SECONDS="600", GUNICORN_CMD_ARGS="--preload") as port:
        for _ in range(10):
            with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as sender:
                sender.request("POST", "/api/v1/events", body, headers)
                assert sender.getresponse().status == 200
        assert IngestionFigure.objects.count() == 0
    rows = IngestionFigure.objects.all()
    names = ("accepted", "unmatched", "rejected", "duplicate", "skipped")
    assert [sum(getattr(row, name) for row in rows) for name in names] == [1, 1, 10, 18, 0]
    assert RejectedEvent.objects.get().times == 10
