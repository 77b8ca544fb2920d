"""The client against the real server, with faults on the way: nothing is lost, and nothing counted twice."""

import random
import time
from pathlib import Path

import pytest

from palier_client import Problem, Stats
from tests.clients.python.conftest import OpenClient
from tests.clients.python.counting import read_ids, require_counted_once
from tests.clients.python.proxy import Fault, Proxy
from tests.clients.python.servers import PATIENCE, WebServer, make_environ

STORM = [
    Fault(status, is_passed_on=is_passed_on, headers=headers)
    for is_passed_on in (True, False)
    for status, headers in [(429, {"Retry-After": "0"}), (429, {}), (500, {}), (502, {}), (503, {}), (None, {})]
]


@pytest.fixture(params=["memory", "spool"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None


def test_events_arrive_with_what_was_said_of_them(server: WebServer, key: str, open_client: OpenClient):
    client = open_client(server.url, key)
    client.track("request", "acme", id="one", bytes=512)
    client.track("request", "nobody", id="two")
    assert client.flush(PATIENCE)
    assert client.stats() == Stats(tracked=2, delivered=2)
    assert sorted(read_ids()) == ["one", "two"]


def test_a_storm_of_faults_neither_loses_nor_doubles(
    proxy: Proxy, key: str, open_client: OpenClient, spool: Path | None
):
    chance = random.Random(3)  # noqa: S311
    proxy.faults.extend(chance.sample(STORM * 3, k=3 * len(STORM)))
    client = open_client(proxy.url, key, spool=spool, batch_size=100)
    for number in range(2_000):
        client.track("request", "acme", id=str(number))
    assert client.flush(PATIENCE)
    assert require_counted_once() == set(map(str, range(2_000)))
    stats = client.stats()
    assert (stats.delivered, stats.waiting, stats.dropped) == (2_000, 0, 0)
    assert stats.attempts_failed >= 2 * len(STORM)  # a cut of a kept connection is tried again at once
    assert proxy.count_rows() > 2_000
    if spool is not None:
        assert list(spool.glob("*.rows")) == []


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_when_it_is_asked_again(proxy: Proxy, key: str, open_client: OpenClient, status: int):
    proxy.faults.append(Fault(status, headers={"Retry-After": "1"}))
    client = open_client(proxy.url, key)
    client.track("request", "acme")
    assert client.flush(PATIENCE)
    first, second = proxy.attempts
    assert second.at - first.at >= 1
    assert second.body == first.body


def test_what_the_server_will_never_count_is_told_and_not_sent_again(proxy: Proxy, key: str, open_client: OpenClient):
    told: list[Problem] = []
    other: list[Problem] = []
    client = open_client(proxy.url, key, on_rejected=told.append, on_error=other.append)
    client.track("request", "acme", id="same", color="red")
    client.track("request", "acme", id="same", color="blue")
    client.track("unheard-of", "acme", id="odd")
    assert client.flush(PATIENCE)
    assert [(each.kind, each.id) for each in told] == [("conflict", "same"), ("rejected", "odd")]
    assert told[1].message.startswith("unknown_type type ")
    assert other == []
    assert client.stats() == Stats(tracked=3, delivered=1, refused=2)
    assert proxy.count_rows() == 3


def test_large_bodies_are_compressed(proxy: Proxy, key: str, open_client: OpenClient):
    client = open_client(proxy.url, key, batch_size=100, flush_interval=60)
    for number in range(100):
        client.track("request", "acme", id=str(number))
    assert client.flush(PATIENCE)
    assert require_counted_once() == set(map(str, range(100)))
    [attempt] = proxy.attempts
    assert attempt.is_compressed
    assert len(attempt.body) < 5_000


def test_a_server_that_knows_no_gzip_gets_it_uncompressed(proxy: Proxy, key: str, open_client: OpenClient):
    client = open_client(proxy.url, key, batch_size=100, flush_interval=60)
    proxy.faults.append(Fault(415))
    for number in range(100):
        client.track("request", "acme", id=str(number))
    assert client.flush(PATIENCE)
    for number in range(100, 200):
        client.track("request", "acme", id=str(number))
    assert client.flush(PATIENCE)
    assert require_counted_once() == set(map(str, range(200)))
    assert [attempt.is_compressed for attempt in proxy.attempts] == [True, False, False]
    assert client.stats().attempts_failed == 0


def test_what_is_too_much_at_once_is_sent_in_parts(proxy: Proxy, key: str, open_client: OpenClient):
    client = open_client(proxy.url, key, batch_size=100, flush_interval=60, compress=False)
    proxy.faults.extend([Fault(413), Fault(413)])
    for number in range(100):
        client.track("request", "acme", id=str(number))
    assert client.flush(PATIENCE)
    assert require_counted_once() == set(map(str, range(100)))
    assert [len(attempt.read_rows()) for attempt in proxy.attempts] == [100, 50, 25, 25, 50]


def test_a_key_that_is_not_good_loses_nothing(server: WebServer, key: str, open_client: OpenClient):
    told: list[Problem] = []
    client = open_client(server.url, "palier_unknown", on_error=told.append)
    client.track("request", "acme")
    assert not client.flush(0.5)
    assert "401" in told[0].message
    assert client.stats().waiting == 1


def outlast(server: WebServer, client_key: str, open_client: OpenClient, spool: Path | None, *, seconds: float) -> None:
    """Track all the time, before, while and after the server is dead for so many seconds."""
    client = open_client(server.url, client_key, spool=spool, batch_size=100, longest_wait=0.5)
    tracked = 0

    def work_until(moment: float) -> None:
        nonlocal tracked
        while time.monotonic() < moment:
            client.track("request", "acme", id=str(tracked))
            tracked += 1
            time.sleep(0.001)

    work_until(time.monotonic() + 0.3)
    server.kill()
    work_until(time.monotonic() + seconds)
    assert client.stats().waiting > 0
    server.start()
    work_until(time.monotonic() + 0.3)
    assert client.flush(PATIENCE)
    assert require_counted_once() == set(map(str, range(tracked)))
    assert client.stats().dropped == 0


def test_a_server_that_is_down_for_a_while(key: str, open_client: OpenClient, spool: Path | None, tmp_path: Path):
    outlast_with_own_server(key, open_client, spool, tmp_path, seconds=1)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_server_that_is_down_for_a_minute(key: str, open_client: OpenClient, spool: Path | None, tmp_path: Path):
    outlast_with_own_server(key, open_client, spool, tmp_path, seconds=60)


def outlast_with_own_server(
    key: str, open_client: OpenClient, spool: Path | None, tmp_path: Path, *, seconds: float
) -> None:
    server = WebServer("config.wsgi", log=tmp_path / "log.txt", environ=make_environ())
    server.start()
    try:
        outlast(server, key, open_client, spool, seconds=seconds)
    finally:
        server.stop()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_long_storm(proxy: Proxy, key: str, open_client: OpenClient, spool: Path | None):
    chance = random.Random(4)  # noqa: S311
    proxy.faults.extend(chance.choices(STORM, k=400))
    client = open_client(proxy.url, key, spool=spool, batch_size=50)
    for number in range(20_000):
        client.track("request", "acme", id=str(number))
    assert client.flush(300)
    assert require_counted_once() == set(map(str, range(20_000)))
