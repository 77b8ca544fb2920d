import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from billing import credit_notes, invoicing, issuing, items, moves, profiles
from billing.drafting import draft_items
from billing.invoicing import UnknownInvoice
from billing.models import CreditDestination, Invoice
from billing.papers.invoices import make_invoice_paper, read_invoice_paper
from billing.papers.paper import Field, Sum
from billing.papers.rendering import find_fingerprint, render_pdf
from billing.rating import flat_fee
from tests.billing.makers import FEB, JAN, make_account, make_plan, make_subscription
from tests.billing.papers.makers import ISSUED, SELLER, issue_invoice, read_text

pytestmark = pytest.mark.django_db

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture(autouse=True)
def vendor(settings):
    settings.BILLING_SELLER, settings.BILLING_PAYMENT_DAYS = SELLER, 14


def list_rows(paper):
    return [row for section in paper.sections for group in section.groups for row in group.rows]


def test_a_paper_says_who_sells_who_buys_and_what_for():
    paper = make_invoice_paper(issue_invoice())
    assert (paper.heading, paper.title, paper.name) == ("Invoice", "Invoice 2026-000001", "invoice-2026-000001")
    assert paper.seller == Field("Vendor & Co", "1 High Street\nTown\nbilling@vendor.example\nTax number: GB123")
    assert paper.customer == Field("Acme SA", "1 rue Haute\n75002 Paris\nFR\nTax number: FR40303265045")
    assert paper.facts == (
        Field("Number", "2026-000001"),
        Field("Issued", "1 February 2026"),
        Field("Due", "15 February 2026"),
        Field("Period", "1 January 2026 – 31 January 2026"),
        Field("Plan", "Growth"),
    )
    assert paper.headline == Field("To be paid by 15 February 2026", "€58.93")
    assert paper.notes[0] == Field("Payment", "Within 14 days of the issue.\nIBAN GB00 0000")


def test_lines_stand_in_groups_with_why_they_cost_what_they_cost():
    paper = make_invoice_paper(issue_invoice(item="Help with the move", percent_off="10"))
    [section] = paper.sections
    assert [column.title for column in section.columns] == ["No.", "Description", "Quantity", "Tax", "Amount"]
    assert [group.title for group in section.groups] == ["Fees", "Usage", "Other items"]
    fee, requests, bandwidth, item = list_rows(paper)
    assert fee.cells == ("1", "Base fee", "1", "VAT 20%", "€49.00")
    assert fee.notes == ("flat fee of €49.00", "Discount: −€4.90")
    assert requests.cells == ("2", "Requests", "12 requests", "VAT 20%", "€0.00")
    assert bandwidth.notes == (
        "12 events",
        "1,200,000,000 bytes at €0.00000000009 = €0.108",
        "€0.108 rounded to €0.11",
        "Discount: −€0.01",
    )
    assert item.cells == ("4", "Help with the move", "1", "VAT 20%", "€15.00")


def test_everything_on_the_paper_adds_up_to_what_is_due():
    invoice = issue_invoice(item="Help with the move", percent_off="10", credit_minor=1_000)
    [section] = make_invoice_paper(invoice).sections
    assert section.sums == (
        Sum("Sum of the lines", "€64.11"),
        Sum("Discounts", "−€4.91"),
        Sum("Without tax", "€59.20"),
        Sum("VAT 20% on €59.20", "€11.84"),
        Sum("Total", "€71.04", is_strong=True),
        Sum("Paid by credit", "−€10.00"),
        Sum("To be paid", "€61.04", is_strong=True),
    )
    assert (invoice.total_minor, invoice.due_minor) == (7104, 6104)


def test_without_taxes_discounts_and_credit_the_paper_says_nothing_of_them():
    [section] = make_invoice_paper(issue_invoice(vat="")).sections
    assert [column.title for column in section.columns] == ["No.", "Description", "Quantity", "Amount"]
    assert section.sums == (Sum("Total", "€49.11", is_strong=True),)


def test_an_invoice_that_credit_pays_asks_for_nothing():
    paper = make_invoice_paper(issue_invoice(credit_minor=100_000))
    assert paper.headline == Field("Nothing to pay", "€0.00")
    assert [note.label for note in paper.notes] == ["What was counted", "Proof"]
    assert "Due" not in [fact.label for fact in paper.facts]


@pytest.mark.parametrize(
    ("currency", "fee", "total"),
    [("JPY", "4900", "¥5,880"), ("KWD", "4.9", f"KWD{NBSP}5.880"), ("USD", "4900", "$5,880.00")],
)
def test_each_currency_has_its_own_decimals(currency, fee, total):
    invoice = issue_invoice(currency=currency, prices=[flat_fee("Base fee", Decimal(fee))])
    assert make_invoice_paper(invoice).sections[0].sums[-1].value == total
    assert total.replace(NBSP, " ") in read_text(render_pdf(make_invoice_paper(invoice)))


def test_a_french_customer_reads_french_formats_whoever_prints_it():
    invoice = issue_invoice(language="fr", prices=[flat_fee("Base fee", Decimal("1028.80"))])
    with translation.override("en"):
        paper = make_invoice_paper(invoice)
    assert paper.language == "fr"
    assert paper.sections[0].sums[-1].value.replace("\N{NARROW NO-BREAK SPACE}", NBSP) == f"1{NBSP}234,56{NBSP}€"
    assert paper.facts[1].value == "1 février 2026"
    with translation.override("fr"):
        assert make_invoice_paper(invoice) == paper


def test_days_are_those_of_the_customers_clocks():
    paper = make_invoice_paper(issue_invoice(time_zone="America/New_York"))
    assert paper.facts[1] == Field("Issued", "31 January 2026")
    assert paper.facts[3] == Field("Period", "31 December 2025")
    assert "on the clocks of America/New_York" in paper.notes[-2].value


def test_what_happens_after_the_issue_moves_nothing_of_the_paper():
    invoice = issue_invoice()
    before = make_invoice_paper(invoice)
    later = ISSUED + timedelta(days=3)
    moves.record_payment(invoice.pk, amount_minor=500, method="card", key="first", at=later)
    credit_notes.issue_credit_note(
        invoice.pk, destination=CreditDestination.DUE, reason="gift", key="gift", amount_minor=100, at=later
    )
    moves.mark_paid(invoice.pk, method="manual", at=later)
    profiles.set_profile(account_id=invoice.account_id, legal_name="Renamed", language="fr", time_zone="Asia/Tokyo")
    after = read_invoice_paper("2026-000001")
    assert after == before
    assert find_fingerprint(after) == find_fingerprint(before)
    assert render_pdf(after) == render_pdf(before)


def test_a_void_invoice_keeps_its_paper():
    invoice = issue_invoice()
    before = make_invoice_paper(invoice)
    moves.void_invoice(invoice.pk, reason="mistake", at=ISSUED)
    assert read_invoice_paper("2026-000001") == before


def test_the_copy_inside_is_the_frozen_invoice_with_its_steps():
    invoice = issue_invoice()
    copy = json.loads(make_invoice_paper(invoice).attachment.text)
    assert (copy["format"], copy["number"], copy["total_minor"]) == ("palier.invoice/1", "2026-000001", 5893)
    assert copy["customer"]["name"] == "Acme SA"
    assert copy["lines"][2]["meter"] == "bandwidth"
    assert copy["lines"][2]["quantity"] == "1200000000"
    assert copy["lines"][2]["steps"] == invoice.lines.get(position=3).steps
    assert sum(line["total_minor"] for line in copy["lines"]) == copy["total_minor"]


def test_a_name_cannot_begin_a_line_that_reads_as_ours():
    paper = make_invoice_paper(issue_invoice(name="Acme\r\nTotal: €0.00\u2028Paid", item="Help\nTotal €0.00"))
    assert paper.customer.label == "Acme Total: €0.00 Paid"
    assert list_rows(paper)[-1].cells[1] == "Help Total €0.00"


def test_an_invoice_ahead_of_the_periods_end_says_that_it_is_one():
    invoice = issue_invoice()
    assert "Billed ahead" not in [note.label for note in make_invoice_paper(invoice).notes]
    invoice.kind = "threshold"
    [note] = [note for note in make_invoice_paper(invoice).notes if note.label == "Billed ahead"]
    assert "the period's own invoice takes this off" in note.value


def test_an_invoice_of_another_account_is_not_found():
    issue_invoice()
    stranger = make_account("stranger")
    with pytest.raises(UnknownInvoice):
        read_invoice_paper("2026-000001", account_id=stranger.id)
    with pytest.raises(UnknownInvoice):
        read_invoice_paper("2026-000002")


def test_a_draft_has_no_paper():
    subscription = make_subscription(started_at=JAN)
    invoicing.draft_ended_period(subscription.period_id, at=FEB)
    with pytest.raises(UnknownInvoice):
        make_invoice_paper(Invoice.objects.get())


def test_a_paper_costs_two_statements_however_many_lines(django_assert_num_queries):
    issue_invoice()
    with django_assert_num_queries(2):
        read_invoice_paper("2026-000001")


def test_a_thousand_lines_add_up_on_paper_as_they_do_in_the_books():
    prices = [flat_fee(f"Fee {number}", Decimal(number).scaleb(-2)) for number in range(1, 1_001)]
    invoice = issue_invoice(prices=prices)
    paper = make_invoice_paper(invoice)
    amounts = [int(re.sub(r"\D", "", row.cells[-1])) for row in list_rows(paper)]
    assert sum(amounts) == invoice.subtotal_minor == 500_500
    text = read_text(render_pdf(paper))
    assert "1000 Fee 1000 flat fee of €10.00" in text
    assert f"Total €{invoice.total_minor // 100:,}.{invoice.total_minor % 100:02d}" in text
    assert re.search(r"Page 1 of (\d+)", text).group(1) == re.findall(r"Page (\d+) of", text)[-1]


def test_an_invoice_below_zero_says_that_it_gives_credit():
    subscription = make_subscription(plan=make_plan(prices=[flat_fee("Base fee", Decimal(10))]), started_at=JAN)

    items.add_item(
        account_id=subscription.account_id, currency="EUR", kind="one_off", description="Given back",
        unit_amount=Decimal("-7.50"), key="back", at=JAN,
    )  # fmt: skip
    draft = draft_items(account_id=subscription.account_id, currency="EUR", at=FEB)
    paper = make_invoice_paper(issuing.issue_one_off(draft.pk, at=FEB))
    assert paper.headline == Field("Given as credit", "€7.50")
    assert paper.sections[0].sums == (
        Sum("Total", "−€7.50", is_strong=True),
        Sum("Given as credit", "€7.50", is_strong=True),
    )
