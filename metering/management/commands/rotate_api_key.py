from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from metering.keys import InvalidKeyTerms, UnknownKey, find_key_id, rotate_key


class Command(BaseCommand):
    help = "Give an API key a new secret and print it, this once. The old secret stays good for a while."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the twelve letters after palier_, as the back-office lists them")
        parser.add_argument(
            "--keep", type=float, default=24.0, metavar="HOURS", help="how long the old one stays good (24)"
        )

    def handle(self, *args: Any, prefix: str, keep: float, **options: Any) -> None:
        at = timezone.now()
        try:
            old_until = at + timedelta(hours=keep)
            issued = rotate_key(find_key_id(prefix), at=at, old_until=old_until)
        except (UnknownKey, InvalidKeyTerms, OverflowError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(issued.secret)
        self.stderr.write(
            f"Keep it now: it cannot be shown again. The old one is good until {old_until:%Y-%m-%d %H:%M} UTC."
        )
