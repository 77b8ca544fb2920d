import io
import json

import pytest
from django.core.management import CommandError, call_command

from billing.papers.invoices import read_invoice_paper
from billing.papers.rendering import render_pdf
from tests.billing.papers.makers import issue_invoice, issue_note, read_text

pytestmark = pytest.mark.django_db


def print_it(number, output, **options):
    told = io.StringIO()
    call_command("print_invoice", number, output=output, stderr=told, **options)
    return told.getvalue()


def test_the_file_is_the_document(tmp_path):
    issue_invoice()
    file = tmp_path / "january.pdf"
    told = print_it("2026-000001", file)
    assert file.read_bytes() == render_pdf(read_invoice_paper("2026-000001"))
    assert told == f"Invoice 2026-000001: {file.stat().st_size} bytes in {file}\n"


def test_a_credit_note_is_printed_by_its_number(tmp_path):
    issue_note(issue_invoice(), lines={1: 1200})
    print_it("CN-2026-000001", tmp_path / "note.pdf")
    assert "Credit note CN-2026-000001" in read_text((tmp_path / "note.pdf").read_bytes())


def test_the_copy_can_be_had_alone(tmp_path):
    issue_invoice()
    print_it("2026-000001", tmp_path / "copy.json", copy=True)
    assert json.loads((tmp_path / "copy.json").read_text())["number"] == "2026-000001"


@pytest.mark.parametrize(
    ("number", "says"), [("2026-000009", "no invoice 2026-000009"), ("CN-2026-000009", "no credit note CN-2026-000009")]
)
def test_a_number_that_nobody_has_is_told(tmp_path, number, says):
    with pytest.raises(CommandError, match=says):
        print_it(number, tmp_path / "none.pdf")
    assert not (tmp_path / "none.pdf").exists()


def test_a_place_that_cannot_be_written_to_is_told(tmp_path):
    issue_invoice()
    with pytest.raises(CommandError, match="No such file or directory"):
        print_it("2026-000001", tmp_path / "missing" / "january.pdf")
