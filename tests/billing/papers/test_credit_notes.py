import json

import pytest

from billing.models import CreditDestination
from billing.moves import mark_paid
from billing.papers.credit_notes import UnknownCreditNote, read_credit_note_paper
from billing.papers.paper import Field, Sum
from billing.papers.rendering import render_pdf
from tests.billing.makers import make_account
from tests.billing.papers.makers import ISSUED, issue_invoice, issue_note, read_text

pytestmark = pytest.mark.django_db


def test_a_credit_note_says_what_of_which_line_is_given_back_and_why():
    issue_note(issue_invoice(), lines={1: 1200})
    paper = read_credit_note_paper("CN-2026-000001")
    assert (paper.heading, paper.title, paper.name) == (
        "Credit note", "Credit note CN-2026-000001", "credit-note-CN-2026-000001",
    )  # fmt: skip
    assert paper.headline == Field("Taken off what is due", "€12.00")
    assert paper.facts == (
        Field("Number", "CN-2026-000001"),
        Field("Issued", "1 February 2026"),
        Field("Invoice", "2026-000001"),
        Field("Invoice issued", "1 February 2026"),
    )
    [section] = paper.sections
    assert [row.cells for row in section.groups[0].rows] == [("1", "Base fee", "VAT 20%", "€10.00", "€12.00")]
    assert section.sums == (
        Sum("Without tax", "€10.00"),
        Sum("VAT 20% on €10.00", "€2.00"),
        Sum("Total", "€12.00", is_strong=True),
    )
    assert paper.notes[0] == Field("Reason", "Counted twice")


@pytest.mark.parametrize(
    ("destination", "words"),
    [(CreditDestination.BALANCE, "Given as credit"), (CreditDestination.REFUND, "To be refunded")],
)
def test_it_says_how_the_money_comes_back(destination, words):
    invoice = issue_invoice()
    mark_paid(invoice.pk, method="manual", at=ISSUED)
    issue_note(invoice, destination=destination)
    assert read_credit_note_paper("CN-2026-000001").headline == Field(words, "€58.93")


def test_it_speaks_the_language_of_its_invoice_and_keeps_its_addresses():
    invoice = issue_invoice(language="fr", name="Société à Paris")
    issue_note(invoice, lines={1: 1200})
    paper = read_credit_note_paper("CN-2026-000001")
    assert (paper.language, paper.customer.label) == ("fr", "Société à Paris")
    assert paper.facts[1].value == "1 février 2026"


def test_the_pdf_has_the_text_and_the_copy():
    issue_note(issue_invoice(), lines={1: 1200})
    paper = read_credit_note_paper("CN-2026-000001")
    text = read_text(render_pdf(paper))
    assert "Invoice 2026-000001" in text
    assert "Base fee VAT 20% €10.00 €12.00" in text
    copy = json.loads(paper.attachment.text)
    assert (copy["invoice"], copy["lines"][0]["invoice_line"], copy["total_minor"]) == ("2026-000001", 1, 1200)


def test_a_note_of_another_account_is_not_found():
    issue_note(issue_invoice(), lines={1: 1200})
    with pytest.raises(UnknownCreditNote):
        read_credit_note_paper("CN-2026-000001", account_id=make_account("stranger").id)
    with pytest.raises(UnknownCreditNote):
        read_credit_note_paper("2026-000001")


def test_a_note_costs_two_statements(django_assert_num_queries):
    issue_note(issue_invoice())
    with django_assert_num_queries(2):
        read_credit_note_paper("CN-2026-000001")
