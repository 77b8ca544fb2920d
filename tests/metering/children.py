"""Processes of their own on the database of the tests, to be killed and measured."""

import os
import subprocess
import sys
import textwrap
from urllib.parse import quote

from django.conf import settings
from django.db import connection


def run_child(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own, on the database of the tests."""
    database = connection.settings_dict
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PALIER_TEST_DIR": str(settings.TEST_DIR),
        "DATABASE_URL": f"postgres://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}",
    }
    prelude = "import django; django.setup()\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *arguments],
        env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
