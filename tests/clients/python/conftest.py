from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from palier_client import Client
from tests.clients.python.proxy import Proxy, run_proxy
from tests.clients.python.servers import WebServer, make_environ, run_server
from tests.metering.makers import make_account, make_key, make_meter

OpenClient = Callable[..., Client]


@pytest.fixture(scope="session")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """The real one, for the whole session."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with run_server(WebServer("config.wsgi", "--workers", "2", log=log, environ=make_environ())) as running:
        yield running


@pytest.fixture
def proxy(server: WebServer) -> Iterator[Proxy]:
    with run_proxy(server.port) as running:
        yield running


@pytest.fixture
def key(transactional_db: None) -> str:
    """A key to send with, and an account and a meter that count what is sent."""
    make_account(), make_meter()
    return make_key(at=timezone.now()).secret


@pytest.fixture
def open_client() -> Iterator[OpenClient]:
    """Clients that hurry, and are closed at the end."""
    opened: list[Client] = []

    def open_one(url: str, key: str = "key", **options: Any) -> Client:
        hurry = {"source": "test", "flush_interval": 0.02, "longest_wait": 0.05}
        opened.append(Client(url, key, **(hurry | options)))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close(0.1)
