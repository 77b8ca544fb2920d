"""`manage.py print_invoice NUMBER --output FILE`: the document of an invoice or a credit note."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.invoicing import UnknownInvoice
from billing.numbers import CREDIT_NOTES
from billing.papers.credit_notes import UnknownCreditNote, read_credit_note_paper
from billing.papers.invoices import read_invoice_paper
from billing.papers.paper import Paper
from billing.papers.rendering import RenderingFailed, render_pdf


class Command(BaseCommand):
    help = "Write the PDF of an issued invoice or credit note; the same document is the same bytes each time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", help="such as 2026-000001, or CN-2026-000001")
        parser.add_argument("--output", required=True, metavar="FILE", type=Path, help="where to write it")
        parser.add_argument("--copy", action="store_true", help="write the attached JSON instead of the PDF")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            paper = read_paper(options["number"])
            text = paper.attachment.text if paper.attachment else ""
            content = text.encode() if options["copy"] else render_pdf(paper)
        except (UnknownInvoice, UnknownCreditNote, RenderingFailed) as error:
            raise CommandError(str(error)) from error
        try:
            options["output"].write_bytes(content)
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}") from error
        self.stderr.write(f"{paper.title}: {len(content)} bytes in {options['output']}")


def read_paper(number: str) -> Paper:
    return read_credit_note_paper(number) if number.startswith(CREDIT_NOTES) else read_invoice_paper(number)
