"""Invoices with the reasons of each amount. Nothing can be edited: a mistake is corrected by another document."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly, list_sentences
from billing.invoicing import list_late_differences
from billing.lines import describe_line
from billing.models import Invoice, InvoiceLine
from billing.wording import display_money, display_period, explain_line
from metering.quantities import format_exact

if TYPE_CHECKING:
    InvoiceModelAdmin = admin.ModelAdmin[Invoice]
    LineTabularInline = admin.TabularInline[InvoiceLine, Invoice]
else:
    InvoiceModelAdmin = admin.ModelAdmin
    LineTabularInline = admin.TabularInline


class LineInline(ReadOnly, LineTabularInline):
    model = InvoiceLine
    readonly_fields = ["description", "used", "why", "event_count", "amount"]
    fields = [*readonly_fields]
    ordering = ["position"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        return super().get_queryset(request).select_related("invoice", "meter")

    @admin.display(description=_("quantity"))
    def used(self, line: InvoiceLine) -> str:
        return format_exact(line.quantity, line.unit)

    @admin.display(description=_("why"))
    def why(self, line: InvoiceLine) -> SafeString:
        return list_sentences(explain_line(describe_line(line), line.invoice.currency))

    @admin.display(description=_("amount"))
    def amount(self, line: InvoiceLine) -> str:
        return display_money(line.amount_minor, line.invoice.currency)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, InvoiceModelAdmin):
    list_display = ["name", "customer_name", "account", "plan_name", "period_text", "state", "total", "issued_at"]
    list_filter = ["state", "currency"]
    list_select_related = ["account"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "issued_at"
    ordering = ["-issued_at", "-pk"]
    search_fields = ["number", "customer_name", "account__key", "account__name"]
    search_help_text = _("Search in numbers, customers and accounts")
    inlines = [LineInline]
    readonly_fields = ["name", "period_text", "total", "late_usage"]
    fieldsets = [
        (None, {"fields": ["name", "state", "total", "issued_at"]}),
        (_("For whom"), {"fields": ["customer_name", "account", "plan_name", "period_text", "time_zone"]}),
        (_("Since then"), {"fields": ["late_usage"]}),
    ]

    @admin.display(description=_("number"), ordering="number")
    def name(self, invoice: Invoice) -> str:
        return invoice.number or gettext("draft")

    @admin.display(description=_("period"), ordering="period_start")
    def period_text(self, invoice: Invoice) -> str:
        return display_period(invoice.period_start, invoice.period_end, invoice.time_zone)

    @admin.display(description=_("total"), ordering="total_minor")
    def total(self, invoice: Invoice) -> str:
        return display_money(invoice.total_minor, invoice.currency)

    @admin.display(description=_("late usage"))
    def late_usage(self, invoice: Invoice) -> SafeString | str:
        """What the period counted since it was billed."""
        if invoice.number is None:
            return "–"
        sentences = [
            gettext("%(description)s: %(billed)s billed, %(used)s counted by now")
            % {
                "description": late.description,
                "billed": format_exact(late.billed, late.unit),
                "used": format_exact(late.used, late.unit),
            }
            for late in list_late_differences(number=invoice.number)
        ]
        return list_sentences(sentences) if sentences else gettext("None: the period counts what was billed.")
