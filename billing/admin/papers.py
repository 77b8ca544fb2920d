"""The documents in the back-office, as their customers get them: beside each invoice, credit note and profile."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import Tools, Words
from billing.invoicing import UnknownInvoice
from billing.models import BillingProfile, CreditNote, Invoice
from billing.papers.answers import answer_page, answer_pdf
from billing.papers.credit_notes import read_credit_note_paper
from billing.papers.invoices import read_invoice_paper
from billing.papers.paper import Paper
from billing.papers.statements import InvalidWindow, read_days, read_statement_paper
from billing.periods import CALENDAR_MONTH, find_period
from billing.proof.answers import answer_evidence

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = object


class PaperPages(Tools, AnyModelAdmin):
    """Two addresses under each row: its document as a page, and as a PDF. Whoever may look at the row may have it."""

    paper_words: Words = _("Document")

    def read_paper(self, request: HttpRequest, row: Any) -> Paper:
        """Raises UnknownInvoice where there is none."""
        raise NotImplementedError

    def has_paper(self, row: Any) -> bool:
        return True

    def list_tools(self, request: HttpRequest, row: Any) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if self.has_paper(row):
            tools.append((reverse(f"admin:{self.name_address('page')}", args=[row.pk]), self.paper_words))
            tools.append((reverse(f"admin:{self.name_address('pdf')}", args=[row.pk]), "PDF"))
        return tools

    def name_address(self, form: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{form}"

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(f"<int:row_id>/{form}/", self.serve(answer), name=self.name_address(form))
            for form, answer in (("page", answer_page), ("pdf", make_pdf))
        ]
        return [*pages, *super().get_urls()]

    def serve(self, answer: Callable[[HttpRequest, Paper], HttpResponseBase]) -> Any:
        def view(request: HttpRequest, row_id: int) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            row = self.get_object(request, str(row_id))
            if row is None:
                raise Http404
            try:
                return answer(request, self.read_paper(request, row))
            except (UnknownInvoice, InvalidWindow):
                raise Http404 from None

        return self.admin_site.admin_view(view, cacheable=True)


def make_pdf(request: HttpRequest, paper: Paper) -> HttpResponseBase:
    return answer_pdf(request, paper, at=timezone.now())


class InvoicePaper(PaperPages):
    """And what it can be recomputed from, to who may also see the events."""

    def has_paper(self, row: Invoice) -> bool:
        return row.number is not None

    def list_tools(self, request: HttpRequest, row: Invoice) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if self.has_paper(row) and request.user.has_perm("metering.view_event"):
            tools.append((reverse("admin:billing_invoice_evidence", args=[row.pk]), _("Evidence")))
        return tools

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.evidence_view, cacheable=True)
        return [path("<int:row_id>/evidence/", view, name="billing_invoice_evidence"), *super().get_urls()]

    def evidence_view(self, request: HttpRequest, row_id: int) -> HttpResponseBase:
        if not (self.has_view_permission(request) and request.user.has_perm("metering.view_event")):
            raise PermissionDenied
        row = self.get_object(request, str(row_id))
        if row is None or row.number is None:
            raise Http404
        return answer_evidence(request, row.number, at=timezone.now())

    def read_paper(self, request: HttpRequest, row: Invoice) -> Paper:
        return read_invoice_paper(row.number or "")


class CreditNotePaper(PaperPages):
    def read_paper(self, request: HttpRequest, row: CreditNote) -> Paper:
        return read_credit_note_paper(row.number)


class StatementPaper(PaperPages):
    """Of the month under way; `?start=2026-01-01&end=2026-01-31` asks for other days, the last one included."""

    paper_words = _("Usage statement")

    def read_paper(self, request: HttpRequest, row: BillingProfile) -> Paper:
        at = timezone.now()
        start, end = find_period(at, CALENDAR_MONTH, row.time_zone)
        if "start" in request.GET or "end" in request.GET:
            start, end = read_days(request.GET.get("start", ""), request.GET.get("end", ""), row.time_zone)
        return read_statement_paper(account_id=row.account_id, start=start, end=end, at=at)
