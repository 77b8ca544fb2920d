"""`manage.py stripe_catch_up [--since MOMENT]`: ask Stripe for the events that it could not tell."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.stripe.client import StripeIsOff
from billing.stripe.errors import Refused, TryLater
from billing.stripe.inbox.catching_up import catch_up


class Command(BaseCommand):
    help = (
        "List Stripe's events since the last look, or since a moment (at most 30 days back), keep those that are"
        " missing and have them handled. Exit status 1 when the reads of the month are used up before the end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=read_moment, help="such as 2026-02-01 or 2026-02-01T08:00, UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = catch_up(timezone.now(), since=options["since"])
        except (StripeIsOff, Refused, TryLater) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{found.listed} events listed, {found.stored} of them were missing.")
        if not found.is_complete:
            raise CommandError("Not all was listed: the reads of the last 30 days are used up.")


def read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
