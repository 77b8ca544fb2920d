"""Invoices at Stripe: what each asks and was paid, and how far asking it is."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.admin.reading import ReadOnly
from billing.admin.stripe.showing import link_to_stripe
from billing.models import StripeInvoice
from billing.wording import display_money

if TYPE_CHECKING:
    InvoiceModelAdmin = admin.ModelAdmin[StripeInvoice]
else:
    InvoiceModelAdmin = admin.ModelAdmin


@admin.register(StripeInvoice)
class StripeInvoiceAdmin(ReadOnly, InvoiceModelAdmin):
    list_display = ["__str__", "account", "invoice_link", "step", "state", "total", "paid", "created_at"]
    list_filter = ["step", "state", "role", "dispute", "currency"]
    list_select_related = ["account", "invoice"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "created_at"
    ordering = ["-pk"]
    search_fields = ["account__key", "account__name", "=stripe_id", "=number", "=invoice__number"]
    search_help_text = _("Search in accounts, and for the number or id of an invoice")
    fields = [
        "object_text", "number", "account", "invoice_link", "period", "role", "step", "state", "total", "paid",
        "refunded", "attempt_count", "next_attempt_at", "needs_action", "error_code", "error_message", "dispute",
        "created_at", "finalised_at", "paid_at", "read_at",
    ]  # fmt: skip
    readonly_fields = ["object_text", "invoice_link", "total", "paid", "refunded"]

    @admin.display(description=_("id at Stripe"))
    def object_text(self, row: StripeInvoice) -> SafeString | str:
        return link_to_stripe(row.stripe_id)

    @admin.display(description=_("invoice"))
    def invoice_link(self, row: StripeInvoice) -> SafeString | str:
        if row.invoice is None:
            return "–"
        url = reverse("admin:billing_invoice_change", args=[row.invoice.pk])
        return format_html('<a href="{}">{}</a>', url, row.invoice)

    @admin.display(description=_("total"), ordering="total_minor")
    def total(self, row: StripeInvoice) -> str:
        return display_money(row.total_minor, row.currency)

    @admin.display(description=pgettext_lazy("amount", "paid"), ordering="paid_minor")
    def paid(self, row: StripeInvoice) -> str:
        return display_money(row.paid_minor, row.currency)

    @admin.display(description=_("refunded"))
    def refunded(self, row: StripeInvoice) -> str:
        return display_money(row.refunded_minor, row.currency)
