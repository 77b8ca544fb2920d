"""What was acknowledged is kept, once, whoever is killed: web workers, their master, PostgreSQL. Real processes."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from metering.events import UsageEvent
from metering.ingest import ingest_events
from metering.invariants import check
from metering.models import Claim, Event, HourlyRollup
from tests.metering.makers import NOON, make_event
from tests.metering.mortals import (
    Load,
    MortalDatabase,
    Sender,
    Tally,
    close_all,
    make_ground,
    require_kept,
    run_database,
    run_mortal,
)
from tests.metering.servers import run_gunicorn
from tests.metering.threads import run_and_close

pytestmark = pytest.mark.django_db(transaction=True)


def kill_workers(
    folder: Path, *, senders: int, rows: int, batches: int, threads: int, deaths: int, masters: int
) -> None:
    """Each death is between the COMMIT and the answer of a request, whose rows then come once more."""
    secret = make_ground()
    with run_mortal(folder, threads=threads, every=4) as server:
        server.order(*(f"worker-{n}" for n in range(deaths)), *(f"master-{n}" for n in range(masters)))
        load = Load(server.port, secret, senders=senders, rows=rows, batches=batches)
        load.start()
        tally = load.join()
        assert server.count_deaths() == deaths + masters
        assert (server.masters > 1) == (masters > 0)
        require_kept(tally.acknowledged)
        assert len(tally.acknowledged) == senders * rows * batches
        assert set(tally.fates) == {"accepted", "duplicate"}
        assert tally.fates["duplicate"] >= rows
        server.order("worker-again")
        send_under_new_names(server.port, secret, rows)


def send_under_new_names(port: int, secret: str, rows: int) -> None:
    """The control: one who does not send the same ids again has events counted that were never acknowledged."""
    before, numbers, tally = Event.objects.count(), count(), Tally()
    sender = Sender(port, secret, tally)
    while not tally.failures:
        sender.send(lambda: [f"new-{next(numbers)}" for _ in range(rows)])
    sender.connection.close()
    assert Event.objects.count() - before == len(tally.acknowledged) + rows


def test_workers_and_their_master_killed_between_commit_and_answer_lose_and_double_nothing(tmp_path):
    kill_workers(tmp_path, senders=8, rows=50, batches=6, threads=4, deaths=3, masters=1)


def test_workers_killed_while_single_events_are_committed_together_lose_and_double_nothing(tmp_path):
    kill_workers(tmp_path, senders=16, rows=1, batches=12, threads=8, deaths=4, masters=0)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rows", [1, 20, 500])
def test_workers_and_masters_killed_again_and_again_lose_and_double_nothing(tmp_path, rows):
    kill_workers(tmp_path, senders=16, rows=rows, batches=100, threads=8, deaths=60, masters=10)


@pytest.fixture
def database(transactional_db: None) -> Iterator[MortalDatabase]:
    """Beside the suite's own, where any user may pass: PostgreSQL may not be root."""
    with run_database(Path(tempfile.mkdtemp(prefix="mortal-", dir=settings.TEST_DIR))) as server:
        yield server


def kill_database(database: MortalDatabase, *, rounds: int, rows: int) -> None:
    secret = make_ground()
    with run_gunicorn(workers=2, threads=4) as port:
        load = Load(port, secret, senders=8, rows=rows)
        load.start()
        for _ in range(rounds):
            load.wait_for(8 * rows)
            database.kill_backend()
            load.wait_for(8 * rows)
            database.kill_postmaster()
            database.start()
            load.wait_for(8 * rows)
            database.kill_all()
            database.start()
        load.wait_for(8 * rows)
        tally = load.end()
    close_all()  # what this process had open went with the server
    assert sum(tally.failures.values()) >= 3 * rounds, tally.failures
    require_kept(tally.acknowledged)


def lose_what_was_not_flushed(database: MortalDatabase) -> None:
    """The control: where a COMMIT does not wait for the disk, what was acknowledged is gone with the server."""
    database.restart("synchronous_commit=off", "wal_writer_delay=10s")
    close_all()
    before = Event.objects.count()
    for number in range(20):
        ingest_events([make_event(f"late-{number}", subject="acme", size=1, user="one")], at=NOON)
    assert Event.objects.count() == before + 20
    database.kill_all()
    database.start()
    close_all()
    assert before <= Event.objects.count() < before + 20
    assert list(check()) == []  # each transaction is there, or is not: none is there by half


def test_postgresql_killed_in_mid_batch_under_eight_writers_loses_and_doubles_nothing(database):
    kill_database(database, rounds=1, rows=100)
    lose_what_was_not_flushed(database)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rows", [1, 100, 1000])
def test_postgresql_killed_again_and_again_loses_and_doubles_nothing(database, rows):
    kill_database(database, rounds=10, rows=rows)


def test_one_batch_sent_fifty_times_by_eight_at_once_counts_once():
    make_ground()
    batch = [make_event(str(n), subject="acme", size=n, user=f"user-{n % 7}") for n in range(100)]

    def send(number: int) -> list[tuple[str, str]]:
        mixed = random.Random(number).sample(batch, len(batch))  # noqa: S311 (an order of its own for each)
        return [(fate.id, str(fate.fate)) for fate in ingest_events(mixed, at=NOON)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: run_and_close(send, number), range(50)))

    told = Counter(pair for answer in answers for pair in answer)
    assert told == Counter({(event.id, fate): n for event in batch for fate, n in (("accepted", 1), ("duplicate", 49))})
    require_kept([event.id for event in batch])


def test_without_the_claim_a_batch_sent_twice_counts_twice(monkeypatch):
    """The control: the same path, for which every id is new."""
    make_ground()
    batch: list[UsageEvent] = [make_event("1", subject="acme", size=1, user="one")]
    for _ in range(2):
        ingest_events(batch, at=NOON)
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica; DELETE FROM metering_claim; RESET ALL")
    assert not Claim.objects.exists()
    assert Event.objects.count() == 2
    assert HourlyRollup.objects.get(meter__key="count").total == 2
    assert "a source and an id are stored once" in {violation.rule for violation in check()}
