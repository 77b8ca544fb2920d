from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import F
from django.utils import timezone

from billing.models import StripeObject
from billing.stripe.catalogue.checking import check_catalogue
from billing.stripe.catalogue.syncing import TELL_OBJECT, name_job, sync_catalogue
from billing.stripe.client import is_on
from jobs.queue import do_now


class Command(BaseCommand):
    help = "Tell Stripe all that is on offer: products, meters, prices, coupons and tax rates; what was refused, again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="first look at what Stripe has, and put back what was changed there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_on():
            raise CommandError("STRIPE_SECRET_KEY is not set: there is no Stripe to tell.")
        if options["check"]:
            count = check_catalogue(timezone.now())
            self.stdout.write(f"{count} changed in Stripe itself")
        told = 0
        while sync_catalogue(timezone.now(), again=not told) or list_pending():
            done = sum(do_now(TELL_OBJECT, key, clock=timezone.now) == "done" for key in list_pending())
            if not done:
                break
            told += done
        problems = StripeObject.objects.exclude(problem="").order_by("kind", "pk")
        for row in problems:
            self.stderr.write(f"{row}: {row.problem}")
        self.stdout.write(f"{told} told, {len(problems)} refused, {len(list_pending())} still to come")


def list_pending() -> list[str]:
    return [name_job(row) for row in StripeObject.objects.filter(revision__gt=F("told"))]
