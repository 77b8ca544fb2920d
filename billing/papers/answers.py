"""A paper over HTTP, for the portal and the back-office: as a PDF to keep, or as a page to read and print.

Nothing is stored. A browser that has the very document gets 304, and no document is made for it.
"""

import re
from datetime import datetime
from http import HTTPStatus

import structlog
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, quote_etag
from redis.exceptions import RedisError

from billing.papers.pages import make_page
from billing.papers.paper import Paper
from billing.papers.rendering import RenderingBusy, find_fingerprint, render_pdf

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
MINUTE = 60

log = structlog.get_logger(__name__)


def answer_pdf(request: HttpRequest, paper: Paper, *, at: datetime) -> HttpResponseBase:
    """200 with the file; 304; 413 where it is longer than a request may make, 429 and 503 where it is too much now."""
    etag = quote_etag(find_fingerprint(paper))
    known = get_conditional_response(request, etag=etag)
    if known is not None:
        return mark_private(known, etag)
    if paper.size > settings.BILLING_PAPER_ROWS:
        return refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if not take_turn(request, at=at):
        return refuse(request, HTTPStatus.TOO_MANY_REQUESTS)
    try:
        content = render_pdf(paper)
    except RenderingBusy:
        return refuse(request, HTTPStatus.SERVICE_UNAVAILABLE)
    disposition = content_disposition_header(as_attachment=True, filename=f"{name_file(paper)}.pdf")
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = disposition or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    return mark_private(answer, etag)


def answer_page(request: HttpRequest, paper: Paper) -> HttpResponseBase:
    """The same document as a page, in its own language, whatever the reader's."""
    etag = quote_etag(f"{find_fingerprint(paper)}-page")
    known = get_conditional_response(request, etag=etag)
    if known is not None:
        return mark_private(known, etag)
    with translation.override(paper.language):
        return mark_private(render(request, "billing/paper.html", {"paper": make_page(paper)}), etag)


def mark_private(answer: HttpResponseBase, etag: str) -> HttpResponseBase:
    """For the reader alone, who asks each time whether it is still the one: access may have been taken away."""
    answer["ETag"] = etag
    answer["Cache-Control"] = "private, no-cache"
    return answer


def name_file(paper: Paper) -> str:
    return UNSAFE.sub("-", paper.name).strip("-.") or "document"


def take_turn(request: HttpRequest, *, at: datetime) -> bool:
    """Whether this person may have one more made in this minute. While the cache is away nobody is counted."""
    key = f"papers:{request.user.pk}:{int(at.timestamp()) // MINUTE}"
    try:
        cache.add(key, 0, timeout=2 * MINUTE)
        return cache.incr(key) <= settings.BILLING_PAPERS_PER_MINUTE
    except (RedisError, ValueError) as error:
        log.warning("papers_not_counted", error=type(error).__name__)
        return True


def refuse(request: HttpRequest, status: HTTPStatus) -> HttpResponse:
    answer = render(request, "billing/paper_refused.html", {"status": status.value}, status=status.value)
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer["Retry-After"] = str(MINUTE if status == HTTPStatus.TOO_MANY_REQUESTS else 5)
    return answer
