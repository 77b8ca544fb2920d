"""A program that dies: what it tracked with the spool on arrives, and is counted once."""

from pathlib import Path
from subprocess import Popen
from typing import Literal

import pytest

from tests.clients.python.conftest import OpenClient
from tests.clients.python.counting import read_ids, require_counted_once
from tests.clients.python.proxy import Fault, Proxy
from tests.clients.python.servers import WebServer, run_host, start_host, wait_until

LIVES = 3
LINES = 600  # tracked in each life before it ends

Way = Literal["the server answers", "no answer arrives", "nothing is passed on"]
WAYS: dict[Way, Fault | None] = {
    "the server answers": None,
    "no answer arrives": Fault(None, is_passed_on=True),
    "nothing is passed on": Fault(503),
}


def read_until_killed(host: "Popen[str]", proxy: Proxy) -> set[str]:
    """What it said to have tracked until it was killed in the middle of its work."""
    attempts = len(proxy.attempts)
    assert host.stdout is not None
    said = [host.stdout.readline().strip() for _ in range(LINES)]
    wait_until(lambda: len(proxy.attempts) > attempts)
    host.kill()
    rest, _ = host.communicate()
    return {*said, *(line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n"))}


@pytest.mark.parametrize("way", WAYS)
def test_kills_of_the_program_neither_lose_nor_double(proxy: Proxy, key: str, tmp_path: Path, way: Way):
    spool = str(tmp_path / "spool")
    proxy.always = WAYS[way]
    said: set[str] = set()
    for life in range(LIVES):
        with start_host("work", proxy.url, key, spool, f"life{life}") as host:
            said |= read_until_killed(host, proxy)
    proxy.always = None
    assert run_host("recover", proxy.url, key, spool) == "True 0\n"
    stored = require_counted_once()
    assert len(said) >= LIVES * LINES
    assert said - stored == set()
    assert len(stored - said) <= LIVES  # tracked, and killed before it could say so
    assert list((tmp_path / "spool").iterdir()) == []


def test_without_the_spool_a_kill_does_lose(proxy: Proxy, key: str):
    """The control: the test above would see a loss."""
    proxy.always = Fault(503)
    with start_host("work", proxy.url, key, "", "life") as host:
        said = read_until_killed(host, proxy)
    assert len(said) >= LINES
    assert read_ids() == []


@pytest.mark.parametrize("spool", ["", "spool"])
def test_the_end_of_a_program_sends_what_waits(server: WebServer, key: str, tmp_path: Path, spool: str):
    run_host("leave", server.url, key, spool and str(tmp_path / spool))
    assert require_counted_once() == {"left-0", "left-1", "left-2"}


def test_what_the_end_could_not_send_waits_in_the_spool(
    proxy: Proxy, key: str, tmp_path: Path, open_client: OpenClient
):
    proxy.always = Fault(503, headers={"Retry-After": "60"})
    run_host("leave", proxy.url, key, str(tmp_path / "spool"))
    assert read_ids() == []
    proxy.always = None
    client = open_client(proxy.url, key, source="host", spool=tmp_path / "spool")
    assert client.flush(20)
    assert client.stats().adopted == 3
    assert require_counted_once() == {"left-0", "left-1", "left-2"}
