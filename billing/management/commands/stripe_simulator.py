"""`manage.py stripe_simulator`: a local Stripe, alone."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Becomes `python -m stripe_simulator`, a program of its own: no app imports it."""

    help = "Serve a local Stripe on loopback, until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=12111, help="0 takes a free one")
        parser.add_argument("--path", help="a SQLite file that keeps the state; without it all is in memory")
        parser.add_argument("--clock", choices=("real", "frozen"), default="real")

    def handle(self, *args: Any, port: int, path: str | None, clock: str, **options: Any) -> None:
        command = [sys.executable, "-m", "stripe_simulator", "--port", str(port), "--clock", clock]
        os.execv(sys.executable, [*command, *(["--path", path] if path else [])])  # noqa: S606
