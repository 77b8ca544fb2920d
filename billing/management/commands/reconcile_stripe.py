"""`manage.py reconcile_stripe`: whether Palier and Stripe say the same; exit status 1 where not."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.management.commands.stripe_catch_up import read_moment
from billing.models import StripeDrift
from billing.stripe.charging.amounts import write_money
from billing.stripe.errors import Refused, TryLater
from billing.stripe.reconciling.running import Report, describe, reconcile
from metering.accounts import UnknownAccount, find_account


class Command(BaseCommand):
    help = (
        "Compare usage, meters, invoices, payments and subscriptions with Stripe's, and show each drift with its cause."
        " Exit status 1 while drifts are open. Nothing is repaired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="KEY", help="of this account alone")
        parser.add_argument("--since", type=read_moment, help="such as 2026-02-01, UTC; default: the last days")
        parser.add_argument("--local", action="store_true", help="our own rows alone: nothing is read from Stripe")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            account = find_account(options["account"]).id if options["account"] else None
            report = reconcile(
                timezone.now(), since=options["since"], account_id=account, may_read=not options["local"]
            )
        except (UnknownAccount, Refused, TryLater) as error:
            raise CommandError(str(error)) from error
        told = json.dumps(write(report), ensure_ascii=False, indent=2) if options["json"] else tell(report)
        self.stdout.write(told)
        if report.open:
            raise SystemExit(1)


def tell(report: Report) -> str:
    lines = [f"{describe(report)}."]
    for drift in report.open:
        amount = "" if drift.difference_minor is None else f" ({write_money(drift.difference_minor, drift.currency)})"
        who = f" of {drift.account.key}" if drift.account else ""
        lines.append(f"{drift.kind} {drift.key}{who}: {drift.ours} ≠ {drift.theirs}{amount}. {drift.cause}")
    return "\n".join(lines)


def write(report: Report) -> dict[str, Any]:
    return {
        "checked": report.checked,
        "found": report.found,
        "gone": report.gone,
        "open": [describe_drift(drift) for drift in report.open],
    }


def describe_drift(drift: StripeDrift) -> dict[str, Any]:
    return {
        "id": drift.pk,
        "kind": drift.kind,
        "about": drift.key,
        "account": drift.account.key if drift.account else None,
        "ours": drift.ours,
        "theirs": drift.theirs,
        "difference_minor": drift.difference_minor,
        "currency": drift.currency,
        "cause": drift.cause,
        "opened_at": drift.opened_at.isoformat(),
    }
