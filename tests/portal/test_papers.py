import re
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache

from billing.credit_notes import issue_credit_note
from billing.models import CreditDestination
from billing.papers import rendering
from billing.papers.invoices import read_invoice_paper
from billing.papers.rendering import render_pdf
from billing.profiles import set_profile
from portal.models import Role
from tests.billing.papers.makers import open_pdf, read_text
from tests.portal import makers
from tests.portal.makers import read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

PDF, PAGE = "/a/acme/invoices/2026-000001/pdf/", "/a/acme/invoices/2026-000001/page/"


@pytest.fixture(autouse=True)
def nobody_counted(db):
    """A minute that stands still would count over tests."""
    cache.clear()


@pytest.fixture
def invoice(account):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.use(account, 357, time=makers.SEPTEMBER + timedelta(days=3))
    [fact] = makers.issue_invoices(account)
    return fact


def give_back(invoice):
    return issue_credit_note(
        invoice.id,
        destination=CreditDestination.DUE,
        reason="Counted <twice>",
        key="1",
        lines={1: 900},
        at=makers.NOV_10,
    )


def test_an_invoice_is_downloaded_as_the_file_it_always_is(invoice, owner):
    answer = owner.get(PDF)
    assert answer.content == render_pdf(read_invoice_paper("2026-000001"))
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'attachment; filename="invoice-2026-000001.pdf"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-cache"
    assert "Acme & Söhne <GmbH>" in read_text(answer.content)


def test_who_has_it_already_gets_no_second_one_and_none_is_made(invoice, owner, monkeypatch):
    etag = owner.get(PDF)["ETag"]
    monkeypatch.setattr(rendering, "compile_paper", lambda *_: pytest.fail("it was made again"))
    again = owner.get(PDF, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert again["Cache-Control"] == "private, no-cache"
    assert owner.get(PAGE, headers={"If-None-Match": owner.get(PAGE)["ETag"]}).status_code == 304


def test_the_page_has_the_same_words_in_markup_that_hostile_names_cannot_leave(invoice, owner):
    page = read(owner, PAGE)
    assert "Acme &amp; Söhne &lt;GmbH&gt;" in page
    assert "<GmbH>" not in page
    text = squeeze(page)
    assert "To be paid by 24 November 2026 €54.14" in text
    assert "257 requests at €0.02 = €5.14" in text
    assert 'class="number"' in page
    assert '<th scope="col"' in page
    assert '<th scope="rowgroup"' in page
    assert "style=" not in page
    assert "<script" not in page


def test_the_page_and_the_pdf_say_the_same(invoice, owner):
    paper = read_invoice_paper("2026-000001")
    page = squeeze(read(owner, PAGE)).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    printed = read_text(owner.get(PDF).content)
    words = [paper.heading, paper.customer.label, *(fact.value for fact in paper.facts)]
    words += [cell for group in paper.sections[0].groups for row in group.rows for cell in (*row.cells, *row.notes)]
    for word in words:
        assert word in page, word
        assert word in printed, word


def test_the_documents_language_is_its_own_whatever_the_readers(account, owner):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    set_profile(account_id=account.id, legal_name="Société", language="fr")
    makers.issue_invoices(account)
    page = owner.get(PAGE, headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="fr">' in page
    assert "10 novembre 2026" in page
    assert open_pdf(owner.get(PDF, headers={"Accept-Language": "en"}).content).trailer["/Root"]["/Lang"] == "fr"


def test_the_invoices_page_leads_to_its_papers_and_its_credit_notes(invoice, owner):
    give_back(invoice)
    page = read(owner, "/a/acme/invoices/2026-000001/")
    for address in (PDF, PAGE, "/a/acme/credit-notes/CN-2026-000001/pdf/", "/a/acme/credit-notes/CN-2026-000001/"):
        assert f'href="{address}"' in page
    assert "CN-2026-000001 of 10 November 2026 over €9.00" in squeeze(page)
    assert "Counted &lt;twice&gt;" in page


def test_a_credit_note_is_downloaded_and_read(invoice, owner):
    give_back(invoice)
    answer = owner.get("/a/acme/credit-notes/CN-2026-000001/pdf/")
    assert answer["Content-Disposition"] == 'attachment; filename="credit-note-CN-2026-000001.pdf"'
    assert "Counted <twice>" in read_text(answer.content)
    assert "Counted &lt;twice&gt;" in read(owner, "/a/acme/credit-notes/CN-2026-000001/")


def test_papers_of_others_are_not_found_below_ones_own_account(invoice):
    give_back(invoice)
    [stranger] = makers.log_in(makers.make_member(makers.make_account("own"), Role.OWNER))
    for address in ("invoices/2026-000001/pdf/", "invoices/2026-000001/page/", "credit-notes/CN-2026-000001/pdf/"):
        assert stranger.get(f"/a/own/{address}").status_code == 404
        assert stranger.get(f"/a/acme/{address}").status_code == 404


@pytest.mark.parametrize("number", ["2026-000009", "..", "%2e%2e", "x" * 120, "%22%0d%0aSet-Cookie:x"])
def test_a_number_that_nobody_has_is_not_found(invoice, owner, number):
    assert owner.get(f"/a/acme/invoices/{number}/pdf/").status_code == 404


def test_a_statement_of_the_month_says_what_was_used_and_costs(invoice, account, owner):
    text = squeeze(read(owner, "/a/acme/statement/?month=2026-09"))
    assert "1 September 2026 – 30 September 2026" in text
    assert "Requests 357 357 requests" in text
    assert "Invoice 2026-000001 €54.14" in text
    answer = owner.get("/a/acme/statement/pdf/?month=2026-09")
    assert answer["Content-Disposition"] == 'attachment; filename="usage-2026-09-01.pdf"'
    assert "357 requests" in read_text(answer.content)
    assert "€" not in read(owner, "/a/acme/statement/?month=2026-09&cost=no")


@pytest.mark.parametrize("month", ["2027-01", "x", "2026-13"])
def test_a_month_that_is_none_or_has_not_begun_has_no_statement(account, owner, month):
    assert owner.get(f"/a/acme/statement/pdf/?month={month}").status_code == 404


def test_who_may_not_see_money_gets_a_statement_without_it(invoice, account):
    [viewer] = makers.log_in(makers.make_member(account, Role.VIEWER))
    assert "€" not in read(viewer, "/a/acme/statement/?month=2026-09")
    assert "€" not in read_text(viewer.get("/a/acme/statement/pdf/?month=2026-09").content)
    assert viewer.get(PDF).status_code == 403


def test_the_usage_page_leads_to_the_statement_of_its_month(invoice, owner):
    page = read(owner, "/a/acme/usage/requests/?month=2026-09")
    assert 'href="/a/acme/statement/pdf/?month=2026-09"' in page
    assert 'href="/a/acme/statement/?month=2026-09"' in page


def test_a_document_that_is_too_long_is_refused_before_it_is_made(invoice, owner, settings):
    settings.BILLING_PAPER_ROWS = 3
    answer = owner.get(PDF)
    assert answer.status_code == 413
    assert "Read it as a page instead" in answer.content.decode()
    assert owner.get(PAGE).status_code == 200


def test_a_person_has_so_many_made_in_a_minute(invoice, account, owner, settings):
    settings.BILLING_PAPERS_PER_MINUTE = 2
    answers = [owner.get(PDF) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "60"
    assert "Try again in a minute" in answers[2].content.decode()
    [other] = makers.log_in(makers.make_member(account, Role.BILLING))
    assert other.get(PDF).status_code == 200
    with time_machine.travel(makers.NOV_10 + timedelta(minutes=1), tick=False):
        assert owner.get(PDF).status_code == 200


def test_without_a_cache_nobody_is_counted_and_documents_are_made(invoice, owner, settings):
    settings.BILLING_PAPERS_PER_MINUTE = 0
    assert owner.get(PDF).status_code == 429
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("billing.papers.answers.cache", BrokenCache())
        assert owner.get(PDF).status_code == 200


class BrokenCache:
    """Answers as a Redis that is down."""

    def add(self, *_args, **_options):
        from redis.exceptions import ConnectionError

        raise ConnectionError("refused")


def test_while_others_are_made_for_too_long_one_is_asked_to_come_back(invoice, owner, monkeypatch):
    monkeypatch.setattr(rendering, "PATIENCE_SECONDS", 0.01)
    with rendering.turn:
        answer = owner.get(PDF)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert re.search("Try again in a few seconds", answer.content.decode())


def test_a_paper_costs_so_many_statements_however_many_lines(invoice, owner, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        owner.get(PDF)
