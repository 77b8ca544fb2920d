"""`manage.py print_statement ACCOUNT --start DAY --end DAY --output FILE`: what an account used, as a PDF."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.papers.rendering import RenderingFailed, render_pdf
from billing.papers.statements import InvalidWindow, read_customer, read_days, read_statement_paper
from metering.accounts import UnknownAccount, find_account
from metering.usage import HistoryPruned


class Command(BaseCommand):
    help = "Write the statement of an account's usage, by meter and by day, on the clocks of its profile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="the account's key")
        parser.add_argument("--start", required=True, metavar="DAY", help="the first day, such as 2026-01-01")
        parser.add_argument("--end", required=True, metavar="DAY", help="the last day, such as 2026-01-31")
        parser.add_argument("--no-cost", action="store_true", help="leave out what it costs")
        parser.add_argument("--output", required=True, metavar="FILE", type=Path, help="where to write it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            account_id = find_account(options["account"]).id
            start, end = read_days(options["start"], options["end"], read_customer(account_id).time_zone)
            paper = read_statement_paper(
                account_id=account_id, start=start, end=end, at=timezone.now(), with_cost=not options["no_cost"]
            )
            content = render_pdf(paper)
        except (UnknownAccount, InvalidWindow, HistoryPruned, RenderingFailed) as error:
            raise CommandError(str(error)) from error
        try:
            options["output"].write_bytes(content)
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}") from error
        self.stderr.write(f"{paper.title}: {len(content)} bytes in {options['output']}")
