"""`manage.py replay_rejected`: take again what was refused, after a fix."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from metering.figures import flush_figures
from metering.models import ApiKey
from metering.replay import ReplayReport, replay_rejections


class Command(BaseCommand):
    help = (
        "Take again what was refused, oldest first. Each row is judged by the time at which it first came; what was "
        "kept before is passed over, so it may be run as often as one likes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--code", action="append", default=[], dest="codes", help="only what was refused for this")
        parser.add_argument("--key", metavar="PREFIX", help="only what this API key sent")

    def handle(self, *args: Any, codes: list[str], key: str | None, **options: Any) -> None:
        key_id = None if key is None else ApiKey.objects.filter(prefix=key).values_list("pk", flat=True).first()
        if key is not None and key_id is None:
            raise CommandError(f"There is no API key {key}.")
        report = replay_rejections(at=timezone.now(), codes=codes, api_key_id=key_id)
        flush_figures()
        self.stdout.write(describe(report))


def describe(report: ReplayReport) -> str:
    ends = ", ".join(f"{count:,} {fate}" for fate, count in sorted(report.fates.items()))
    told = f"{report.taken:,} taken again{': ' if ends else ''}{ends}."
    return f"{told} {report.cut:,} were not kept whole and must be sent again." if report.cut else told
