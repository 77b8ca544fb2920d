"""`manage.py backtest_forecast DIR`: what the forecast would have been worth on series of the past."""

import json
import re
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from metering.forecast.backtest.files import read_folder
from metering.forecast.backtest.panel import SETTINGS, invent_panel
from metering.forecast.backtest.reporting import Report, judge_series
from metering.forecast.backtest.settings import BacktestRefused, Settings
from metering.forecast.backtest.windows import Entrant, enter_series

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
SHOWN = ("precision", "recall", "median_lead", "date_error", "brier", "coverage", "width", "ms_per_forecast")
REFUSED = 2


class Command(BaseCommand):
    help = (
        "Run the forecast and the rules that one might use in its place over every window of plain series "
        "(CSV files `timestamp,value`), bucket by bucket, with only the past visible."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("folder", type=Path, nargs="?", metavar="DIR", help="CSV files `timestamp,value`")
        source.add_argument(
            "--panel", action="store_true", help="invented accounts with daily usage and monthly limits"
        )
        parser.add_argument("--accounts", type=int, default=300, metavar="N", help="--panel: how many")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="--panel: another seed, other accounts")
        parser.add_argument("--bucket", type=read_bucket, default="1h", help="length of a bucket, as 30m, 1h, 1d")
        parser.add_argument("--season", type=int, default=24, metavar="N", help="buckets of a season")
        parser.add_argument("--period", type=int, default=72, metavar="N", help="buckets of a period")
        parser.add_argument("--history", type=int, default=168, metavar="N", help="buckets before the first window")
        parser.add_argument("--step", type=int, default=24, metavar="N", help="buckets from window to window")
        parser.add_argument(
            "--limits",
            type=read_factors,
            default="0.85,1.0,1.15",
            metavar="F,F",
            help="limits as factors of the total of the period before",
        )
        parser.add_argument("--json", action="store_true", help="everything, also series by series, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("bucket", "season", "period", "history", "step", "limits")
        try:
            if options["panel"]:
                report = judge_series(invent_panel(accounts=options["accounts"], seed=options["seed"]), SETTINGS)
            else:
                settings = Settings(**{name: options[name] for name in names})
                report = judge_series(enter_folder(options["folder"], settings), settings)
        except BacktestRefused as refusal:
            raise CommandError(str(refusal), returncode=REFUSED) from None
        self.stdout.write(json.dumps(asdict(report), indent=2) if options["json"] else show_report(report))


def enter_folder(folder: Path, settings: Settings) -> list[Entrant]:
    return [enter_series(named, settings) for named in read_folder(folder, bucket=settings.bucket)]


def read_bucket(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d*)([mhd])", text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is no length of a bucket, as 30m, 1h, 1d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def read_factors(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} are no factors, as 0.85,1.0,1.15") from None


def show_report(report: Report) -> str:
    """One line per rule."""
    lines = [f"{report.series} series, {next(iter(report.rules.values())).windows} windows"]
    lines.append(f"{'rule':<10} {'hits':>6} {'fired':>6} " + " ".join(f"{name:>15}" for name in SHOWN))
    for rule, score in report.rules.items():
        figures = [getattr(score, name) for name in SHOWN]
        shown = " ".join(f"{'–' if figure is None else f'{figure:.3f}':>15}" for figure in figures)
        lines.append(f"{rule:<10} {score.hits:>6} {score.fired:>6} {shown}")
    return "\n".join(lines)
