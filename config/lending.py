"""Servers for one manage.py command when no stack runs: started when it needs them, stopped when nobody does."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import django
from django.core.management import call_command

from config import embedded
from config.ownership import FolderIsOwned, become_only_user, own_folder, use_servers
from config.processes import MARK, stop_leftovers

PATIENCE_SECONDS = 60
WITHOUT_SERVERS = {
    "", "backtest_forecast", "check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help",
    "makemessages", "quote", "sendtestemail", "startapp", "startproject", "test", "testserver", "version",
}  # fmt: skip


def needs_servers(arguments: Sequence[str]) -> bool:
    """Whether `manage.py` with these arguments (its own name first) asks the database or the broker for something."""
    command = next((word for word in arguments[1:] if not word.startswith("-")), "")
    return command not in WITHOUT_SERVERS and not {"--help", "-h", "--version"} & set(arguments)


@contextlib.contextmanager
def lend_servers(folder: Path) -> Iterator[None]:
    """Keep PostgreSQL and Valkey on `folder` answering until the block ends, whoever started them.

    Commands that run at the same time share them. Inside a stack, or when both URLs are given, nothing is done.
    """
    if os.environ.get(MARK) or (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        yield
        return
    with use_servers(folder) as use:
        wait_for_servers(folder)
        try:
            yield
        finally:
            if become_only_user(use):
                stop_unowned(folder)


def wait_for_servers(folder: Path) -> None:
    """Return when the servers answer; start them when nobody else is about to. Raises ServiceDidNotStart."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not servers_answer(folder):
        with contextlib.suppress(FolderIsOwned), own_folder(folder):
            start_servers(folder)
            return
        if time.monotonic() > deadline:
            raise embedded.ServiceDidNotStart(f"the servers in {folder} do not answer, though a stack owns them")
        time.sleep(0.1)


def servers_answer(folder: Path) -> bool:
    has_database = os.environ.get("DATABASE_URL") or embedded.database_is_prepared(folder)
    return bool(has_database and (os.environ.get("REDIS_URL") or embedded.valkey_answers(folder)))


def start_servers(folder: Path) -> None:
    """Start what does not answer. The caller owns the folder, so nobody else is starting it."""
    if not os.environ.get("DATABASE_URL"):
        if not embedded.postgres_answers(folder):
            print(f"Starting PostgreSQL in {folder} for this command.", file=sys.stderr)
            embedded.start_postgres(folder)
        embedded.create_database(folder)
    if not os.environ.get("REDIS_URL") and not embedded.valkey_answers(folder):
        embedded.start_valkey(folder)
    if not os.environ.get("DATABASE_URL") and not embedded.database_is_prepared(folder):
        migrate_new_database()


def migrate_new_database() -> None:
    """A newcomer's first command finds its tables. Later ones migrate when told to, as in production."""
    print("Preparing the new database.", file=sys.stderr)
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def stop_unowned(folder: Path) -> None:
    """Stop the servers unless a stack has taken the folder meanwhile: then they are its business."""
    with contextlib.suppress(FolderIsOwned), own_folder(folder):
        stop_leftovers(folder)
