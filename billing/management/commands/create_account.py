"""`manage.py create_account KEY --plan SLUG`: a customer who can be counted and billed from this moment."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from billing.periods import UnknownTimeZone
from billing.plans import UnknownPlan, find_plan
from billing.profiles import UnknownLanguage, set_profile
from billing.subscriptions import SubscriptionFact, create_subscription
from billing.wording import display_period
from metering.accounts import AccountExists, InvalidAccountKey, create_account

REFUSALS = (AccountExists, InvalidAccountKey, UnknownLanguage, UnknownPlan, UnknownTimeZone)


class Command(BaseCommand):
    help = "Create an account with its billing profile and its subscription, all or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="what events name the account by: 1 to 120 letters, digits and . _ : @ -")
        parser.add_argument("--plan", required=True, metavar="SLUG", help="the plan it subscribes to, from now on")
        parser.add_argument("--name", default="", help="the customer's name (default: the key)")
        parser.add_argument("--email", default="", help="where invoices go")
        parser.add_argument("--time-zone", default="UTC", help="whose midnight ends its months (default: UTC)")
        parser.add_argument("--language", default="", help="of its documents, such as fr (default: the vendor's)")
        parser.add_argument("--alias", action="append", default=[], help="another name for it in events; repeatable")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_email(options["email"])
            fact = create_customer(
                key=options["key"],
                plan_slug=options["plan"],
                name=options["name"] or options["key"],
                email=options["email"],
                time_zone=options["time_zone"],
                language=options["language"],
                aliases=options["alias"],
            )
        except REFUSALS as error:
            raise CommandError(str(error)) from error
        period = display_period(fact.period_start, fact.period_end, fact.time_zone)
        self.stdout.write(f"{options['key']} is on {fact.plan_name} v{fact.version_number}. First period: {period}.")


def check_email(email: str) -> None:
    try:
        if email:
            validate_email(email)
    except ValidationError as error:
        raise CommandError(f"{email!r} is not an e-mail address.") from error


@transaction.atomic
def create_customer(
    *, key: str, plan_slug: str, name: str, email: str, time_zone: str, language: str, aliases: list[str]
) -> SubscriptionFact:
    at = timezone.now()
    find_plan(plan_slug)  # a wrong plan is told before ingestion has to wait for us
    account = create_account(key=key, name=name, aliases=aliases, at=at)
    set_profile(account_id=account.id, legal_name=name, email=email, time_zone=time_zone, language=language)
    return create_subscription(account_id=account.id, plan_slug=plan_slug, started_at=at, at=at)
