from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from metering.accounts import UnknownAccount, find_account
from metering.keys import SCOPES, InvalidKeyTerms, issue_key


class Command(BaseCommand):
    help = "Issue an API key and print it. It is printed this once and can be read nowhere again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="whose key it is, for people")
        parser.add_argument(
            "--scope", action="append", required=True, dest="scopes", help=f"what it may do: {', '.join(SCOPES)}"
        )
        parser.add_argument("--account", metavar="KEY", help="whose usage alone it may send and see; all when absent")
        parser.add_argument("--rate", type=int, metavar="N", help="events a second, on average; no rate when absent")
        parser.add_argument("--expires", type=int, metavar="DAYS", help="how long it is good for; for ever when absent")

    def handle(
        self,
        *args: Any,
        name: str,
        scopes: list[str],
        expires: int | None,
        account: str | None,
        rate: int | None,
        **options: Any,
    ) -> None:
        at = timezone.now()
        try:
            key = issue_key(
                name=name,
                scopes=scopes,
                at=at,
                expires_at=None if expires is None else at + timedelta(days=expires),
                account_id=None if account is None else find_account(account).id,
                rate_per_second=rate,
            )
        except (InvalidKeyTerms, UnknownAccount, OverflowError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(key.secret)
        self.stderr.write("Keep it now: it is not stored and cannot be shown again.")
