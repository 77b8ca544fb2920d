"""The database cannot serve: the sender is told so and for how long, nothing is half written, and later all is well."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from metering import ingest
from metering.invariants import check
from metering.models import Event, HourlyRollup
from tests.metering.makers import make_account, make_key, make_meter
from tests.metering.senders import URL
from tests.metering.threads import open_threads

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [{"id": str(n), "source": "shop", "type": "request", "subject": "acme"} for n in range(50)]


@pytest.fixture
def send(client: Client) -> Any:
    make_account(), make_meter()
    secret = make_key(at=timezone.now()).secret

    def post() -> Any:
        return client.post(
            URL, json.dumps(ROWS), content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {secret}"
        )

    return post


def require_outage(response: Any, code: str) -> None:
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json"), response.content
    assert response.json()["code"] == code
    assert int(response["Retry-After"]) > 0


def require_recovery(send: Any) -> None:
    """Nothing was left behind, and the same request is taken as if nothing had happened."""
    assert not Event.objects.exists()
    assert not HourlyRollup.objects.exists()
    assert send().json()["counts"]["accepted"] == 50
    assert HourlyRollup.objects.get().total == 50
    assert list(check()) == []


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("moment", ["run_statement", "copy_rows", "count_tallies"])
def test_a_connection_lost_in_mid_request_is_a_503_and_leaves_nothing(send, monkeypatch, moment):
    do = getattr(ingest, moment)
    lost: list[int] = []

    def do_and_lose(*args: Any, **options: Any) -> Any:
        result = do(*args, **options)
        if not lost:
            lost.append(1)
            run("SELECT pg_terminate_backend(pg_backend_pid())")
        return result

    monkeypatch.setattr(ingest, moment, do_and_lose)
    require_outage(send(), "database_unavailable")
    require_recovery(send)


@contextmanager
def open_wrapper(**options: Any) -> Iterator[None]:
    """Let Django's connections have other options for a while, in a pool that is new at both ends of it."""
    wrapper: Any = connection
    before = wrapper.settings_dict["OPTIONS"]
    wrapper.close(), wrapper.close_pool()
    wrapper.settings_dict["OPTIONS"] = before | options
    try:
        yield
    finally:
        wrapper.close(), wrapper.close_pool()
        wrapper.settings_dict["OPTIONS"] = before


@contextmanager
def hold_lock(table: str) -> Iterator[None]:
    """Another transaction keeps the table to itself."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            is_held.set()
            may_end.wait(20)
            cursor.execute("ROLLBACK")

    with open_threads(1) as threads:
        held = threads.start(hold)
        assert is_held.wait(20)
        try:
            yield
        finally:
            may_end.set()
            held.result(20)


@pytest.mark.parametrize("table", ["metering_apikey", "metering_alias", "metering_event"])
def test_a_statement_that_takes_too_long_is_a_503(send, table):
    with open_wrapper(options="-c statement_timeout=300"):
        with hold_lock(table):
            require_outage(send(), "statement_timeout")
        require_recovery(send)


def test_a_lock_that_does_not_come_is_a_503(send):
    with open_wrapper(options="-c lock_timeout=300"):
        with hold_lock("metering_event"):
            require_outage(send(), "database_busy")
        require_recovery(send)


def test_a_pool_that_is_exhausted_is_a_503(send):
    with open_wrapper(pool={"min_size": 0, "max_size": 1, "timeout": 0.3}):
        is_taken, may_end = threading.Event(), threading.Event()

        def take() -> None:
            connection.ensure_connection()
            is_taken.set()
            may_end.wait(20)

        with open_threads(1) as threads:
            taken = threads.start(take)
            assert is_taken.wait(20)
            require_outage(send(), "database_busy")
            may_end.set()
            taken.result(20)
        require_recovery(send)


@contextmanager
def fail_inserts(table: str, state: str) -> Iterator[None]:
    """PostgreSQL itself answers with this SQLSTATE."""
    run(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'out of it' USING ERRCODE = '{state}'; END $$;
        CREATE TRIGGER fails BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fail();
    """)
    try:
        yield
    finally:
        run(f"DROP TRIGGER fails ON {table}; DROP FUNCTION fail()")


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("53100", "disk_full"),
        ("53200", "database_overloaded"),  # out of memory
        ("53300", "database_overloaded"),  # too many connections
        ("57P01", "database_unavailable"),  # an administrator shuts it down
        ("57P03", "database_unavailable"),  # it is starting up
        ("58030", "database_overloaded"),  # an error of the disk
        ("25006", "database_read_only"),
    ],
)
@pytest.mark.parametrize("table", ["metering_event", "metering_hourlyrollup"])
def test_a_database_out_of_something_is_a_503(send, table, state, code):
    with fail_inserts(table, state):
        require_outage(send(), code)
    require_recovery(send)


@contextmanager
def fill_disk() -> Iterator[None]:
    """The rollups lie on a disk of a few megabytes that is full; where nobody may mount one, the error is raised."""
    disk = Path(settings.TEST_DIR) / "tiny-disk"
    disk.mkdir()
    tmpfs = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(tmpfs, capture_output=True, check=False).returncode:
        disk.rmdir()
        with fail_inserts("metering_hourlyrollup", "53100"):
            yield
        return
    try:
        shutil.chown(disk, (Path(settings.TEST_DIR) / "postgres").owner())
        run(f"CREATE TABLESPACE tiny LOCATION '{disk}'")
        run("TRUNCATE metering_hourlyrollup")  # the pages of rows that earlier tests deleted would be room
        run("ALTER TABLE metering_hourlyrollup SET TABLESPACE tiny")
        run("CREATE TABLE filler (text text) TABLESPACE tiny")
        for rows in (10_000, 10, 1):
            with pytest.raises(OperationalError, match="No space left"):
                fill_table(rows)
        yield
        run("DROP TABLE filler")
    finally:
        run("DROP TABLE IF EXISTS filler; ALTER TABLE metering_hourlyrollup SET TABLESPACE pg_default")
        run("DROP TABLESPACE IF EXISTS tiny")
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        disk.rmdir()


def fill_table(rows: int) -> None:
    """So many rows a time, until there is no room for them."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, %s)", [rows])


def test_a_disk_that_is_full_is_a_503_until_there_is_room(send):
    with fill_disk():
        for _ in range(3):
            require_outage(send(), "disk_full")
    require_recovery(send)


def test_what_the_database_can_never_take_is_not_called_an_outage(send, client):
    """Waiting does not mend it, and those who were committed together with it must not wait."""
    client.raise_request_exception = False
    with fail_inserts("metering_hourlyrollup", "54000"):
        assert send().status_code == 500
    require_recovery(send)


def test_a_fault_of_ours_is_not_called_an_outage(send, client):
    run("ALTER TABLE metering_event RENAME COLUMN subject TO object")
    client.raise_request_exception = False
    try:
        assert send().status_code == 500
    finally:
        run("ALTER TABLE metering_event RENAME COLUMN object TO subject")
    require_recovery(send)
