"""`manage.py stripe_status [--json]`: how things stand with Stripe, for whoever watches; status 1 with drifts."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.stripe.status import read_status


class Command(BaseCommand):
    help = (
        "Say what waits, failed and differs, and how much was read. Nothing is asked of Stripe. Status 1 with drifts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        status = read_status(timezone.now())
        facts = asdict(status) | {"drift_count": status.drift_count}
        if options["json"]:
            self.stdout.write(json.dumps(facts, default=str, indent=2))
        else:
            self.stdout.write("\n".join(f"{name}: {value}" for name, value in facts.items()))
        if status.drift_count:
            raise SystemExit(1)
