"""Documents of an account to read, print and keep: invoices, credit notes, statements of usage."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.invoicing import UnknownInvoice
from billing.papers.answers import answer_page, answer_pdf
from billing.papers.credit_notes import UnknownCreditNote, read_credit_note_paper
from billing.papers.invoices import read_invoice_paper
from billing.papers.paper import Paper
from billing.papers.statements import read_statement_paper
from billing.proof.answers import answer_evidence
from portal.access import get_membership_or_404, may_see_money
from portal.calendar import UnknownMonth, find_month, find_time_zone
from portal.models import Membership
from portal.views import current_user, refuse_role


@require_safe
@login_required
def invoice(request: HttpRequest, account_key: str, number: str, *, as_pdf: bool) -> HttpResponseBase:
    def read(membership: Membership) -> Paper:
        return read_invoice_paper(number, account_id=membership.account_id)

    return serve_paper(request, account_key, read, as_pdf=as_pdf)


@require_safe
@login_required
def evidence(request: HttpRequest, account_key: str, number: str) -> HttpResponseBase:
    """All that the invoice can be recomputed from, with its events: for who may see the invoice."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_money(request, membership)
    try:
        return answer_evidence(request, number, at=timezone.now(), account_id=membership.account_id)
    except UnknownInvoice:
        raise Http404 from None


@require_safe
@login_required
def credit_note(request: HttpRequest, account_key: str, note_number: str, *, as_pdf: bool) -> HttpResponseBase:
    def read(membership: Membership) -> Paper:
        return read_credit_note_paper(note_number, account_id=membership.account_id)

    return serve_paper(request, account_key, read, as_pdf=as_pdf)


@require_safe
@login_required
def statement(request: HttpRequest, account_key: str, *, as_pdf: bool) -> HttpResponseBase:
    """`?month=2026-11`, without it the present one; what it costs too, for who may see it, unless `?cost=no`."""
    at = timezone.now()

    def read(membership: Membership) -> Paper:
        account_id = membership.account_id
        month = find_month(request.GET.get("month", ""), at=at, time_zone=find_time_zone(account_id))
        with_cost = may_see_money(membership) and request.GET.get("cost") != "no"
        return read_statement_paper(account_id=account_id, start=month.start, end=month.end, at=at, with_cost=with_cost)

    return serve_paper(request, account_key, read, as_pdf=as_pdf, is_of_money=False)


def serve_paper(
    request: HttpRequest,
    account_key: str,
    read: Callable[[Membership], Paper],
    *,
    as_pdf: bool,
    is_of_money: bool = True,
) -> HttpResponseBase:
    """What `read` makes, for members of the account; papers of money only for who may see it."""
    membership = get_membership_or_404(current_user(request), account_key)
    if is_of_money and not may_see_money(membership):
        return refuse_money(request, membership)
    try:
        paper = read(membership)
    except (UnknownInvoice, UnknownCreditNote, UnknownMonth):
        raise Http404 from None
    return answer_pdf(request, paper, at=timezone.now()) if as_pdf else answer_page(request, paper)


def refuse_money(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    refusal = refuse_role(request, membership)
    refusal["Cache-Control"] = "private, no-store"
    return refusal
