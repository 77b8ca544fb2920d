"""What a host program sees of the client, with no server at hand."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from palier_client import Client, Problem, Stats
from palier_client.client import FIRST_WAIT, find_wait
from tests.clients.python.conftest import OpenClient
from tests.clients.python.servers import find_free_port, wait_until

NOBODY = "http://127.0.0.1:9"  # the port where everything is thrown away, and nobody listens


class Rude:
    def __len__(self) -> int:
        raise RuntimeError("rude")

    __str__ = __repr__ = __iter__ = __len__


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": ""},
        {"batch_size": 0},
        {"batch_size": 1_001},
        {"max_queue": 0},
        {"flush_interval": 0},
        {"timeout": -1},
        {"longest_wait": 0},
        {"spool_max_bytes": 0},
    ],
)
def test_a_client_that_cannot_work_is_not_made(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Client(NOBODY, "key", **({"source": "test"} | wrong))


def test_a_spool_that_cannot_be_made_is_said_at_once(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Client(NOBODY, "key", source="test", spool=tmp_path / "file" / "spool")


@pytest.mark.parametrize(
    "call",
    [
        {"type": "", "subject": "acme"},
        {"type": None, "subject": "acme"},
        {"type": "request", "subject": 5},
        {"type": "request", "subject": "acme", "id": 7},
        {"type": "request", "subject": "acme", "time": "noon"},
        {"type": "request", "subject": "acme", "value": object()},
        {"type": "request", "subject": "acme", "value": Rude()},
        {"type": Rude(), "subject": "acme"},
    ],
)
def test_track_raises_nothing_whatever_it_is_given(open_client: OpenClient, call: dict[str, Any]):
    told: list[Problem] = []
    client = open_client(NOBODY, on_error=told.append)
    client.track(call.pop("type"), call.pop("subject"), **call)
    assert [each.kind for each in told] == ["invalid"]
    assert client.stats() == Stats(tracked=1, invalid=1)


def test_data_may_bear_any_name_but_id_and_time(open_client: OpenClient):
    client = open_client(NOBODY)
    client.track("request", "acme", type="a", subject="b", self="c", source="d", data="e")
    assert client.stats().invalid == 0


def test_memory_is_bounded_and_the_newest_is_dropped(open_client: OpenClient):
    told: list[Problem] = []
    client = open_client(NOBODY, max_queue=10, flush_interval=60, on_error=told.append)
    for number in range(12):
        client.track("request", "acme", id=str(number))
    assert [(each.kind, each.id) for each in told] == [("dropped", "10"), ("dropped", "11")]
    assert client.stats() == Stats(tracked=12, dropped=2, waiting=10)


def test_the_spool_is_bounded(open_client: OpenClient, tmp_path: Path):
    client = open_client(NOBODY, spool=tmp_path, spool_max_bytes=1_000, flush_interval=60)
    for _ in range(100):
        client.track("request", "acme")
    stats = client.stats()
    assert stats.dropped + stats.waiting == 100
    assert 0 < stats.waiting < 10
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1_000


def test_a_disk_that_refuses_drops_and_says_so(
    open_client: OpenClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told: list[Problem] = []
    client = open_client(NOBODY, spool=tmp_path, flush_interval=60, on_error=told.append)

    def refuse(row: bytes) -> bool:
        raise OSError("no space")

    monkeypatch.setattr(client.backlog, "put", refuse)
    client.track("request", "acme", id="1")
    assert told == [Problem("dropped", "OSError: no space", 1, "1")]
    assert client.stats() == Stats(tracked=1, dropped=1)


def test_nobody_waits_for_a_server_that_does_not_answer(open_client: OpenClient):
    told: list[Problem] = []
    client = open_client(f"http://127.0.0.1:{find_free_port()}", on_error=told.append)
    client.track("request", "acme")
    wait_until(lambda: client.stats().attempts_failed >= 3)
    assert {each.kind for each in told} == {"delayed"}
    began = time.monotonic()
    assert not client.flush(0.1)
    client.close(0.1)
    assert time.monotonic() - began < 5
    assert client.stats().dropped == 1
    assert told[-1] == Problem("dropped", "not sent before the end", 1)


def test_a_closed_client_drops_and_may_be_closed_again(open_client: OpenClient):
    told: list[Problem] = []
    with open_client(NOBODY, on_error=told.append) as client:
        pass
    client.track("request", "acme")
    client.close()
    assert client.flush(0)
    assert [(each.kind, each.message) for each in told] == [("dropped", "the client is closed")]


def test_what_waits_in_the_spool_is_the_next_ones(open_client: OpenClient, tmp_path: Path):
    first = open_client(NOBODY, spool=tmp_path)
    first.track("request", "acme")
    first.close(0.1)
    assert first.stats().dropped == 0
    assert open_client(NOBODY, spool=tmp_path).stats() == Stats(adopted=1, waiting=1)


def test_ids_of_its_own_making_never_repeat(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch):
    rows: list[bytes] = []
    clients = [open_client(NOBODY), open_client(NOBODY)]

    def put(row: bytes) -> str:
        rows.append(row.partition(b'"id":')[2][:50])
        return ""

    def work(client: Client) -> None:
        for _ in range(500):
            client.track("request", "acme")

    for client in clients:
        monkeypatch.setattr(client, "put", put)
    threads = [threading.Thread(target=work, args=(client,)) for client in clients * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(rows)) == len(rows) == 2_000


def test_a_fault_of_its_own_ends_nothing(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch):
    told: list[Problem] = []
    client = open_client(NOBODY, on_error=told.append)
    monkeypatch.setattr(client.sender, "send", lambda rows: 1 / 0)
    client.track("request", "acme")
    wait_until(lambda: len(told) >= 2)
    assert {each.kind for each in told} == {"internal"}
    assert client.stats().waiting == 1


@pytest.mark.parametrize(("failures", "least", "most"), [(1, 0.25, 0.5), (2, 0.5, 1), (4, 2, 4), (500, 15, 30)])
def test_waits_double_up_to_the_longest(failures: int, least: float, most: float):
    assert all(least <= find_wait(failures, None, longest=30) <= most for _ in range(50))


def test_the_wait_that_the_server_asks_for_is_the_least():
    assert all(7 <= find_wait(1, 7.0, longest=1) <= 7 + FIRST_WAIT for _ in range(50))
