"""`manage.py import_prices FILE`: put a catalogue in place, or say what that would change."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.catalogue_files import InvalidCatalogue
from billing.price_imports import Change, ImportReport, import_catalogue, list_templates, read_template

COLUMNS = ("plan", "currency", "version", "what happens", "on offer from")


class Command(BaseCommand):
    help = (
        "Read meters, plans and prices as JSON and publish what is new. All of it or nothing; the same file a second "
        "time changes nothing. docs/catalogue.md says what a file may say."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help=f"a file, - for standard input, or a template: {', '.join(list_templates())}")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        text = read_text(options["file"])
        try:
            report = import_catalogue(text, at=timezone.now(), is_dry=options["dry_run"])
        except InvalidCatalogue as error:
            raise CommandError(f"Nothing was imported.\n{error}") from error
        self.stdout.write(write_report(report))
        if options["dry_run"]:
            self.stdout.write("This was a dry run: nothing was changed.")


def read_text(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.read()
        if name in list_templates() and not Path(name).exists():
            return read_template(name)
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name}: {error}") from error


def write_report(report: ImportReport) -> str:
    lines = [f"new meter: {key}" for key in report.new_meters]
    lines += [f"name or rank changed: {slug}" for slug in report.renamed]
    return "\n".join([*lines, *write_table(report.changes)])


def write_table(changes: Sequence[Change]) -> list[str]:
    rows = [COLUMNS, *(list_cells(change) for change in changes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    written = [lines[0]]
    for line, change in zip(lines[1:], changes, strict=True):
        written += [line, *(f"    {detail}" for detail in change.details)]
    return written


def list_cells(change: Change) -> tuple[str, ...]:
    start = f"{change.offered_from:%Y-%m-%d %H:%M %Z}" if change.offered_from else ""
    return change.slug, change.currency, str(change.number), change.action.value, start
