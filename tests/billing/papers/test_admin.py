import pytest
import time_machine
from django.urls import reverse

from billing.models import CreditNote, Invoice
from billing.papers.invoices import read_invoice_paper
from billing.papers.rendering import render_pdf
from tests.billing.makers import MID_JAN, make_subscription
from tests.billing.papers.makers import issue_invoice, issue_note, read_text
from tests.billing.test_admin import make_person

pytestmark = pytest.mark.django_db

VIEWS = ["view_invoice", "view_invoiceline", "view_creditnote", "view_creditnoteline", "view_billingprofile"]


@pytest.fixture
def finance(client):
    client.force_login(make_person("finance@vendor.example", permissions=VIEWS))
    return client


def address(model, form, pk):
    return reverse(f"admin:billing_{model}_{form}", args=[pk])


def test_an_invoices_page_leads_to_its_document(finance):
    invoice = issue_invoice()
    page = finance.get(reverse("admin:billing_invoice_change", args=[invoice.pk])).content.decode()
    assert address("invoice", "pdf", invoice.pk) in page
    assert address("invoice", "page", invoice.pk) in page
    answer = finance.get(address("invoice", "pdf", invoice.pk))
    assert answer.content == render_pdf(read_invoice_paper("2026-000001"))
    assert "<h1>Invoice</h1>" in finance.get(address("invoice", "page", invoice.pk)).content.decode()


def test_a_credit_notes_page_leads_to_its_document(finance):
    issue_note(issue_invoice(), lines={1: 1200})
    note = CreditNote.objects.get()
    page = finance.get(reverse("admin:billing_creditnote_change", args=[note.pk])).content.decode()
    assert address("creditnote", "pdf", note.pk) in page
    assert "Credit note CN-2026-000001" in read_text(finance.get(address("creditnote", "pdf", note.pk)).content)


@time_machine.travel(MID_JAN, tick=False)
def test_a_profiles_page_leads_to_the_statement_of_the_month_or_of_other_days(finance):
    subscription = make_subscription(started_at=MID_JAN.replace(day=1))
    page = finance.get(reverse("admin:billing_billingprofile_change", args=[subscription.account_id])).content.decode()
    url = address("billingprofile", "page", subscription.account_id)
    assert url in page
    assert "1 January 2026 – 31 January 2026" in finance.get(url).content.decode()
    some = finance.get(url, {"start": "2026-01-02", "end": "2026-01-03"}).content.decode()
    assert "2 January 2026 – 3 January 2026" in some
    for wrong in ({"start": "x", "end": "y"}, {"start": "2026-01-02"}, {"start": "2026-02-02", "end": "2026-02-03"}):
        assert finance.get(url, wrong).status_code == 404


def test_a_draft_has_no_document_and_no_link_to_one(finance):
    from billing import invoicing
    from tests.billing.makers import FEB

    invoicing.draft_ended_period(make_subscription().period_id, at=FEB)
    draft = Invoice.objects.get()
    page = finance.get(reverse("admin:billing_invoice_change", args=[draft.pk])).content.decode()
    assert address("invoice", "pdf", draft.pk) not in page
    assert finance.get(address("invoice", "pdf", draft.pk)).status_code == 404


@pytest.mark.parametrize("form", ["pdf", "page"])
def test_who_may_not_look_at_the_row_does_not_get_its_document(client, form):
    invoice = issue_invoice()
    issue_note(invoice, lines={1: 1200})
    client.force_login(make_person("sales@vendor.example", permissions=["view_plan"]))
    rows = {"invoice": invoice.pk, "creditnote": CreditNote.objects.get().pk, "billingprofile": invoice.account_id}
    for model, pk in rows.items():
        assert client.get(address(model, form, pk)).status_code == 403
    client.logout()
    assert client.get(address("invoice", form, invoice.pk)).status_code == 302


def test_a_row_that_is_not_there_is_not_found(finance):
    assert finance.get(address("invoice", "pdf", 404)).status_code == 404
