"""manage.py without a stack: servers come with the first command and go with the last one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from config.lending import needs_servers
from config.processes import find_servers, stop_leftovers
from config.stack import BASE_DIR
from tests.config.test_stack import make_environ


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which no command has run."""
    place = tmp_path_factory.mktemp("lending") / "a var"
    yield place
    stop_leftovers(place)
    embedded.remove_socket_dir(place)


@pytest.fixture(scope="module")
def first(place: Path) -> "subprocess.CompletedProcess[str]":
    """The first command of all that runs there."""
    command = [sys.executable, "manage.py", "seed"]
    return subprocess.run(command, cwd=BASE_DIR, env=make_environ(place), capture_output=True, text=True, check=False)


@pytest.fixture
def folder(place: Path, first: "subprocess.CompletedProcess[str]") -> Path:
    """Where the tables are made: that takes longest, and is done once."""
    return place


def start_shell(folder: Path, code: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    return subprocess.Popen(
        command, cwd=BASE_DIR, env=make_environ(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_commands_at_the_same_time_share_the_servers_and_the_last_one_stops_them(folder: Path):
    code = (
        "import time\nfrom django.db import connection\nfrom django.core.cache import cache\n"
        "connection.cursor().execute('SELECT 1'); cache.set('a', 1); time.sleep({}); "
        "connection.cursor().execute('SELECT 1'); print(cache.get('a'))"
    )
    shells = [start_shell(folder, code.format(seconds)) for seconds in (0, 1)]
    ends = [shell.communicate(timeout=90) for shell in shells]
    assert [shell.returncode for shell in shells] == [0, 0], ends
    assert [said for said, _ in ends] == ["1\n", "1\n"]
    assert sum("Starting PostgreSQL" in complaint for _, complaint in ends) == 1
    assert find_servers(folder) == []


def test_the_first_command_of_all_finds_its_tables(first: "subprocess.CompletedProcess[str]", folder: Path):
    assert first.returncode == 0, first.stderr
    assert "Plans: free, starter, team, business, scale, enterprise." in first.stdout
    assert "Preparing the new database." in first.stderr
    assert find_servers(folder) == []


def test_given_urls_start_nothing(tmp_path: Path):
    environ = make_environ(tmp_path) | {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    code = "from django.conf import settings; print(settings.DATABASES['default']['NAME'], settings.REDIS_URL)"
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    shell = subprocess.run(command, cwd=BASE_DIR, env=environ, capture_output=True, text=True, check=False)
    assert (shell.returncode, shell.stdout) == (0, "none redis://127.0.0.1:1\n"), shell.stderr
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (["manage.py", "migrate"], True),
        (["manage.py", "create_account", "acme"], True),
        (["manage.py", "migrate", "--help"], False),
        (["manage.py", "check"], False),
        (["manage.py", "quote", "price.json"], False),
        (["manage.py", "backtest_forecast", "series"], False),
        (["manage.py"], False),
    ],
)
def test_only_commands_that_ask_the_database_get_one(arguments: list[str], needs: bool):
    assert needs_servers(arguments) is needs
