"""The lines of an invoice: each opens to the steps of its amount, and leads to the events that it priced."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly, list_sentences
from billing.lines import describe_line, read_taxes
from billing.models import Invoice, InvoiceLine
from billing.rating import trim
from billing.wording import display_money, display_period, explain_line
from metering.meters import list_meters
from metering.quantities import format_exact

if TYPE_CHECKING:
    LineTabularInline = admin.TabularInline[InvoiceLine, Invoice]
else:
    LineTabularInline = admin.TabularInline

LOG_WINDOW = timedelta(days=31)  # the longest that the log of events shows at a time
MINUTES = "%Y-%m-%dT%H:%M"


class LineInline(ReadOnly, LineTabularInline):
    model = InvoiceLine
    readonly_fields = ["what", "used", "events", "amount", "discount", "tax", "total"]
    fields = [*readonly_fields]
    ordering = ["position"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        self.may_see_events = request.user.has_perm("metering.view_event")
        return super().get_queryset(request).select_related("invoice__account", "meter")

    @cached_property
    def event_types(self) -> dict[int, str]:
        """Read once for all lines: an inline is made anew for each request."""
        return {meter.id: meter.event_type for meter in list_meters()}

    @admin.display(description=_("description"))
    def what(self, line: InvoiceLine) -> SafeString:
        """What it is for, and folded below it why it costs what it costs."""
        period = ""
        if line.period_start and line.period_end:
            period = f" ({display_period(line.period_start, line.period_end, line.invoice.time_zone)})"
        return format_html(
            "{}{}<details><summary>{}</summary>{}</details>",
            line.description,
            period,
            gettext("Why this amount"),
            list_sentences([*explain_line(describe_line(line), line.invoice.currency), *name_digest(line)]),
        )

    @admin.display(description=_("quantity"))
    def used(self, line: InvoiceLine) -> str:
        return format_exact(line.quantity, line.unit)

    @admin.display(description=_("events"))
    def events(self, line: InvoiceLine) -> SafeString | str:
        """How many it priced; to who may read the log, a link to those that came while the period ran."""
        if line.event_count is None or line.meter_id is None:
            return "–"
        event_type = self.event_types.get(line.meter_id)
        if not self.may_see_events or event_type is None:
            return f"{line.event_count}"
        invoice = line.invoice
        end = min(invoice.period_end, invoice.period_start + LOG_WINDOW)
        terms = {
            "account": invoice.account.key,
            "type": event_type,
            "start": f"{invoice.period_start:{MINUTES}}",
            "end": f"{end:{MINUTES}}",
        }
        return format_html('<a href="{}?{}">{}</a>', reverse("staff:events"), urlencode(terms), line.event_count)

    @admin.display(description=_("amount"))
    def amount(self, line: InvoiceLine) -> str:
        return display_money(line.amount_minor, line.invoice.currency)

    @admin.display(description=_("discount"))
    def discount(self, line: InvoiceLine) -> str:
        return display_money(-line.discount_minor, line.invoice.currency) if line.discount_minor else "–"

    @admin.display(description=_("tax"))
    def tax(self, line: InvoiceLine) -> SafeString:
        parts = read_taxes(line)
        return list_sentences(
            f"{tax.name} {trim(tax.percent):f} %: {display_money(tax.minor, line.invoice.currency)}" for tax in parts
        )

    @admin.display(description=_("total"))
    def total(self, line: InvoiceLine) -> str:
        return display_money(line.total_minor, line.invoice.currency)


def name_digest(line: InvoiceLine) -> list[str]:
    if line.event_digest is None:
        return []
    return [gettext("Digest of its events: %(digest)s") % {"digest": line.event_digest}]
