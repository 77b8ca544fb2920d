"""The evidence of an invoice over HTTP, for the portal and the back-office: sent as it is read, kept by no cache."""

from datetime import datetime
from http import HTTPStatus

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from billing.papers.answers import UNSAFE, refuse, take_turn
from billing.proof.evidence import HistoryPruned, write_evidence


def answer_evidence(
    request: HttpRequest, number: str, *, at: datetime, account_id: int | None = None
) -> HttpResponseBase:
    """200 with the file; 410 where its events were dropped, 429 where this person asks too often.

    Raises UnknownInvoice, also for another account's number.
    """
    try:
        records = write_evidence(number, account_id=account_id)
    except HistoryPruned:
        return refuse(request, HTTPStatus.GONE)
    if not take_turn(request, at=at):
        return refuse(request, HTTPStatus.TOO_MANY_REQUESTS)
    answer = StreamingHttpResponse(records, content_type="application/jsonl; charset=utf-8")
    name = f"evidence-{UNSAFE.sub('-', number)}.jsonl"
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
