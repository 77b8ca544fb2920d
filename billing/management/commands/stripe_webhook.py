"""`manage.py stripe_webhook URL`: have Stripe tell us of the events that something is done about."""

from argparse import ArgumentParser
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError

from billing.stripe.client import StripeIsOff, get_client
from billing.stripe.inbox.catching_up import THIN
from billing.stripe.inbox.handlers import list_types


class Command(BaseCommand):
    help = (
        "Make the two webhook endpoints at Stripe, for events with their object and for thin ones, and print their"
        " secrets once; where they are there, bring their lists of events up to date. Nothing of it is stored here."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="where Stripe finds us: https://…/stripe/webhook/")

    def handle(self, *args: Any, **options: Any) -> None:
        from stripe import StripeError

        url = options["url"]
        if not url.endswith("/stripe/webhook/"):
            raise CommandError("The address ends with /stripe/webhook/.")
        types = list_types()
        try:
            self.make_endpoint(url, [kind for kind in types if not kind.startswith(THIN)])
            self.make_destination(url, [kind for kind in types if kind.startswith(THIN)])
        except (StripeIsOff, StripeError) as error:
            raise CommandError(str(error)) from error

    def make_endpoint(self, url: str, types: list[str]) -> None:
        """Of v1. By hand and once, so that no row of ours keeps its secret."""
        client = get_client()
        for endpoint in client.v1.webhook_endpoints.list({"limit": 100}).auto_paging_iter():
            if endpoint.url == url:
                client.v1.webhook_endpoints.update(endpoint.id, cast(Any, {"enabled_events": types}))
                self.stdout.write(f"{endpoint.id} hears of {len(types)} types of events. Its secret stays as it is.")
                return
        made = client.v1.webhook_endpoints.create(cast(Any, {"url": url, "enabled_events": types}))
        self.stdout.write(f"{made.id} hears of {len(types)} types of events. Its secret: {made.secret}")

    def make_destination(self, url: str, types: list[str]) -> None:
        """Of v2."""
        client = get_client()
        for known in client.v2.core.event_destinations.list({"limit": 100, "include": ["webhook_endpoint.url"]}).data:
            if known.webhook_endpoint and known.webhook_endpoint.url == url:
                client.v2.core.event_destinations.update(known.id, {"enabled_events": types})
                self.stdout.write(f"{known.id} hears of {len(types)} thin types. Its secret stays as it is.")
                return
        made = client.v2.core.event_destinations.create(
            {
                "name": "Palier",
                "type": "webhook_endpoint",
                "event_payload": "thin",
                "enabled_events": types,
                "webhook_endpoint": {"url": url},
                "include": ["webhook_endpoint.signing_secret"],
            }
        )
        secret = made.webhook_endpoint.signing_secret if made.webhook_endpoint else ""
        self.stdout.write(f"{made.id} hears of {len(types)} thin types. Its secret: {secret}")
