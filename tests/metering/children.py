"""Processes of their own on the database of the tests, to be killed and measured."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.metering.servers import find_database_url

KILLED_IMPORT = """
    import json, os, signal, sys
    from datetime import datetime
    from pathlib import Path
    from metering import importers
    from metering.importers import importing
    path, format, where, count, options = sys.argv[1:]
    options = json.loads(options)
    times = {name: datetime.fromisoformat(options.pop(name)) for name in ("at", "shift_to") if name in options}
    calls = 0
    def die_at(original):
        def wrapped(*args, **options):
            global calls
            result = original(*args, **options)
            calls += 1
            if calls == int(count):
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return wrapped
    if where == "before commit":
        importing.move_on = die_at(importing.move_on)
    else:
        importing.ImportRun.tell = die_at(importing.ImportRun.tell)
    importing.import_usage(
        Path(path), format=getattr(importers, format)(), create_accounts=True, **times, **options
    )
"""


def kill_import(path: Path, format: str, *, where: str, batches: int, **options: Any) -> None:
    """Begin to import a file in a process that dies, by SIGKILL, before or after it commits so many batches.

    `format` is the name of a class of `metering.importers`; the options are those of `import_usage`.
    """
    text = json.dumps(options, default=str)
    child = run_child(KILLED_IMPORT, str(path), format, where, str(batches), text)
    assert child.returncode == -signal.SIGKILL, child.stderr


def run_child(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own, on the database of the tests."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PALIER_TEST_DIR": str(settings.TEST_DIR),
        "DATABASE_URL": find_database_url(),
    }
    prelude = "import django; django.setup()\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *arguments],
        env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
