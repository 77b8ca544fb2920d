"""`manage.py what_if --plan SLUG`: what customers would have paid under a plan version, also one that is a draft."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.plans import InvalidPlan, PlanTerms, UnknownPlan
from billing.whatif import Question, Skip, UnknownVersion, compare_versions, find_version, read_proposal
from billing.whatif_reports import SKIP_WORDS, Report, state_outcome, state_summary
from billing.wording import display_money
from metering.accounts import UnknownAccount, find_account

SHOWN = 10


class Command(BaseCommand):
    help = "Rate real past periods under another plan version: who would have paid more, who less, and how much."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.conflict_handler = "resolve"  # takes --version from Django, which says which one it is
        asked = parser.add_argument_group("what is asked")
        asked.add_argument("--plan", required=True, metavar="SLUG", help="the plan whose version is asked about")
        asked.add_argument("--version", type=int, metavar="N", help="also a draft's (default: the one on offer)")
        asked.add_argument("--periods", type=int, default=3, metavar="N", help="how many past periods (default: 3)")
        asked.add_argument("--account", metavar="KEY", help="one account alone (default: all)")
        asked.add_argument("--subscribers-of", default="", metavar="SLUG", help="those of one plan alone")
        asked.add_argument("--json", action="store_true", help="a line for each subscription, and the summary last")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            account_id = find_account(options["account"]).id if options["account"] else None
            question = Question(
                version_id=find_version(options["plan"], options["version"]),
                at=timezone.now(),
                periods=options["periods"],
                account_id=account_id,
                from_plan=options["subscribers_of"],
            )
            terms = read_proposal(question.version_id)
            self.answer(question, terms, as_json=options["json"])
        except (InvalidPlan, UnknownAccount, UnknownPlan, UnknownVersion, ValueError) as error:
            raise CommandError(str(error)) from error

    def answer(self, question: Question, terms: PlanTerms, *, as_json: bool) -> None:
        report = Report()
        for outcome in compare_versions(question):
            report.add(outcome)
            if as_json:
                self.stdout.write(json.dumps(state_outcome(outcome, terms.currency), ensure_ascii=False))
        if as_json:
            summary = state_summary(report.summary, terms.currency)
            self.stdout.write(json.dumps({"summary": summary}, ensure_ascii=False))
        else:
            self.tell(report, terms)

    def tell(self, report: Report, terms: PlanTerms) -> None:
        summary, currency = report.summary, terms.currency
        self.stdout.write(
            f"{terms.name} v{terms.version_number}: {summary.compared} compared, {summary.losers} would have paid "
            f"more, {summary.winners} less, {summary.unchanged} the same."
        )
        before, after, change = (
            display_money(minor, currency)
            for minor in (summary.current_minor, summary.proposed_minor, summary.change_minor)
        )
        self.stdout.write(f"Revenue: {before} as it is, {after} then, a change of {change}.")
        for reason, count in sorted(summary.skipped.items()):
            self.stdout.write(f"Left out: {count} ({SKIP_WORDS[Skip(reason)]}).")
        for outcome in [*report.rises[:SHOWN], *report.falls[:SHOWN]]:
            before, after, change = (
                display_money(minor, currency)
                for minor in (outcome.current_minor, outcome.proposed_minor, outcome.change_minor)
            )
            self.stdout.write(f"  {outcome.account_key}: {before} → {after} ({change})")
