"""The suite's ground: a throw-away PostgreSQL and Valkey, and no network but loopback and unix sockets."""

import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import hypothesis
import pytest
import pytest_django
from django.conf import settings
from django.core.cache import cache
from django.test.testcases import TransactionTestCase
from django.utils import timezone, translation

from config import embedded
from config.ownership import OWNER, FolderIsOwned, own_folder
from config.processes import stop_leftovers
from tests.emptying import empty_database, prepare_emptying
from tests.simulators import simulator, simulator_process  # noqa: F401
from tests.stripe_cli.install import is_installed

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
YOUNG_SECONDS = 120
FAST = ("fsync=off", "full_page_writes=off")  # safe against the death of a process, not of the machine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", metavar="DIR", help="the folder of numeric cases that tests/cases runs")
    parser.addoption(
        "--histories", metavar="N", type=int, help="how many histories tests/metering/test_histories lives"
    )


def pytest_configure(config: pytest.Config) -> None:
    """A plain kill ends the session as Ctrl-C does: with its servers. Other work on the machine is no failure."""
    hypothesis.settings.register_profile(
        "palier", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("palier")
    signal.signal(signal.SIGTERM, end_session)
    with suppress(ValueError):
        signal.signal(signal.SIGHUP, end_session)


def end_session(number: int, _frame: object) -> None:
    pytest.exit(f"ended by {signal.Signals(number).name}", returncode=128 + number)


def pytest_report_header(config: pytest.Config) -> str:
    return f"chromium: {find_browser() or 'not found'}; stripe cli: {'found' if is_installed() else 'not found'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was not tested for want of a tool, and the seed where -q hides it: without it no failure can be repeated."""
    skipped = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in skipped.items():
        terminalreporter.write_line(f"{count} {reason}", yellow=True)
    seed = config.getoption("randomly_seed", None)  # there is none with -p no:randomly
    if seed is not None and config.getoption("verbose") < 0:
        terminalreporter.write_line(f"Using --randomly-seed={seed}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if find_browser() is None:
        needs_browser = pytest.mark.skip(reason="needs Chromium: apt-get install chromium")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(needs_browser)


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(autouse=True)
def leave_no_language() -> Iterator[None]:
    """A request leaves its reader's language and zone to its thread, which a command in a later test would speak."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture
def no_attempts_counted(db: None) -> None:
    """Log-ins are limited by address and minute, and all tests log in from the same one."""
    cache.clear()


def clear_dead_sessions() -> None:
    """Stop and remove what sessions left that were killed: a folder whose lock is free has no session any more.

    A young one may be about to be locked by a session that begins at the same time.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"palier-test-*/{OWNER}"):
        with suppress(FolderIsOwned, PermissionError, FileNotFoundError):
            if time.time() - lock.stat().st_mtime < YOUNG_SECONDS:
                continue
            with own_folder(lock.parent):
                throw_away(lock.parent)


def throw_away(folder: Path) -> None:
    stop_leftovers(folder)
    embedded.remove_socket_dir(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[None]:
    """Start what DATABASE_URL and REDIS_URL do not name, and throw it away at the end."""
    clear_dead_sessions()
    with ExitStack() as ending:
        ending.enter_context(own_folder(settings.TEST_DIR))
        ending.callback(throw_away, settings.TEST_DIR)
        servers = []
        if "DATABASE_URL" not in os.environ:
            servers.append(embedded.start_postgres(settings.TEST_DIR, options=FAST))
        if "REDIS_URL" not in os.environ:
            servers.append(embedded.start_valkey(settings.TEST_DIR))
        yield
        stop_leftovers(settings.TEST_DIR)
        for server in servers:
            server.wait()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(services: None) -> None:
    """The servers must answer before pytest-django makes the test database."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """The test database, which is emptied between transactional tests in our own way."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        prepare_emptying()
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_database)
        yield
