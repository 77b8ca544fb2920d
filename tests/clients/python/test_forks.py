"""A client made before a fork works on both sides, and what waited before it is sent by one of them."""

from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.clients.python.counting import require_counted_once
from tests.clients.python.servers import WebServer, make_environ, run_host, run_server


@pytest.mark.parametrize("spool", ["", "spool"])
def test_both_sides_of_a_fork_send_their_own(server: WebServer, key: str, tmp_path: Path, spool: str):
    delivered = run_host("fork", server.url, key, spool and str(tmp_path / spool))
    stored = require_counted_once()
    assert len(stored) == 5
    assert {"before", "in the parent", "in the child"} < stored
    assert delivered == "3\n"  # the parent's
    if spool:
        assert list((tmp_path / spool).iterdir()) == []


def test_workers_of_a_preloaded_application_count_each_request(server: WebServer, key: str, tmp_path: Path):
    environ = make_environ() | {"METERED_URL": server.url, "METERED_KEY": key}
    host = WebServer(
        "tests.clients.python.metered", "--preload", "--workers", "2", log=tmp_path / "log.txt", environ=environ
    )
    with run_server(host):
        for _ in range(20):
            connection = HTTPConnection("127.0.0.1", host.port, timeout=20)
            connection.request("GET", "/?acme")
            assert connection.getresponse().read() == b"hello"
            connection.close()
    stored = require_counted_once()
    assert "loaded" in stored
    assert len(stored) == 1 + 20
