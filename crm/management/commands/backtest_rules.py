"""`manage.py backtest_rules`: what other rules would have said, beside those that are live. Writes nothing."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from crm.trial_wording import tell_report
from crm.trials import try_on_history
from metering.grading import read_day, state_plainly
from metering.trials import (
    BrokenRules,
    NothingToTry,
    TrialSet,
    UnknownRuleSet,
    parse_rules,
    read_live_set,
    read_rule_set,
)

PLAIN_SECONDS = 5  # between two lines of progress


class Command(BaseCommand):
    help = (
        "Replay history under a rule set that is not switched on, beside the live one: alerts and leads by rep and "
        "week, how many would have come true, and which limits would have been missed. Only usage and forecasts are "
        "replayed; nothing is written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", type=read_day, dest="start", required=True, metavar="DAY", help="from this day on"
        )
        parser.add_argument(
            "--to", type=read_day, dest="end", required=True, metavar="DAY", help="before this one, UTC"
        )
        tried = parser.add_mutually_exclusive_group()
        tried.add_argument("--rule-set", metavar="NAME", help="the set to try; without any the live one alone is tried")
        tried.add_argument("--rules-file", type=Path, metavar="FILE", help="JSON: a list of rules, see docs/alerts.md")
        parser.add_argument("--without-forecast", action="store_true", help="usage alone, which is many times faster")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        start, end = options["start"], options["end"]
        if start >= end:
            raise CommandError(f"--from {start:%Y-%m-%d} must be before --to {end:%Y-%m-%d}.")
        try:
            sets = list(list_sets(options))
            report = try_on_history(
                sets,
                start=start,
                end=end,
                at=timezone.now(),
                with_forecasts=not options["without_forecast"],
                on_progress=Progress(),
            )
        except (UnknownRuleSet, BrokenRules, NothingToTry) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(state_report(report, sets), ensure_ascii=False, indent=2, default=str))
        else:
            self.stdout.write("\n".join(tell_report(report, sets)))


def list_sets(options: dict[str, Any]) -> Iterator[TrialSet]:
    """The one that is tried, and the live one. Raises UnknownRuleSet, BrokenRules."""
    live = read_live_set()
    if options["rules_file"]:
        yield read_file(options["rules_file"])
    elif options["rule_set"] and options["rule_set"] != live.name:
        yield read_rule_set(options["rule_set"])
    yield live


def read_file(path: Path) -> TrialSet:
    try:
        return parse_rules(path.name, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BrokenRules(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BrokenRules(f"{path}: {error}") from error


def state_report(report: Any, sets: list[TrialSet]) -> dict[str, Any]:
    weeks = [
        {
            "rep": week.rep,
            "week": week.monday,
            "sets": {
                each.name: {"alerts": alerts, "leads": leads}
                for each, (alerts, leads) in zip(sets, counts, strict=True)
            },
        }
        for week, counts in report.weeks.items()
    ]
    return {
        "start": state_plainly(report.start),
        "end": state_plainly(report.end),
        "lead_life_days": report.lead_life.total_seconds() / 86_400,
        "sets": [
            {
                **state_plainly(result), "precision": state_plainly(result.precision),
                "recall": state_plainly(result.recall), "leads": leads, "left_out": list(tried.left_out),
            }
            for result, leads, tried in zip(report.sets, report.leads, sets, strict=True)
        ],
        "weeks": weeks,
    }  # fmt: skip


class Progress:
    """A line on stderr every few seconds, and a last one."""

    def __init__(self) -> None:
        self.last = monotonic()

    def __call__(self, done: int, total: int) -> None:
        if done < total and monotonic() - self.last < PLAIN_SECONDS:
            return
        self.last = monotonic()
        print(f"{done:,} of {total:,} accounts", file=sys.stderr, flush=True)
