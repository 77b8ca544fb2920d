"""Leads as CSV, safe to open in a spreadsheet: a cell that begins like a formula is made plain text."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from defusedcsv import csv
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from crm.frozen import thaw_headline, write_number
from crm.models import Lead, Priority, Severity
from crm.words import say_why

COLUMNS = (
    "lead", "account", "name", "priority", "severity", "why", "about", "meter", "level_percent", "used", "limit",
    "unit", "stage", "rep", "opened_at", "closed_at", "lost_reason",
)  # fmt: skip
CHUNK = 500


class Line:
    """A file of one line: what is written is returned, to be sent at once."""

    def write(self, text: str) -> str:
        return text


def export_leads(leads: QuerySet[Lead], *, at: datetime) -> StreamingHttpResponse:
    """Every lead of the query, in its order. They need `headline`; sent row by row, so that memory stays flat."""
    response = StreamingHttpResponse(write_rows(leads, at=at), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="leads-{at:%Y-%m-%d}.csv"'
    return response


def write_rows(leads: QuerySet[Lead], *, at: datetime) -> Iterator[str]:
    writer = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    for lead in leads.select_related("account", "rep__user").iterator(chunk_size=CHUNK):
        yield writer.writerow([*list_cells(lead, at=at)])


def list_cells(lead: Any, *, at: datetime) -> Iterator[str]:
    headline = thaw_headline(lead.headline) if lead.headline else None
    yield from (str(lead.pk), lead.account.key, lead.account.name)
    yield from (Priority(lead.priority).name.lower(), Severity(lead.severity).name.lower())
    if headline is None:
        yield from [""] * 7
    else:
        yield from (say_why(headline, at=at), headline.kind, headline.meter_key, write_plain(lead.level))
        yield from (write_plain(headline.used), write_plain(headline.quantity), headline.unit)
    yield from (lead.stage, str(lead.rep or ""), lead.opened_at.isoformat())
    yield from (lead.closed_at.isoformat() if lead.closed_at else "", lead.lost_reason)


def write_plain(number: Decimal | None) -> str:
    return "" if number is None else write_number(number)
